"""`flask check --files`: what it finds of lost and damaged files, and what it removes."""

import contextvars
import io
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from portal import moments
from portal.checks.file_check import FileCheckResult, check_files
from portal.database.engine import db
from portal.database.models import Upload, Workflow, Workspace
from portal.database.transactions import writing
from portal.history.importer import import_lines
from portal.storage import artifact_store, digest_of, object_key, store_upload, upload_key
from tests.factories import NOON, make_artifact, make_run, make_upload, make_workflow, make_workspace
from tests.history.lines import run_line, workflow_line
from tests.s3 import new_store

SOUND, OTHER, SCRIPT, LOG = b"RIFF-sound", b"RIFF-other", b"Good evening", b"all well"
Check = Callable[..., Result]


def key(workspace: Workspace, content: bytes) -> str:
    return object_key(workspace.id, digest_of(io.BytesIO(content)).sha256)


def put(workspace: Workspace, name: bytes, content: bytes) -> None:
    """Let this content lie where that of `name` belongs."""
    artifact_store().put(key(workspace, name), io.BytesIO(content))


@pytest.fixture(params=["folder", "s3"])
def any_store(request: pytest.FixtureRequest, app: Flask) -> None:
    """The portal with its files in a folder, and in an S3-compatible store."""
    if request.param == "s3":
        app.extensions["portal_artifacts"] = new_store(request.getfixturevalue("s3_server"))


@pytest.fixture
def check(app: Flask) -> Check:
    """Run `flask check --files` with these words."""
    runner = app.test_cli_runner()
    return lambda *words: contextvars.Context().run(runner.invoke, args=["check", "--files", *words])


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    """A workspace whose workflow has two runs and an upload, all with files."""
    workspace = make_workspace()
    workflow = make_workflow(workspace, next_run_number=9)
    first, second = make_run(workflow, run_number=7), make_run(workflow, run_number=8)
    make_artifact(workspace, first, "one.wav", SOUND)
    make_artifact(workspace, second, "same.wav", SOUND)
    make_artifact(workspace, first, "two.wav", OTHER)
    make_artifact(workspace, first, "log.txt", LOG)
    make_upload(workflow, workspace, "news.txt", SCRIPT)
    return workspace


def test_files_that_are_as_they_were_stored_are_fine(check: Check, workspace: Workspace) -> None:
    checked = check()
    assert checked.exit_code == 0
    assert "ok  files: 4 read, all as they were stored" in checked.output
    assert "ok  leftovers: none" in checked.output


@pytest.mark.usefixtures("any_store")
@pytest.mark.slow
def test_each_file_that_is_not_whole_is_named_with_what_is_wrong(check: Check, workspace: Workspace) -> None:
    artifact_store().delete(key(workspace, SOUND))
    put(workspace, OTHER, b"")
    put(workspace, SCRIPT, b"Good morning")
    checked = check()
    assert checked.exit_code == 1
    assert "BAD  files: of 4, 1 missing, 1 of the wrong size, 1 with the wrong content." in checked.output
    for said in (
        "missing: Nightly dub (acme), run 7, one.wav",
        "missing: Nightly dub (acme), run 8, same.wav",
        "of the wrong size: Nightly dub (acme), run 7, two.wav",
        "with the wrong content: Nightly dub (acme), upload, news.txt",
        "flask check --files --repair",
    ):
        assert said in checked.output
    assert "log.txt" not in checked.output
    [files] = [finding["files"] for finding in json.loads(check("--json").output) if "files" in finding]
    assert {(each["problem"], each["file"], each["run_number"]) for each in files} == {
        ("missing", "one.wav", 7),
        ("missing", "same.wav", 8),
        ("size", "two.wav", 7),
        ("content", "news.txt", None),
    }


@pytest.mark.slow
@pytest.mark.usefixtures("any_store")
def test_a_repair_removes_what_is_damaged_and_keeps_what_is_whole(check: Check, workspace: Workspace) -> None:
    put(workspace, OTHER, b"")
    put(workspace, SCRIPT, b"Good morning")
    repaired = check("--repair")
    assert repaired.exit_code == 1
    assert "Removed 2. Import the history of the files below again." in repaired.output
    assert artifact_store().size(key(workspace, OTHER)) is None
    assert artifact_store().size(key(workspace, SCRIPT)) is None
    assert artifact_store().size(key(workspace, SOUND)) == len(SOUND)
    assert "of 4, 2 missing. Import their history again." in check().output


@pytest.mark.usefixtures("any_store")
@pytest.mark.slow
def test_an_import_brings_back_what_a_repair_removed(check: Check, app: Flask) -> None:
    workspace = make_workspace()
    history = [json.dumps(line).encode() for line in (workflow_line(), run_line(files=[{"path": "a.txt"}]))]
    files = {"a.txt": LOG}
    assert import_lines(workspace.id, history, now=NOON, files=files).ok
    put(workspace, LOG, b"all ill!")
    assert check("--repair").exit_code == 1
    assert import_lines(workspace.id, history, now=NOON, files=files).total.runs_unchanged == 1
    assert check().exit_code == 0


@pytest.mark.slow
@pytest.mark.usefixtures("any_store")
def test_leftovers_are_counted_and_removed_when_they_are_a_day_old(app: Flask, workspace: Workspace) -> None:
    put(workspace, b"left over", b"left over")
    now = moments.now()
    [_, counted] = check_files(repair=False, now=now + timedelta(days=2))
    assert (counted.ok, counted.detail) == (True, "1 unreferenced files (9 bytes)")
    [_, kept] = check_files(repair=True, now=now + timedelta(hours=23))
    assert "removed 0" in kept.detail
    [files, removed] = check_files(repair=True, now=now + timedelta(hours=25))
    assert "removed 1" in removed.detail
    assert files.ok
    assert check_files(repair=False, now=now)[1].detail == "none"


