"""Uploads over the API: announced, sent to a signed address, confirmed, listed, deleted."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import moments
from portal.database.engine import db
from portal.database.models import Upload, Workflow
from portal.database.transactions import writing
from portal.storage.signed_links import Grant, sign, sign_upload
from portal.web.logs import redact
from tests.api.conftest import Api
from tests.factories import make_key, make_member, make_upload, make_user, make_workflow, make_workspace
from tests.s3 import new_store

TEXT = "\ufeff  Good evening.  \r\n\n\tGuten Abend, 今晩は 🎧\n"
SCOPES = ("uploads:write", "workflows:read")
Put = Callable[..., TestResponse]


@pytest.fixture
def api(api: Api) -> Api:
    return api.with_key(make_key(api.workspace, api.user, SCOPES))


@pytest.fixture
def put(client: FlaskClient) -> Put:
    """A PUT without any credential, as clients do."""

    def put(url: str, content: bytes, **options: Any) -> TestResponse:
        parts = urlsplit(url)
        return client.put(f"{parts.path}?{parts.query}", data=content, **options)

    return put


def create(api: Api, filename: str = "script.txt", category: str = "script") -> tuple[str, str]:
    """A new upload: its id and the address to send its file to."""
    answer = api.request("POST", "/uploads", json={"filename": filename, "category": category})
    assert answer.status_code == 201, answer.text
    data = answer.get_json()["data"]
    return data["upload"]["id"], data["upload_url"]


def confirm(api: Api, upload_id: str, workflow: Workflow) -> TestResponse:
    body = {"context_type": "workflow", "context_id": str(workflow.id)}
    return api.request("POST", f"/uploads/{upload_id}", json=body)


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]


def refusal(answer: TestResponse) -> tuple[int, list[str]]:
    error = answer.get_json()["error"]
    return answer.status_code, [detail["field"] for detail in error.get("details", ())]


@pytest.mark.parametrize("kind", ["folder", "s3"])
@pytest.mark.slow
def test_a_script_is_announced_sent_confirmed_listed_fetched_and_deleted(
    api: Api, workflow: Workflow, put: Put, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "s3":
        api.app.extensions["portal_artifacts"] = new_store(request.getfixturevalue("s3_server"))
    body = {"filename": "Ansage Ä.TXT", "category": "script"}
    made = api.request("POST", "/uploads", json=body).get_json()["data"]
    pending = made["upload"]
    nothing = ("size_bytes", "char_count", "line_count", "detected_language", "download_url")
    assert {name: pending[name] for name in (*nothing, "context_type", "context_id")} == dict.fromkeys(
        (*nothing, "context_type", "context_id")
    )
    assert (pending["status"], pending["filename"], pending["format"]) == ("pending", "Ansage Ä.TXT", "txt")
    assert (pending["content_type"], pending["category"]) == ("text/plain", "script")
    assert (pending["workspace_id"], pending["user_id"]) == (str(api.workspace.id), str(api.user.id))
    assert api.get(f"/workflows/{workflow.id}/uploads").get_json()["data"] == []
    sent = put(made["upload_url"], TEXT.encode(), content_type="text/plain")
    assert (sent.status_code, sent.data) == (204, b"")
    answer = confirm(api, pending["id"], workflow)
    assert answer.status_code == 200, answer.text
    done = answer.get_json()["data"]
    assert (done["status"], done["size_bytes"]) == ("uploaded", len(TEXT.encode()))
    assert (done["char_count"], done["line_count"]) == (len("Good evening.Guten Abend, 今晩は 🎧"), 2)
    assert (done["context_type"], done["context_id"]) == ("workflow", str(workflow.id))
    assert done["detected_language"] is None
    [listed] = api.get(f"/workflows/{workflow.id}/uploads").get_json()["data"]
    assert listed["id"] == pending["id"]
    parts = urlsplit(done["download_url"])
    fetched = api.app.test_client().get(f"{parts.path}?{parts.query}")
    assert fetched.data == TEXT.encode()
    assert fetched.headers["Content-Disposition"].startswith("attachment;")
    assert fetched.headers["X-Content-Type-Options"] == "nosniff"
    deleted = api.request("DELETE", f"/uploads/{pending['id']}")
    assert deleted.get_json()["data"] == {"id": pending["id"], "deleted": True}
    assert api.request("DELETE", f"/uploads/{pending['id']}").status_code == 404
    assert api.app.test_client().get(f"{parts.path}?{parts.query}").status_code == 404
    assert list(api.app.extensions["portal_artifacts"].objects(str(api.workspace.id))) == []


@pytest.mark.parametrize(
    ("filename", "category", "kept"),
    [
        ("../../etc/notes.txt", "script", "notes.txt"),
        ("C:\\scripts\\notes.pdf", "script", "notes.pdf"),
        ("...notes.txt", "script", "notes.txt"),
        ("no\ttes\u202e.txt", "script", "notes.txt"),
        ("  a b .Txt", "script", "a b .Txt"),
        ("発音.MP3", "dictionary", "発音.MP3"),
        ("x.webm", "dictionary", "x.webm"),
        ("a" * 251 + ".txt", "script", "a" * 251 + ".txt"),
    ],
)
def test_a_name_is_kept_without_folders_controls_and_leading_dots(
    api: Api, filename: str, category: str, kept: str
) -> None:
    answer = api.request("POST", "/uploads", json={"filename": filename, "category": category})
    assert answer.status_code == 201, answer.text
    assert answer.get_json()["data"]["upload"]["filename"] == kept


@pytest.mark.parametrize(
    ("filename", "category"),
    [
        ("words.csv", "dictionary"),
        ("script.docx", "script"),
        ("script.mp3", "script"),
        ("words.txt", "dictionary"),
        (".txt", "script"),
        ("a/.txt", "script"),
        ("a.txt/", "script"),
        ("\u202e.txt", "script"),
        ("txt", "script"),
        ("", "script"),
        ("a" * 252 + ".txt", "script"),
        ("a\0.txt", "script"),
        ("a\ud800.txt", "script"),
        (5, "script"),
        (None, "script"),
    ],
)
def test_a_name_that_its_category_does_not_take_is_refused(api: Api, filename: object, category: str) -> None:
    answer = api.request("POST", "/uploads", json={"filename": filename, "category": category})
    assert refusal(answer) == (422, ["filename"])


def test_every_bad_field_is_named(api: Api) -> None:
    assert refusal(api.request("POST", "/uploads", json={})) == (422, ["category", "filename"])
    answer = api.request("POST", "/uploads/x", json={"context_type": "page", "context_id": 5})
    assert refusal(answer) == (422, ["upload_id", "context_type", "context_id"])
    assert refusal(api.request("DELETE", "/uploads/x")) == (422, ["upload_id"])


def test_what_was_not_sent_cannot_be_confirmed(api: Api, workflow: Workflow) -> None:
    upload_id, _ = create(api)
    assert confirm(api, upload_id, workflow).status_code == 409


def test_a_file_can_be_sent_again_until_it_is_confirmed(
    api: Api, workflow: Workflow, put: Put, tmp_path: Path
) -> None:
    upload_id, url = create(api)
    assert put(url, b"one").status_code == 204
    assert put(url, b"three").status_code == 204
    assert [path.read_bytes() for path in files(tmp_path)] == [b"three"]
    assert confirm(api, upload_id, workflow).get_json()["data"]["size_bytes"] == 5
    refused = put(url, b"later")
    assert refused.status_code == 403
    assert "takes no file any more" in refused.text
    assert [path.read_bytes() for path in files(tmp_path)] == [b"three"]


def test_confirming_again_changes_nothing_whatever_the_body_names(
    api: Api, workflow: Workflow, put: Put
) -> None:
    upload_id, url = create(api)
    put(url, b"Hello")
    first = confirm(api, upload_id, workflow).get_json()["data"]
    for body in (
        {"context_type": "workflow", "context_id": str(uuid4())},
        {"context_type": "playground", "context_id": str(uuid4())},
    ):
        again = api.request("POST", f"/uploads/{upload_id}", json=body)
        assert again.status_code == 200
        found = again.get_json()["data"]
        assert found | {"download_url": ""} == first | {"download_url": ""}


@pytest.mark.parametrize(
    ("filename", "category", "content", "is_right"),
    [
        ("a.txt", "script", b"\xff\xfeH\0i\0", False),
        ("a.txt", "script", b"caf\xe9", False),
        ("a.txt", "script", b"", True),
        ("a.pdf", "script", b"%PDF-1.7\n%%EOF", True),
        ("a.pdf", "script", b"PK\x03\x04", False),
        ("a.pdf", "script", b"", False),
        ("a.mp3", "dictionary", b"ID3\x04rest", True),
        ("a.mp3", "dictionary", b"\xff\xfbrest", True),
        ("a.mp3", "dictionary", b"<script>", False),
        ("a.wav", "dictionary", b"RIFF\0\0\0\0WAVEfmt ", True),
        ("a.wav", "dictionary", b"RIFF\0\0\0\0AVI ", False),
        ("a.m4a", "dictionary", b"\0\0\0\x20ftypM4A ", True),
        ("a.m4a", "dictionary", b"ftyp", False),
        ("a.ogg", "dictionary", b"OggS\0", True),
        ("a.ogg", "dictionary", b"ogg", False),
        ("a.webm", "dictionary", b"\x1a\x45\xdf\xa3rest", True),
        ("a.webm", "dictionary", b"RIFF", False),
    ],
)
def test_content_must_be_what_the_name_says_and_else_stays_pending(
    api: Api, workflow: Workflow, put: Put, filename: str, category: str, content: bytes, is_right: bool
) -> None:
    upload_id, url = create(api, filename, category)
    assert put(url, content).status_code == 204
    answer = confirm(api, upload_id, workflow)
    if is_right:
        done = answer.get_json()["data"]
        counted = 0 if filename == "a.txt" else None
        assert (done["size_bytes"], done["char_count"]) == (len(content), counted)
        return
    assert refusal(answer) == (422, ["upload_id"])
    assert db.session.scalars(sa.select(Upload.status)).one() == "pending"
    db.session.rollback()
    assert put(url, content).status_code == 204


def test_only_a_workflow_of_the_callers_takes_an_upload(
    api: Api, workflow: Workflow, other_workflow: Workflow, put: Put
) -> None:
    gone = make_workflow(api.workspace, "Gone", deleted_at=moments.now())
    upload_id, url = create(api)
    put(url, b"Hello")

    def status(context_type: str, context_id: UUID) -> int:
        body = {"context_type": context_type, "context_id": str(context_id)}
        return api.request("POST", f"/uploads/{upload_id}", json=body).status_code

    assert [status("workflow", each) for each in (uuid4(), other_workflow.id, gone.id)] == [404] * 3
    assert status("playground", api.workspace.id) == 403
    assert status("assistant_session", uuid4()) == 404
    assert status("workflow", workflow.id) == 200


def test_another_persons_or_workspaces_upload_is_not_there(api: Api, workflow: Workflow, put: Put) -> None:
    upload_id, url = create(api)
    put(url, b"Hello")
    colleague, outsider = make_user("bo@acme.example"), make_workspace("away", "Away")
    make_member(api.workspace, colleague)
    make_member(outsider, api.user)
    for key in (make_key(api.workspace, colleague, SCOPES), make_key(outsider, api.user, SCOPES)):
        other = api.with_key(key)
        assert confirm(other, upload_id, workflow).status_code == 404
        assert other.request("DELETE", f"/uploads/{upload_id}").status_code == 404
    assert confirm(api, upload_id, workflow).status_code == 200


def test_uploads_that_script_nodes_name_are_listed_too(
    api: Api, workflow: Workflow, other_workflow: Workflow, put: Put
) -> None:
    upload_id, url = create(api)
    put(url, b"Hello")
    confirm(api, upload_id, workflow)
    pending, _ = create(api)
    foreign = make_upload(other_workflow, make_workspace("third"), "theirs.txt", b"x")
    config = {"upload_ids": [upload_id, pending, str(foreign.id), "x", 5, None]}
    position = {"x": 0, "y": 0}
    nodes = [
        {"id": "in", "type": "source_script", "position": position, "config": config},
        {"id": "bad", "type": "source_script", "position": position, "config": {"upload_ids": "x"}},
    ]
    definition = {"graph": {"nodes": nodes, "edges": []}, "execution": {"steps": [], "params": {}}}
    copy = make_workflow(api.workspace, "Copy", definition=definition)
    [row] = api.get(f"/workflows/{copy.id}/uploads").get_json()["data"]
    assert (row["id"], row["context_id"]) == (upload_id, str(workflow.id))
    empty = make_workflow(api.workspace, "Empty")
    assert api.get(f"/workflows/{empty.id}/uploads").get_json()["data"] == []


def test_an_upload_of_a_deleted_workflow_can_still_be_deleted(
    api: Api, workflow: Workflow, put: Put, tmp_path: Path
) -> None:
    upload_id, url = create(api)
    put(url, b"Hello")
    confirm(api, upload_id, workflow)
    with writing() as session:
        session.execute(sa.update(Workflow).values(deleted_at=moments.now()))
    assert api.request("DELETE", f"/uploads/{upload_id}").status_code == 200
    assert files(tmp_path) == []


@pytest.mark.slow
def test_a_person_has_at_most_a_hundred_pending_uploads(api: Api) -> None:
    made = [create(api)[0] for _ in range(100)]
    answer = api.request("POST", "/uploads", json={"filename": "a.txt", "category": "script"})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "CONFLICT")
    assert api.request("DELETE", f"/uploads/{made[0]}").status_code == 200
    create(api)


def test_what_was_never_confirmed_is_gone_after_a_day(api: Api, put: Put, tmp_path: Path) -> None:
    old, url = create(api)
    put(url, b"Hello")
    young, _ = create(api)
    for upload_id, hours in ((old, 24), (young, 23)):
        at = moments.now() - timedelta(hours=hours)
        with writing() as session:
            session.execute(sa.update(Upload).where(Upload.id == UUID(upload_id)).values(created_at=at))
    create(api)
    assert files(tmp_path) == []
    assert api.request("DELETE", f"/uploads/{old}").status_code == 404
    assert api.request("DELETE", f"/uploads/{young}").status_code == 200


class TestStorageLimit:
    """The uploads of a workspace may take ten bytes."""

    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"PORTAL_STORAGE_BYTES_PER_WORKSPACE": "10"}

    @pytest.mark.slow
    def test_pending_bytes_count_and_what_is_deleted_does_not(
        self, api: Api, workflow: Workflow, put: Put, tmp_path: Path
    ) -> None:
        first, first_url = create(api)
        second, second_url = create(api)
        assert put(first_url, b"123456").status_code == 204
        assert put(second_url, b"12345").status_code == 402
        assert [path.read_bytes() for path in files(tmp_path)] == [b"123456"]
        assert put(first_url, b"1234567890").status_code == 204
        answer = api.request("POST", "/uploads", json={"filename": "a.txt", "category": "script"})
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (402, "INSUFFICIENT_CREDITS")
        assert confirm(api, first, workflow).status_code == 200
        assert put(second_url, b"1").status_code == 402
        api.request("DELETE", f"/uploads/{first}")
        assert put(second_url, b"12345").status_code == 204
        assert confirm(api, second, workflow).status_code == 200

    def test_over_the_limit_an_upload_stays_pending(self, api: Api, workflow: Workflow, put: Put) -> None:
        upload_id, url = create(api)
        put(url, b"12345")
        make_upload(workflow, api.workspace, "imported.txt", b"123456")
        assert confirm(api, upload_id, workflow).status_code == 402
        assert db.session.scalars(sa.select(Upload.status).where(Upload.id == UUID(upload_id))).one() == (
            "pending"
        )


def test_an_address_takes_one_upload_by_put_and_opens_nothing_else(
    api: Api, workflow: Workflow, put: Put, client: FlaskClient
) -> None:
    upload_id, url = create(api)
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}"
    for method in ("GET", "HEAD", "POST", "DELETE", "PATCH"):
        answer = client.open(path, method=method, headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 405, method
    other, _ = create(api)
    put(url, b"Hello")
    done = confirm(api, upload_id, workflow).get_json()["data"]
    with api.app.test_request_context():
        read = sign(Grant("upload", api.workspace.id, UUID(other)), moments.now()).path
    query = read.partition("?")[2]
    forged = [
        f"/uploads/{other}?{parts.query}",
        f"/uploads/{other}?{query}",
        f"/uploads/{other}",
        f"/uploads/x?{parts.query}",
        path.replace("expires=", "expires=9"),
        path + "A",
        path[:-1],
        f"/uploads/{other}?expires=x&signature=x",
    ]
    for each in forged:
        assert put(each, b"Bad").status_code == 403, each
    reading = f"/files/{api.workspace.id}/upload/{upload_id}"
    assert client.get(f"{reading}?{parts.query}").status_code == 403
    fetched = urlsplit(done["download_url"])
    assert client.put(f"{fetched.path}?{fetched.query}", data=b"Bad").status_code in (403, 405)
    assert client.get(f"{fetched.path}?{fetched.query}").data == b"Hello"


def test_an_address_runs_out(api: Api, put: Put) -> None:
    upload_id, _ = create(api)
    with api.app.test_request_context():
        old = sign_upload(UUID(upload_id), moments.now() - timedelta(minutes=15))
        young = sign_upload(UUID(upload_id), moments.now() - timedelta(minutes=14))
    assert put(old.path, b"Hello").status_code == 403
    assert put(young.path, b"Hello").status_code == 204


def test_an_address_does_not_reach_a_log(api: Api) -> None:
    _, url = create(api)
    assert url.split("signature=")[1] not in redact(f'"PUT {url} HTTP/1.1" 204')


def test_no_cookie_is_looked_at_and_no_origin(api: Api, sign_in: Callable[..., FlaskClient]) -> None:
    _, url = create(api)
    path = re.sub(r"^https?://[^/]+", "", url)
    browser = sign_in(api.user)
    cross = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert browser.put(path, data=b"Hello", headers=cross).status_code == 204
    assert browser.put(path.split("?")[0], data=b"Hello", headers=cross).status_code == 403
    same = {"Sec-Fetch-Site": "same-origin"}
    assert browser.put(path.split("?")[0], data=b"Hello", headers=same).status_code == 403


def test_no_other_view_is_open_without_an_origin(sqlite_app: Flask) -> None:
    exempt = [
        name
        for name, view in sqlite_app.view_functions.items()
        if getattr(view, "portal_opened_by_signature", False)
    ]
    assert exempt == ["sent_files.send"]
    rules = [rule for rule in sqlite_app.url_map.iter_rules() if rule.endpoint in exempt]
    assert [(rule.methods or set()) - {"OPTIONS"} for rule in rules] == [{"PUT"}]


@pytest.mark.slow
def test_ten_megabytes_are_taken_and_no_byte_more(api: Api, put: Put, tmp_path: Path) -> None:
    _, url = create(api)
    assert put(url, bytes(10_000_001)).status_code == 413
    assert files(tmp_path) == []
    assert put(url, bytes(10_000_000)).status_code == 204
    big = api.request("POST", "/uploads", data=b" " * 1_000_001, content_type="application/json")
    assert big.status_code == 413


class TestRateLimit:
    """Two attempts a minute."""

    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"PORTAL_RATE_LIMIT_ATTEMPTS_PER_MIN": "2"}

    def test_who_sends_too_often_has_to_wait(self, api: Api, put: Put) -> None:
        _, url = create(api)
        statuses = [put(each, b"x").status_code for each in (url, "/uploads/x", url)]
        assert statuses == [204, 403, 429]
        assert int(put(url, b"x").headers["Retry-After"]) >= 1


def test_the_command_removes_what_nobody_confirmed(api: Api, put: Put, app: Flask, tmp_path: Path) -> None:
    for _ in range(3):
        put(create(api)[1], b"Hello")
    run = app.test_cli_runner()
    assert run.invoke(args=["uploads", "prune", "--json"]).output == '{"removed": 0}\n'
    with writing() as session:
        session.execute(sa.update(Upload).values(created_at=moments.now() - timedelta(days=1)))
    assert run.invoke(args=["uploads", "prune"]).output == "Removed 3 uploads.\n"
    assert files(tmp_path) == []
