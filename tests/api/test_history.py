"""`POST /history`: lines of history pushed by an ingest key."""

import gzip
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from portal.database.engine import db
from portal.database.models import IngestHour, IngestRefusal, Run, Workflow, Workspace
from portal.ingest.pushed_lines import MAX_BYTES, MAX_LINES
from portal.ingest.turns import AT_ONCE, turn
from portal.runs.recording import recorder
from tests.factories import (
    EMPTY_DEFINITION,
    NOON,
    make_ingest_key,
    make_key,
    make_member,
    make_run,
    make_user,
    make_workflow,
    make_workspace,
)
from tests.history.lines import an_id, encode, run_line, upload_line, workflow_line

NDJSON = "application/x-ndjson"
packed = partial(gzip.compress, mtime=0)  # or the names of tests would change by the second


@dataclass
class Pusher:
    """A system that pushes its history."""

    app: Flask
    workspace: Workspace
    key: str

    def push(self, body: bytes, content_type: str | None = NDJSON, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {self.key}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        client = self.app.test_client()
        return client.post("/api/v1/history", data=body, headers=sent, content_type=content_type)

    def push_lines(self, *lines: Any) -> TestResponse:
        return self.push(encode(*lines))


@pytest.fixture
def pusher(app: Flask) -> Pusher:
    workspace = make_workspace()
    return Pusher(app, workspace, make_ingest_key(workspace))


def runs() -> int:
    db.session.rollback()
    return db.session.scalar(sa.select(sa.func.count()).select_from(Run)) or 0


def taken(accepted: int, unchanged: int = 0) -> dict[str, Any]:
    return {"accepted": accepted, "unchanged": unchanged, "refused": []}


LINES = [workflow_line(), run_line("a"), run_line("b", status="failed")]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (encode(*LINES), NDJSON),
        (encode(*LINES).rstrip(), f"{NDJSON}; charset=utf-8"),
        (b"\xef\xbb\xbf" + encode(*LINES).replace(b"\n", b"\r\n\r\n"), "application/jsonl"),
        (json.dumps({"lines": LINES}).encode(), "application/json"),
        (json.dumps({"lines": LINES}, indent=2).encode(), "Application/JSON; charset=utf-8"),
        (json.dumps({"lines": LINES}).encode(), None),
    ],
)
def test_lines_are_stored_and_sent_again_they_change_nothing(
    pusher: Pusher, body: bytes, content_type: str | None
) -> None:
    first = pusher.push(body, content_type)
    assert (first.status_code, first.get_json()) == (200, taken(3))
    assert first.headers["Cache-Control"] == "no-store"
    again = pusher.push(body, content_type, Idempotency_Key="7")
    assert again.get_json() == taken(0, 3)
    assert runs() == 2


def test_one_object_is_one_line(pusher: Pusher) -> None:
    body = json.dumps(workflow_line(), indent=1).encode()
    assert pusher.push(body, "application/json").get_json() == taken(1)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_a_body_may_be_packed(pusher: Pusher, encoding: str) -> None:
    body = packed(encode(*LINES[:2])) + packed(encode(*LINES[2:]))
    assert pusher.push(body, Content_Encoding=encoding).get_json() == taken(3)


@pytest.mark.parametrize("body", [b"", b"\n\n", packed(b"")])
def test_nothing_is_taken_of_nothing(pusher: Pusher, body: bytes) -> None:
    encoding = {"Content_Encoding": "gzip"} if body.startswith(b"\x1f") else {}
    assert pusher.push(body, **encoding).get_json() == taken(0)


def test_bad_lines_are_refused_with_number_field_and_reason_and_the_rest_goes_in(pusher: Pusher) -> None:
    bad = run_line("c", status="Completed")
    answer = pusher.push(encode(LINES[0], b"", bad, b"nonsense", LINES[1]))
    assert answer.status_code == 200
    found = answer.get_json()
    assert (found["accepted"], found["unchanged"]) == (2, 0)
    assert [(refused["line"], refused["field"]) for refused in found["refused"]] == [(3, "status"), (4, "")]
    assert "must be one of" in found["refused"][0]["reason"]


