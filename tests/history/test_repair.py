"""Importing the same history again brings back the stored files that were lost or damaged meanwhile."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import Artifact, Run, Workspace
from portal.errors import Unavailable
from portal.history.importer import import_files
from portal.history.summary import ImportSummary
from portal.storage import artifact_store, digest_of, object_key
from portal.storage.local import LocalStore
from tests.factories import NOON
from tests.history.conftest import Import
from tests.history.lines import dump, run_line, upload_line, workflow_line, write

SOUND, SCRIPT = b"RIFF-sound", b"Good evening"
LINES = (
    workflow_line(),
    upload_line(path="script.txt"),
    run_line(output_lines=[{"takes": [{"audio": {"path": "one.wav"}}]}]),
)


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    """The files beside the history file."""
    (tmp_path / "one.wav").write_bytes(SOUND)
    (tmp_path / "script.txt").write_bytes(SCRIPT)


def key(workspace: Workspace, content: bytes) -> str:
    return object_key(workspace.id, digest_of(BytesIO(content)).sha256)


@pytest.mark.parametrize("content", [SOUND, SCRIPT])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "grown", "other"])
def test_the_same_lines_again_bring_back_a_file(
    load: Import, workspace: Workspace, tmp_path: Path, content: bytes, damage: str
) -> None:
    assert load(*LINES).ok
    before = dump(db.engine, everything=True)
    file = tmp_path / "artifacts" / key(workspace, content)
    damages: dict[str, Callable[[], object]] = {
        "gone": file.unlink,
        "empty": lambda: file.write_bytes(b""),
        "cut": lambda: file.write_bytes(content[:-1]),
        "grown": lambda: file.write_bytes(content + b"x"),
        "other": lambda: file.write_bytes(b"x" * len(content)),
    }
    damages[damage]()
    again = load(*LINES)
    assert again.ok
    assert (again.total.runs_unchanged, again.total.uploads_unchanged) == (1, 1)
    assert file.read_bytes() == content
    assert dump(db.engine, everything=True) == before


def test_a_full_disk_ends_an_import_and_keeps_the_batches_before(
    app: Flask, load: Import, workspace: Workspace, small_disk: Path, tmp_path: Path
) -> None:
    app.extensions["portal_artifacts"] = LocalStore(small_disk)
    (tmp_path / "long.wav").write_bytes(bytes(2 * 1024 * 1024))
    long = run_line("long", output_lines=[{"takes": [{"audio": {"path": "long.wav"}}]}])
    with pytest.raises(Unavailable, match="No space left on device"):
        load(*LINES, long, run_line("after"), batch_size=3)
    assert db.session.scalars(sa.select(Run.id)).all() == [UUID(str(LINES[2]["id"]))]
    assert {each.name for each in db.session.scalars(sa.select(Artifact))} == {"one.wav", "script.txt"}
    assert b"".join(artifact_store().read(key(workspace, SOUND))) == SOUND


def test_the_command_says_in_one_line_why_it_ended(
    app: Flask, workspace: Workspace, tmp_path: Path, small_disk: Path
) -> None:
    app.extensions["portal_artifacts"] = LocalStore(small_disk)
    (tmp_path / "one.wav").write_bytes(bytes(2 * 1024 * 1024))
    file = write(tmp_path / "runs.jsonl", *LINES)
    ended = app.test_cli_runner().invoke(args=["import", str(file)])
    assert ended.exit_code == 1
    assert "The artifact store cannot be written: No space left on device." in ended.output
    assert "Traceback" not in ended.output


def test_a_store_that_cannot_be_used_is_no_fault_of_the_line(
    app: Flask, workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "artifacts").write_text("not a folder")
    file = write(tmp_path / "runs.jsonl", *LINES)

    def load() -> ImportSummary:
        return import_files(workspace.id, [file], now=NOON)

    with pytest.raises(Unavailable, match="The artifact store cannot be"):
        load()
    (tmp_path / "artifacts").unlink()
    assert load().ok