@pytest.mark.slow
def test_half_written_files_are_leftovers(check: Check, workspace: Workspace, tmp_path: Path) -> None:
    half = (tmp_path / "artifacts" / key(workspace, SOUND)).with_name(".new-abc123")
    half.write_bytes(b"half")
    assert "1 unreferenced files (4 bytes)" in check().output
    os.utime(half, (0, 0))
    assert check("--repair").exit_code == 0
    assert not half.exists()


@pytest.mark.slow
def test_what_is_not_the_portals_is_left_alone(check: Check, workspace: Workspace, tmp_path: Path) -> None:
    """Other people's files, and those of workspaces that only another database knows."""
    folder = tmp_path / "artifacts"
    stranger = object_key(uuid4(), digest_of(io.BytesIO(SOUND)).sha256)
    artifact_store().put(stranger, io.BytesIO(SOUND))
    others = [folder / "README", folder / str(workspace.id) / "notes.txt", folder / stranger]
    for file in others:
        file.write_bytes(b"mine")
        os.utime(file, (0, 0))
    assert "leftovers: none" in check("--repair").output
    assert all(file.exists() for file in others)


@pytest.mark.slow
def test_many_files_are_looked_up_in_batches_and_the_text_names_some(
    check: Check, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.checks.file_check.BATCH", 7)
    workspace = make_workspace()
    run = make_run(make_workflow(workspace))
    for number in range(30):
        make_artifact(workspace, run, f"{number:02}.txt", str(number).encode())
        put(workspace, str(-number - 1).encode(), b"left over")
    seen: list[tuple[int, int, int]] = []
    [files, leftovers] = check_files(repair=False, now=moments.now(), progress=lambda *at: seen.append(at))
    assert files.ok
    assert seen[-1] == (50, 50, 30)
    assert leftovers.detail.startswith("30 unreferenced files")
    for number in range(30):
        artifact_store().delete(key(workspace, str(number).encode()))
    [lost, _] = check_files(repair=False, now=moments.now())
    assert isinstance(lost, FileCheckResult)
    assert len(lost.files) == 30
    assert lost.detail.count("missing: ") == 20
    assert lost.detail.endswith("and 10 more; --json names all")


def test_a_store_that_cannot_be_used_is_a_finding(check: Check, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "artifacts").rename(tmp_path / "elsewhere")
    (tmp_path / "artifacts").write_text("not a folder")
    checked = check("--json")
    assert checked.exit_code == 1
    [finding] = [each for each in json.loads(checked.output) if not each["ok"]]
    assert finding["detail"] == "The artifact store cannot be read: Not a directory."


def send(workspace: Workspace, content: bytes, status: str) -> str:
    """An upload that somebody sent, pending or confirmed; returns the key of its file."""
    content_id = uuid4()
    digest = store_upload(workspace.id, content_id, io.BytesIO(content))
    workflow_id = db.session.scalars(sa.select(Workflow.id)).one() if status == "uploaded" else None
    with writing() as session:
        session.add(
            Upload(
                id=uuid4(),
                workspace_id=workspace.id,
                workflow_id=workflow_id,
                user_id=uuid4(),
                status=status,
                filename=f"{status}.txt",
                category="script",
                content_type="text/plain",
                size_bytes=digest.size,
                content_id=content_id,
                content_sha256=digest.sha256,
                created_at=NOON,
                updated_at=NOON,
            )
        )
    return upload_key(workspace.id, content_id)


@pytest.mark.slow
@pytest.mark.usefixtures("any_store")
def test_uploads_are_read_too_and_never_removed(check: Check, workspace: Workspace) -> None:
    pending, confirmed = send(workspace, SOUND, "pending"), send(workspace, LOG, "uploaded")
    fine = check()
    assert fine.exit_code == 0
    assert "ok  files: 6 read, all as they were stored" in fine.output
    assert "ok  leftovers: none" in fine.output
    artifact_store().delete(pending)
    artifact_store().put(confirmed, io.BytesIO(b"all ill!"))
    damaged = check("--repair")
    assert damaged.exit_code == 1
    assert "of 6, 1 missing, 1 with the wrong content. Delete these uploads and send them again." in (
        damaged.output
    )
    assert "missing: no workflow (acme), upload, pending.txt" in damaged.output
    assert "with the wrong content: Nightly dub (acme), upload, uploaded.txt" in damaged.output
    assert artifact_store().size(confirmed) == len(b"all ill!")
    artifact_store().delete(key(workspace, OTHER))
    assert "of 6, 2 missing, 1 with the wrong content." in check().output


@pytest.mark.slow
def test_what_is_left_of_an_upload_is_a_leftover_of_a_day(
    check: Check, workspace: Workspace, tmp_path: Path
) -> None:
    kept, left = send(workspace, SOUND, "pending"), upload_key(workspace.id, uuid4())
    young = upload_key(workspace.id, uuid4())
    for each in (left, young, f"{workspace.id}/uploads/.new-abc_1"):
        artifact_store().put(each.replace(".new-abc_1", "abc"), io.BytesIO(LOG))
    folder = tmp_path / "artifacts" / str(workspace.id) / "uploads"
    (folder / "abc").rename(folder / ".new-abc_1")
    for old in (left.rpartition("/")[2], kept.rpartition("/")[2], ".new-abc_1"):
        os.utime(folder / old, (NOON.timestamp(), NOON.timestamp()))
    assert "ok  leftovers: 3 unreferenced files (24 bytes)" in check().output
    assert "removed 2, which were older than a day" in check("--repair").output
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        each.rpartition("/")[2] for each in (kept, young)
    )
