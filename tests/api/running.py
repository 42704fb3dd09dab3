"""What tests of runs over the API share: starting, steering and reading them."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from portal import moments
from portal.config import init_app, settings_of
from portal.database.engine import db
from portal.database.models import CreditEntry, Workflow, Workspace
from portal.engine.contract import (
    Context,
    Refused,
    StepInput,
    StepOutput,
    Verdict,
)
from portal.engine.execution.claims import claim_step
from portal.engine.flow import StepKey
from tests.api.conftest import Api
from tests.definitions.graphs import (
    GENERATOR,
    SCRIPT,
    SINK,
    Json,
    edge,
    graph,
    node,
    smallest,
)
from tests.engine.fabric import SETTINGS, Bench, Job
from tests.factories import make_workflow

PRICES = f'{{"{GENERATOR}": {{"per_1000_characters": "1.5"}}}}'
STEERING = ("cancel", "pause", "resume")
LEASE = float(SETTINGS.lease)


def flow(api: Api, definition: Json | None = None, name: str = "Dub") -> Workflow:
    return make_workflow(api.workspace, name, definition=definition or smallest())


def ask_to_start(api: Api, workflow: Workflow | UUID | str, **options: Any) -> TestResponse:
    workflow_id = workflow.id if isinstance(workflow, Workflow) else workflow
    return api.request("POST", f"/workflows/{workflow_id}/runs", **options)


def start(api: Api, workflow: Workflow, **body: object) -> Json:
    answer = ask_to_start(api, workflow, **({"json": body} if body else {}))
    assert answer.status_code == 202, answer.text
    return found_in(answer)


def steer(api: Api, run: Json, event: str, **options: Any) -> TestResponse:
    return api.request("POST", f"/workflows/{run['workflow_id']}/runs/{run['id']}/{event}", **options)


def steered(api: Api, run: Json, event: str) -> Json:
    answer = steer(api, run, event)
    assert answer.status_code == 200, answer.text
    return found_in(answer)


def read(api: Api, run: Json, rest: str = "/status") -> Any:
    answer = api.get(f"/workflows/{run['workflow_id']}/runs/{run['id']}{rest}")
    assert answer.status_code == 200, answer.text
    return found_in(answer)


def found_in(answer: TestResponse) -> Any:
    return answer.get_json()["data"]


def refusal(answer: TestResponse, status: int) -> str:
    assert answer.status_code == status, answer.text
    message: str = answer.get_json()["error"]["message"]
    return message


def set_engine(app: Flask, **values: object) -> None:
    settings = settings_of(app)
    init_app(app, replace(settings, engine=replace(settings.engine, **values)))


def claim(run: Json, node_id: str = SCRIPT) -> None:
    """Give a step to a worker that does not finish it."""
    worker = Bench().worker_id
    assert claim_step(worker, UUID(run["id"]), StepKey(node_id, 1), moments.now(), LEASE) is not None


def refuse_the_step(_step: StepInput, _context: Context) -> StepOutput:
    raise Refused("The voice is hoarse.")


def pass_all(step: StepInput, _context: Context) -> StepOutput:
    return StepOutput(verdicts=[Verdict(passed=True, score=99.0) for _ in step.items])


def fail_all(step: StepInput, _context: Context) -> StepOutput:
    return StepOutput(verdicts=[Verdict(passed=False, score=12.0) for _ in step.items])


def charged() -> list[int]:
    db.session.rollback()
    charges = sa.select(CreditEntry.amount).where(CreditEntry.run_id.is_not(None))
    return list(db.session.scalars(charges))


def balance(api: Api) -> int:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Workspace, api.workspace.id).credit_balance or 0


def change(statement: str) -> None:
    with db.engine.connect().execution_options(portal_writes=True) as connection, connection.begin():
        connection.exec_driver_sql(statement)


def two_scripts() -> Json:
    nodes = [node(SCRIPT, "a", text="Hello"), node(SCRIPT, "b", text="Bye"), node(GENERATOR), node(SINK)]
    return graph(nodes, [edge("a", GENERATOR), edge("b", GENERATOR), edge(GENERATOR, SINK)])


def to_state(api: Api, state: str) -> Json:
    """A run of a workflow of its own in this state; pausing is a running run that is asked to pause."""
    run = start(api, flow(api))
    if state in ("running", "pausing"):
        claim(run)
    if state in ("paused", "pausing"):
        steered(api, run, "pause")
    if state in ("completed", "failed"):
        jobs: dict[str, Job] = {GENERATOR: refuse_the_step} if state == "failed" else {}
        Bench(jobs).finish(UUID(run["id"]))
    if state == "cancelled":
        steered(api, run, "cancel")
    found: Json = read(api, run)
    wanted = {"pausing": "running"}.get(state, state)
    assert (found["status"], found["pause_requested_at"] is not None) == (
        wanted,
        state in ("pausing", "paused"),
    )
    return found