def test_only_if_every_line_is_refused_is_the_request(pusher: Pusher) -> None:
    answer = pusher.push_lines(run_line("a", status="x"), run_line("b", id="x"))
    assert answer.status_code == 422
    found = answer.get_json()
    assert found["error"]["code"] == "VALIDATION_ERROR"
    assert [refused["line"] for refused in found["refused"]] == [1, 2]
    assert runs() == 0


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "status"),
    [
        (b"{", "application/json", "", 400),
        (b"[]", "application/json", "", 400),
        (b"7", "application/json", "", 400),
        (b"", "application/json", "", 400),
        (b'{"lines": 7}', "application/json", "", 400),
        (b'{"lines": [NaN]}', "application/json", "", 400),
        (b"[" * 200_000, "application/json", "", 400),
        (b"\xff\xfe", "application/json", "", 400),
        (b"plain", NDJSON, "gzip", 400),
        (packed(b"x" * 1000)[:-4], NDJSON, "gzip", 400),
        (packed(b"") * 2000, NDJSON, "gzip", 400),
        (b"a=b", "application/x-www-form-urlencoded", "", 415),
        (b"{}", "text/plain", "", 415),
        (b"{}", NDJSON, "br", 415),
        (b"{}", NDJSON, "gzip, gzip", 415),
        (b"\n" * MAX_LINES + b"{}", NDJSON, "", 413),
        (json.dumps({"lines": [{}] * (MAX_LINES + 1)}).encode(), "application/json", "", 413),
        (b" " * (MAX_BYTES + 1), NDJSON, "", 413),
        (packed(b" " * (MAX_BYTES + 1)), NDJSON, "gzip", 413),
        (packed(b"0" * 100_000_000), NDJSON, "gzip", 413),
    ],
)
def test_what_is_no_body_of_lines_is_refused_whole(
    pusher: Pusher, body: bytes, content_type: str, encoding: str, status: int
) -> None:
    answer = pusher.push(body, content_type, **({"Content_Encoding": encoding} if encoding else {}))
    assert answer.status_code == status


@pytest.mark.slow
def test_a_thousand_lines_and_four_mebibytes_are_taken(pusher: Pusher) -> None:
    fill = "x" * (MAX_BYTES - len(encode(workflow_line(note=""))))
    assert pusher.push(encode(workflow_line(note=fill))).get_json() == taken(1)
    many = [run_line(str(number)) for number in range(MAX_LINES)]
    assert pusher.push_lines(*many).get_json() == taken(MAX_LINES)


