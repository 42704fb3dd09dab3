"""`x_portal`: what history says beyond the contract's fields."""

import json
from typing import Any
from uuid import UUID

from portal.database.models import RunDetail
from portal.database.transactions import writing
from portal.history import identity
from portal.history.importer import import_lines
from tests.api.conftest import Api
from tests.factories import NOON, make_workspace
from tests.history.lines import WORKFLOW, run_line, workflow_line

CI = {"source": "ci", "url": "https://ci.example/w", "path": "a/w.yml"}
ROW = {
    "outcome": "timed_out",
    "title": "Redesign",
    "labels": {"team": "web", "suite": 26365060973, "wide": True},
    "trigger": "event",
    "attempt": 2,
    "duration_ms": 1500,
    "url": "https://ci.example/1",
}
REST = {
    "source": "ci",
    "external_id": "1",
    "trigger_name": "push",
    "log_url": "https://ci.example/1/log",
    "ref": {"branch": "main", "commit": "9f2b1c7e"},
    "parameters": {"target": "staging", "dry_run": False},
    "environment": "staging",
    "source_status": "cancelled",
    "waiting_for": "a machine",
    "scheduled_for": "2026-03-01T11:00:00Z",
    "last_heard_at": "2026-03-01T12:00:10Z",
    "expires_after": 60,
    "artifacts": [{"name": "report", "url": "https://ci.example/1/report", "size_bytes": 7}],
}
STEP = {
    "outcome": "upstream_failed",
    "source_status": "skipped",
    "url": "https://ci.example/s",
    "log_url": "https://ci.example/s/log",
    "exit_code": -9,
    "worker": "host 1",
    "map_index": 0,
    "duration_ms": 0,
    "allowed_to_fail": False,
    "parent_node_id": "a",
    "path": ["build", "compile"],
}


def have(api: Api, *lines: dict[str, Any]) -> None:
    summary = import_lines(api.workspace.id, [json.dumps(line).encode() for line in lines], now=NOON)
    assert summary.ok, summary.to_text()


def path_of(api: Api, external_id: str, attempt: int = 1) -> str:
    return f"/workflows/{WORKFLOW}/runs/{identity.run_id(api.workspace.id, 'ci', external_id, attempt)}"


def named(external_id: str, **fields: Any) -> dict[str, Any]:
    return run_line(external_id, source="ci", external_id=external_id, **fields)


def test_a_run_a_step_and_a_workflow_say_all_that_history_says(api: Api) -> None:
    person = {"name": "dependabot", "kind": "bot"}
    step = {"node_id": "b", "status": "cancelled", "last_command": "x"} | STEP
    have(
        api,
        workflow_line(**CI),
        run_line(**ROW | REST, status="failed", triggered_by=person, steps=[step, {**step, "path": []}]),
    )
    path = path_of(api, "1", 2)
    [row] = api.get(f"/workflows/{WORKFLOW}/runs").get_json()["data"]
    assert row["x_portal"] == ROW
    facts = api.get(path).get_json()["data"]["x_portal"]
    rerun_of = {"id": str(identity.run_id(api.workspace.id, "ci", "1", 1))}
    assert facts == ROW | REST | {"triggered_by_kind": "bot", "rerun_of": rerun_of}
    [first, second] = api.get(f"{path}/steps").get_json()["data"]
    assert first["x_portal"] == STEP
    assert "path" not in second["x_portal"]
    for workflow in (
        api.get("/workflows").get_json()["data"][0],
        api.get(f"/workflows/{WORKFLOW}").get_json()["data"],
    ):
        assert workflow["x_portal"] == CI


def test_what_says_nothing_has_no_such_object(api: Api) -> None:
    have(api, workflow_line(), run_line(steps=[{"node_id": "a", "status": "completed"}]))
    path = f"/workflows/{WORKFLOW}/runs"
    run_id = api.get(path).get_json()["data"][0]["id"]
    answers = [
        api.get("/workflows"),
        api.get(path),
        api.get(f"{path}/{run_id}"),
        api.get(f"{path}/{run_id}/steps"),
    ]
    assert "x_portal" not in "".join(answer.text for answer in answers)


def test_values_of_other_kinds_from_earlier_releases_are_left_out(api: Api) -> None:
    have(api, workflow_line(), run_line())
    path = f"/workflows/{WORKFLOW}/runs"
    run_id = api.get(path).get_json()["data"][0]["id"]
    bad: dict[str, Any] = {name: [1] for name in ("attempt", "title", "labels", "ref", "artifacts", "parent")}
    bad |= {"url": "javascript:alert(1)", "duration_ms": "long", "scheduled_for": "soon", "log_url": 7}
    with writing() as session:
        session.add(RunDetail(run_id=UUID(run_id), source=bad))
    assert "x_portal" not in api.get(f"{path}/{run_id}").get_json()["data"]
    assert set(api.get(path).get_json()["data"][0].get("x_portal", {})) <= {"title"}


def test_runs_that_belong_together_name_each_other(api: Api) -> None:
    have(
        api,
        workflow_line(),
        named("1", run_number=1),
        named("1", attempt=2, run_number=2, outcome="skipped", status="cancelled"),
        named("2", run_number=3, parent={"external_id": "1", "step": "deploy"}),
        named("3", run_number=4, parent={"external_id": "1"}, rerun_of={"external_id": "2"}),
        named("4", run_number=5, parent={"source": "airflow", "external_id": "x"}),
    )
    first = api.get(path_of(api, "1")).get_json()["data"]
    assert [run["run_number"] for run in first["x_portal"]["children"]["runs"]] == [3, 4]
    assert first["x_portal"]["children"]["total"] == 2
    [again] = first["x_portal"]["reruns"]["runs"]
    assert (again["attempt"], again["status"], again["outcome"]) == (2, "cancelled", "skipped")
    parent = api.get(path_of(api, "2")).get_json()["data"]["x_portal"]["parent"]
    assert (parent["id"], parent["step"], parent["workflow_id"]) == (first["id"], "deploy", WORKFLOW)
    third = api.get(path_of(api, "3")).get_json()["data"]["x_portal"]
    assert third["rerun_of"]["run_number"] == 3
    absent = api.get(path_of(api, "4")).get_json()["data"]["x_portal"]["parent"]
    assert absent == {
        "id": str(identity.run_id(api.workspace.id, "airflow", "x")),
        "source": "airflow",
        "external_id": "x",
    }


def test_runs_of_other_workspaces_are_not_among_them(api: Api) -> None:
    have(api, workflow_line(), named("1"))
    ours = api.get(path_of(api, "1")).get_json()["data"]["id"]
    theirs = {"type": "workflow", "id": str(identity.workflow_id(api.workspace.id, "x", "y")), "name": "x"}
    line = run_line("theirs", workflow_id=theirs["id"], parent={"id": ours}, rerun_of={"id": ours})
    other = make_workspace("other", "Other")
    assert import_lines(other.id, [json.dumps(each).encode() for each in (theirs, line)], now=NOON).ok
    facts = api.get(path_of(api, "1")).get_json()["data"]["x_portal"]
    assert not {"children", "reruns"} & facts.keys()
