"""`POST /lineage`: events of OpenLineage, as clients send them."""

import gzip
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from portal.api.lineage import MAX_BYTES
from portal.database.engine import db
from portal.database.models import IngestHour, LineageEvent, LineageRun, Run, Step, Workflow
from portal.ingest.lineage import pruning
from portal.ingest.turns import AT_ONCE, turn
from portal.moments import now
from tests.factories import make_ingest_key, make_workspace
from tests.serving import served

RUN = "3f1f0f5e-7a0e-4a58-9a51-3a3f8f3f6b10"
START: dict[str, Any] = {
    "eventType": "START",
    "eventTime": "2026-03-01T12:00:00Z",
    "run": {"runId": RUN},
    "job": {"namespace": "etl", "name": "load"},
}
END = START | {"eventType": "COMPLETE", "eventTime": "2026-03-01T12:01:00Z"}


@pytest.fixture
def key(app: Flask) -> str:
    return make_ingest_key(make_workspace())


def send(app: Flask, key: str, body: bytes | dict[str, Any], **headers: str) -> TestResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Authorization": f"Bearer {key}"} | {
        name.replace("_", "-"): each for name, each in headers.items()
    }
    client = app.test_client()
    return client.post("/api/v1/lineage", data=raw, headers=sent, content_type="application/json")


def the_run() -> Run:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(sa.select(Run)).one()


def test_events_make_a_run_whatever_their_order_and_a_repeated_one_is_told(app: Flask, key: str) -> None:
    assert [send(app, key, event).status_code for event in (END, START, END)] == [201, 201, 200]
    run = the_run()
    assert (run.status, run.source_system) == ("completed", "openlineage:etl")
    assert run.started_at is not None
    assert db.session.scalar(sa.select(Workflow.name)) == "load"
    taken = db.session.execute(sa.select(IngestHour.accepted, IngestHour.unchanged)).one()
    assert tuple(taken) == (2, 1)


def test_a_gzip_body_is_unpacked_and_events_without_a_run_are_dropped(app: Flask, key: str) -> None:
    assert (
        send(app, key, gzip.compress(json.dumps(START).encode()), Content_Encoding="gzip").status_code == 201
    )
    about_a_job = {"eventTime": START["eventTime"], "job": START["job"], "schemaURL": "x#/$defs/JobEvent"}
    answer = send(app, key, about_a_job)
    assert (answer.status_code, answer.get_json()["taken"]) == (201, False)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(LineageEvent)) == 1


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{not json", 400, None),
        (b"[1]", 422, "event"),
        (START | {"run": {}}, 422, "run.runId"),
        (START | {"run": {"runId": "7"}}, 422, "run.runId"),
        (START | {"eventTime": None}, 422, "eventTime"),
        (START | {"eventTime": "2999-01-01T00:00:00Z"}, 422, "eventTime"),
        (START | {"job": {"name": "load"}}, 422, "job.namespace"),
        (b" " * (MAX_BYTES + 1), 413, None),
        (b'{"a": "' + b"x" * MAX_BYTES + b'"}', 413, None),
    ],
)
def test_what_is_no_event_is_refused_with_the_field(
    app: Flask, key: str, body: bytes | dict[str, Any], status: int, field: str | None
) -> None:
    answer = send(app, key, body)
    assert answer.status_code == status
    if field:
        assert field in answer.get_data(as_text=True)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(LineageEvent)) == 0


@pytest.mark.parametrize("odd", ["NaN", '"\\udc80"', "123456789012345678901234567890", "-Infinity"])
def test_what_pythons_encoder_writes_beside_json_is_read(app: Flask, key: str, odd: str) -> None:
    facet = f'{{"airflowDagRun": {{"dagRun": {{"dag_id": "d", "run_id": "r", "conf": {{"a": {odd}}}}}}}}}'
    raw = json.dumps(START).replace(f'{{"runId": "{RUN}"}}', f'{{"runId": "{RUN}", "facets": {facet}}}')
    assert send(app, key, raw.encode()).status_code == 201
    assert the_run().source_system == "airflow"


def test_a_body_that_unpacks_to_too_much_is_refused(app: Flask, key: str) -> None:
    bomb = gzip.compress(b" " * (MAX_BYTES + 1))
    assert send(app, key, bomb, Content_Encoding="gzip").status_code == 413


def test_without_a_key_nothing_is_taken_and_a_busy_portal_says_when_to_come_again(
    app: Flask, key: str
) -> None:
    assert send(app, "op_ing_" + "x" * 43, START).status_code == 401
    turns = [turn() for _ in range(AT_ONCE)]
    for each in turns:
        each.__enter__()
    try:
        answer = send(app, key, START)
    finally:
        for each in turns:
            each.__exit__(None, None, None)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.slow
def test_events_of_a_run_that_ended_a_day_ago_go_and_a_later_one_finds_the_run(app: Flask, key: str) -> None:
    for event in (START, END):
        send(app, key, event)
    assert pruning.prune(now()) == 0
    assert pruning.prune(now() + pruning.AFTER_END * 1.1) == 2
    assert db.session.scalar(sa.select(sa.func.count()).select_from(LineageRun)) == 1
    send(app, key, END | {"eventType": "FAIL", "eventTime": "2026-03-01T12:02:00Z"})
    assert the_run().status == "failed"


@pytest.mark.slow
def test_the_published_client_speaks_to_it_unchanged(sqlite_app: Flask, tmp_path: Path) -> None:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import Job, RunEvent, RunState
    from openlineage.client.event_v2 import Run as RunOfEvent
    from openlineage.client.facet_v2 import error_message_run, parent_run
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

    key = make_ingest_key(make_workspace())
    environment = {
        "PORTAL_SECRET_KEY": sqlite_app.config["SECRET_KEY"],
        "PORTAL_DATABASE_URL": sqlite_app.config["SQLALCHEMY_DATABASE_URI"],
    }
    task = "7d1f0f5e-7a0e-4a58-9a51-3a3f8f3f6b11"
    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(runId=RUN), job=parent_run.Job(namespace="etl", name="nightly")
    )
    failed = error_message_run.ErrorMessageRunFacet(message="disk full", programmingLanguage="Python")
    with served(environment, tmp_path) as url:
        config = HttpConfig(url=url, auth=ApiKeyTokenProvider({"apiKey": key}))
        client = OpenLineageClient(transport=HttpTransport(config))

        def emit(state: RunState, minute: int, run_id: str, name: str, facets: dict[str, Any]) -> None:
            time = f"2026-03-01T12:{minute:02}:00Z"
            run = RunOfEvent(runId=run_id, facets=facets)
            client.emit(
                RunEvent(eventTime=time, eventType=state, run=run, job=Job(namespace="etl", name=name))
            )

        emit(RunState.START, 0, RUN, "nightly", {})
        emit(RunState.START, 1, task, "nightly.load", {"parent": parent})
        emit(RunState.FAIL, 2, task, "nightly.load", {"parent": parent, "errorMessage": failed})
        emit(RunState.FAIL, 3, RUN, "nightly", {})
    run = the_run()
    assert run.status == "failed"
    step = db.session.scalars(sa.select(Step).where(Step.run_id == run.id)).one()
    assert (step.status, step.error) == ("failed", "disk full")
    assert UUID(RUN) == db.session.scalar(
        sa.select(LineageRun.root_id).where(LineageRun.run_id == UUID(task))
    )
