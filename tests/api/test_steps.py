"""Get Run Steps (contract 3.6)."""

from datetime import timedelta
from typing import Any

import pytest

from portal.database.models import Run, StepResult, Workflow
from portal.database.transactions import writing
from tests.api.conftest import Api
from tests.factories import NOON, make_run, make_steps

FIELDS = {
    "id", "node_id", "node_type", "node_display_name", "status", "iteration", "started_at", "completed_at",
    "result", "has_result", "active_ports", "locales", "pause_reason", "pause_error", "error",
}  # fmt: skip


@pytest.fixture
def run(workflow: Workflow) -> Run:
    """Two tries of a validator before a generator that has a result."""
    run = make_run(workflow)
    make_steps(
        run,
        {"node_id": "v", "node_type": "validator_noise", "status": "failed", "error": "too loud"},
        {"node_id": "v", "node_type": "validator_noise", "iteration": 2, "started_at": NOON},
        {"node_id": "g", "name": "Speak", "started_at": NOON, "completed_at": NOON + timedelta(seconds=1)},
    )
    with writing() as session:
        session.add(
            StepResult(
                run_id=run.id,
                position=2,
                active_ports=["out"],
                locales=["de-DE"],
                pause_reason="user",
                pause_error="asked",
                result={"takes": 3},
            )
        )
    return run


def steps(api: Api, run: Run, query: str = "") -> list[dict[str, Any]]:
    answer = api.get(f"/workflows/{run.workflow_id}/runs/{run.id}/steps?{query}")
    assert answer.status_code == 200, answer.text
    assert "pagination" not in answer.get_json()
    return answer.get_json()["data"]


def test_steps_come_in_the_order_of_execution_with_every_field(api: Api, run: Run) -> None:
    rows = steps(api, run)
    assert [(row["node_id"], row["iteration"]) for row in rows] == [("v", 1), ("v", 2), ("g", 1)]
    assert all(set(row) == FIELDS for row in rows)
    assert len({row["id"] for row in rows}) == 3
    assert [row["id"] for row in steps(api, run)] == [row["id"] for row in rows]
    first, second, last = rows
    assert (first["error"], first["started_at"], first["has_result"]) == ("too loud", None, False)
    assert (second["started_at"], second["completed_at"]) == ("2026-03-01T12:00:00Z", None)
    assert (last["node_display_name"], last["active_ports"], last["locales"]) == ("Speak", ["out"], ["de-DE"])
    assert (last["pause_reason"], last["pause_error"]) == ("user", "asked")


def test_results_are_left_out_unless_asked_for(api: Api, run: Run) -> None:
    assert [(row["has_result"], row["result"]) for row in steps(api, run)][-1] == (True, None)
    for yes in ("true", "1"):
        results = [row["result"] for row in steps(api, run, f"include_result={yes}")]
        assert results == [None, None, {"takes": 3}]
    assert steps(api, run, "include_result=0")[-1]["result"] is None


@pytest.mark.slow
def test_filters_combine(api: Api, run: Run) -> None:
    assert len(steps(api, run, "node_type=validator_noise")) == 2
    assert len(steps(api, run, "node_id=g")) == 1
    assert steps(api, run, "node_id=g&node_type=validator_noise") == []
    assert steps(api, run, "node_id=") == []


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("include_result=yes", ["include_result"]),
        ("node_type=sink", ["node_type"]),
        ("node_type=", ["node_type"]),
        ("node_id=%00&include_result=", ["include_result", "node_id"]),
    ],
)
def test_bad_parameters_are_refused_all_at_once(api: Api, run: Run, query: str, fields: list[str]) -> None:
    answer = api.get(f"/workflows/{run.workflow_id}/runs/{run.id}/steps?{query}")
    assert answer.status_code == 422
    assert [detail["field"] for detail in answer.get_json()["error"]["details"]] == fields


def test_a_run_without_steps_has_an_empty_list(api: Api, workflow: Workflow) -> None:
    assert steps(api, make_run(workflow)) == []