def test_other_routes_still_take_one_megabyte(pusher: Pusher) -> None:
    user = make_user()
    make_member(pusher.workspace, user)
    bearer = {"Authorization": f"Bearer {make_key(pusher.workspace, user, ('workflows:write',))}"}
    answer = pusher.app.test_client().post(
        "/api/v1/workflows", data=b" " * 1_000_001, headers=bearer, content_type="application/json"
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("token", ["", "x.y.z", "op_live_" + "0" * 32, "op_ing_" + "0" * 32])
def test_without_an_ingest_key_nothing_is_taken(pusher: Pusher, token: str) -> None:
    answer = pusher.app.test_client().post(
        "/api/v1/history", json=workflow_line(), headers={"Authorization": f"Bearer {token}"} if token else {}
    )
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_keys_of_other_kinds_and_of_other_workspaces_are_refused(pusher: Pusher) -> None:
    user = make_user()
    make_member(pusher.workspace, user)
    for other in (make_key(pusher.workspace, user), make_ingest_key(pusher.workspace, "ping")):
        assert Pusher(pusher.app, pusher.workspace, other).push_lines(workflow_line()).status_code == 401
    elsewhere = make_workspace("other")
    refused = pusher.push(encode(workflow_line()), X_Workspace_Id=str(elsewhere.id))
    assert refused.status_code == 403
    assert pusher.push(encode(workflow_line()), X_Workspace_Id=str(pusher.workspace.id)).status_code == 200


def test_a_run_made_here_and_one_of_another_workspace_are_left_alone(pusher: Pusher) -> None:
    ours = recorder.start_run(make_workflow(pusher.workspace).id, now=NOON)
    theirs = make_run(make_workflow(make_workspace("other")))
    answer = pusher.push_lines(
        *(
            run_line(id=str(run.id), workflow_id=str(run.workflow_id), status="failed")
            for run in (ours, theirs)
        )
    )
    assert answer.status_code == 422
    assert len(answer.get_json()["refused"]) == 2


def test_over_its_limit_a_key_has_to_wait(app: Flask) -> None:
    workspace = make_workspace()
    pusher = Pusher(app, workspace, make_ingest_key(workspace, rate_limit_per_min=1))
    assert pusher.push_lines(workflow_line()).status_code == 200
    answer = pusher.push_lines(workflow_line())
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_run_that_is_pushed_is_seen_through_the_api(pusher: Pusher) -> None:
    pusher.push_lines(*LINES)
    user = make_user()
    make_member(pusher.workspace, user)
    bearer = {"Authorization": f"Bearer {make_key(pusher.workspace, user)}"}
    path = f"/api/v1/workflows/{an_id('workflow')}/runs/{an_id('b')}"
    assert pusher.app.test_client().get(path, headers=bearer).get_json()["data"]["status"] == "failed"


def test_what_a_key_took_and_refused_is_recorded(pusher: Pusher) -> None:
    pusher.push_lines(*LINES)
    pusher.push_lines(LINES[1], run_line("x", status="x"))
    pusher.push_lines(run_line("y", status="y"))
    db.session.rollback()
    [hour] = db.session.scalars(sa.select(IngestHour)).all()
    assert (hour.accepted, hour.unchanged, hour.refused) == (3, 1, 2)
    refused = db.session.scalars(sa.select(IngestRefusal).order_by(IngestRefusal.line)).all()
    assert [(each.line, each.field) for each in refused] == [(1, "status"), (2, "status")]


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_other_methods_are_not_allowed(pusher: Pusher, method: str) -> None:
    ask: Callable[..., TestResponse] = getattr(pusher.app.test_client(), method)
    assert ask("/api/v1/history", headers={"Authorization": f"Bearer {pusher.key}"}).status_code == 405


def named_run(number: int = 7, **fields: Any) -> dict[str, Any]:
    """A run that its source names, as another system pushes it."""
    named = {"type": "run", "source": "github:acme/web", "external_id": str(number)}
    return named | {"workflow": {"name": "Tests"}, "status": "running"} | fields


def test_events_about_a_run_add_up_in_any_order(pusher: Pusher) -> None:
    begun, ended = "2026-03-01T12:00:00Z", "2026-03-01T12:05:00Z"
    events = [
        named_run(started_at=begun, at=begun),
        named_run(status="failed", completed_at=ended, at=ended, error="exit 1"),
        named_run(at=begun, title="Fix it", ref={"branch": "main"}),
    ]
    for event in (*reversed(events), events[0]):
        assert pusher.push_lines(event).status_code == 200
    db.session.rollback()
    [run] = db.session.scalars(sa.select(Run))
    assert (run.status, run.error) == ("failed", "exit 1")
    assert run.started_at is not None
    assert run.completed_at is not None


def test_a_key_with_a_source_writes_that_source_alone(app: Flask) -> None:
    workspace = make_workspace()
    own = Pusher(app, workspace, make_ingest_key(workspace, source="github:acme/"))
    every = Pusher(app, workspace, make_ingest_key(workspace))
    assert own.push_lines(named_run(1), named_run(2)).get_json() == taken(2)
    assert every.push_lines(named_run(3, source="gitlab:acme")).get_json() == taken(1)
    for foreign in ("gitlab:acme", "github:evil/web", "github:acme"):
        refused = own.push_lines(named_run(3, source=foreign, status="failed"))
        assert refused.status_code == 422
        assert refused.get_json()["refused"][0]["field"] == "source"
    assert own.push_lines(workflow_line()).status_code == 422
    db.session.rollback()
    assert set(db.session.scalars(sa.select(Run.status))) == {"running"}


def test_a_workflow_that_was_made_here_is_not_changed_by_what_is_pushed(pusher: Pusher) -> None:
    made = make_workflow(pusher.workspace, "Ours", definition=EMPTY_DEFINITION, current_version=1)
    evil = {"graph": {"nodes": [{"id": "a", "type": "sink_preview"}], "edges": []}}
    for line in (
        workflow_line(id=str(made.id), name="Theirs"),
        workflow_line(id=str(made.id), name="Ours", definition=evil),
        workflow_line(id=str(made.id), name="Ours", source="ci"),
    ):
        answer = pusher.push_lines(line)
        assert answer.status_code == 422
        assert answer.get_json()["refused"][0]["field"] == "id"
    db.session.rollback()
    kept = db.session.get_one(Workflow, made.id)
    assert (kept.name, kept.definition) == ("Ours", EMPTY_DEFINITION)


def test_a_workflow_of_one_source_is_not_changed_by_another(app: Flask) -> None:
    workspace = make_workspace()
    ours = Pusher(app, workspace, make_ingest_key(workspace, source="a:"))
    theirs = Pusher(app, workspace, make_ingest_key(workspace, source="b:"))
    line = {"type": "workflow", "source": "a:1", "external_id": "w", "name": "First"}
    assert ours.push_lines(line).get_json() == taken(1)
    assert ours.push_lines(line | {"name": "Second"}).get_json() == taken(1)
    db.session.rollback()
    workflow_id = str(db.session.scalars(sa.select(Workflow.id)).one())
    named = {"type": "workflow", "id": workflow_id, "name": "Third", "source": "b:1"}
    run = {"type": "run", "source": "b:1", "external_id": "1", "status": "failed", "workflow_id": workflow_id}
    for stolen in (line | {"name": "Third"}, named, run, upload_line(workflow_id=workflow_id)):
        assert theirs.push_lines(stolen).status_code == 422
    db.session.rollback()
    assert db.session.scalars(sa.select(Workflow.name)).all() == ["Second"]
    assert runs() == 0


def test_a_line_far_ahead_of_this_clock_is_refused(pusher: Pusher) -> None:
    answer = pusher.push_lines(named_run(at="2999-01-01T00:00:00Z"))
    assert answer.status_code == 422
    assert answer.get_json()["refused"][0]["field"] == "at"


def test_a_line_without_any_moment_is_of_now(pusher: Pusher) -> None:
    assert pusher.push_lines(named_run()).get_json() == taken(1)


def test_pushes_beyond_those_that_are_taken_at_once_are_told_to_come_again(pusher: Pusher) -> None:
    with ExitStack() as others:
        for _ in range(AT_ONCE):
            others.enter_context(turn())
        busy = pusher.push_lines(workflow_line())
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")
    assert pusher.push_lines(workflow_line()).status_code == 200


def test_requests_that_arrive_together_do_not_fail_each_other(pusher: Pusher) -> None:
    barrier = threading.Barrier(AT_ONCE)

    def push(number: int) -> int:
        barrier.wait()
        return pusher.push_lines(named_run(1), named_run(number + 2), named_run(9)).status_code

    with ThreadPoolExecutor(AT_ONCE) as threads:
        assert set(threads.map(push, range(AT_ONCE))) == {200}
    db.session.rollback()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Workflow)) == 1
    assert runs() == AT_ONCE + 2
    [hour] = db.session.scalars(sa.select(IngestHour))
    assert hour.accepted + hour.unchanged == 3 * AT_ONCE
