"""Uploads come in with the history: what they are, whose they are, and their content."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid5

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import Artifact, Person, Upload, Workflow, Workspace
from portal.database.transactions import writing
from portal.history.demo.sample import install_demo
from tests.factories import NOON, make_key, make_member, make_user
from tests.history.conftest import Import
from tests.history.lines import WORKFLOW, an_id, dump, upload_line, workflow_line

W = workflow_line()
Ask = Callable[[], list[dict[str, object]]]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The content of an upload, beside the history file."""
    file = tmp_path / "script.txt"
    file.write_bytes(b"Hello\n")
    return file


@pytest.fixture
def listed(app: Flask, workspace: Workspace) -> Ask:
    """The uploads as the API lists them."""
    user = make_user()
    make_member(workspace, user)
    headers = {"Authorization": f"Bearer {make_key(workspace, user)}"}

    def ask() -> list[dict[str, object]]:
        answer = app.test_client().get(f"/api/v1/workflows/{WORKFLOW}/uploads", headers=headers)
        assert answer.status_code == 200
        return list(answer.get_json()["data"])

    return ask


def test_an_upload_is_listed_as_its_line_says(load: Import, listed: Ask, script: Path) -> None:
    line = upload_line(
        filename="Morning news.txt",
        path="script.txt",
        format="txt",
        char_count=6,
        line_count=1,
        detected_language="en_GB",
        updated_at="2026-02-02T12:00:00Z",
        uploaded_by={"id": "u1", "name": "Ada"},
    )
    summary = load(W, line)
    assert summary.ok, summary.to_text()
    assert summary.to_json()["uploads"] == {"new": 1, "changed": 0, "unchanged": 0}
    [row] = listed()
    person = db.session.scalars(sa.select(Person)).one()
    link = row.pop("download_url")
    assert isinstance(link, str)
    assert row == {
        "id": an_id("upload"),
        "user_id": str(person.user_id),
        "workspace_id": str(person.workspace_id),
        "filename": "Morning news.txt",
        "category": "script",
        "content_type": "text/plain",
        "format": "txt",
        "size_bytes": 6,
        "char_count": 6,
        "line_count": 1,
        "detected_language": "en-GB",
        "status": "uploaded",
        "context_type": "workflow",
        "context_id": WORKFLOW,
        "created_at": "2026-02-01T12:00:00Z",
        "updated_at": "2026-02-02T12:00:00Z",
    }


def test_its_content_can_be_fetched_and_is_never_shown_as_a_page(
    load: Import, listed: Ask, app: Flask, tmp_path: Path
) -> None:
    (tmp_path / "names.html").write_bytes(b"<script>")
    load(W, upload_line(filename=None, path="names.html", category="dictionary"))
    [row] = listed()
    assert row["filename"] == "names.html"
    fetched = app.test_client().get(str(row["download_url"]))
    assert (fetched.status_code, fetched.data) == (200, b"<script>")
    assert fetched.content_type == "application/octet-stream"
    assert fetched.headers["Content-Disposition"].startswith("attachment")


def test_what_a_line_leaves_out_is_told_honestly(load: Import, listed: Ask, workspace: Workspace) -> None:
    load(W, {**upload_line(size_bytes=12, filename="a.bin"), "created_at": None, "label": "x"})
    [row] = listed()
    assert row["user_id"] == str(uuid5(workspace.id, "import"))
    assert (row["content_type"], row["size_bytes"]) == ("application/octet-stream", 12)
    assert row["created_at"] == row["updated_at"] == "2026-03-01T12:00:00Z"
    for name in ("download_url", "format", "char_count", "line_count", "detected_language"):
        assert row[name] is None


def test_the_same_line_again_changes_nothing(load: Import, script: Path) -> None:
    lines = [
        W,
        upload_line(path="script.txt", uploaded_by={"name": "Ada"}),
        upload_line("b", created_at=None),
    ]
    load(*lines)
    before = dump(db.engine, everything=True)
    assert load(*lines).total.uploads_unchanged == 2
    assert dump(db.engine, everything=True) == before


def test_a_line_that_differs_or_other_content_brings_it_up_to_date(load: Import, script: Path) -> None:
    load(W, upload_line(path="script.txt"))
    stamp = db.session.scalars(sa.select(Workflow.change_stamp)).one()
    db.session.rollback()
    assert load(upload_line(path="script.txt", filename="b.txt")).total.uploads_changed == 1
    script.write_bytes(b"Good evening\n")
    assert load(upload_line(path="script.txt", filename="b.txt")).total.uploads_changed == 1
    upload = db.session.scalars(sa.select(Upload)).one()
    assert (upload.filename, upload.size_bytes) == ("b.txt", 13)
    digests = db.session.scalars(sa.select(Artifact.sha256)).all()
    assert digests == [hashlib.sha256(b"Good evening\n").digest()]
    assert db.session.scalars(sa.select(Workflow.change_stamp)).one() == stamp + 2


def test_an_upload_of_another_workflow_is_not_taken_over(load: Import, app: Flask) -> None:
    second = an_id("second")
    summary = load(W, workflow_line(id=second), upload_line(), upload_line(workflow_id=second))
    assert [(bad.line_number, bad.field) for bad in summary.bad] == [(4, "id")]
    assert db.session.scalars(sa.select(Upload.workflow_id)).all() == [UUID(WORKFLOW)]


def test_an_upload_that_was_sent_here_is_not_replaced(load: Import, app: Flask) -> None:
    load(W, upload_line())
    with writing() as session:
        session.execute(sa.update(Upload).values(content_id=UUID(int=1), content_sha256=bytes(32)))
    summary = load(upload_line(filename="b.txt"))
    assert [(bad.field, bad.reason) for bad in summary.bad] == [
        ("id", "is the id of an upload that was made here.")
    ]
    db.session.rollback()
    assert db.session.scalars(sa.select(Upload.content_id)).one() == UUID(int=1)


@pytest.mark.slow
def test_the_samples_workflows_have_uploads(app: Flask) -> None:
    installed = install_demo(NOON)
    assert installed.imported is not None
    assert installed.imported.total.uploads_new == 6
    categories = sa.select(Upload.category).where(Upload.artifact_id.is_not(None)).distinct()
    assert set(db.session.scalars(categories)) == {"script", "dictionary"}
