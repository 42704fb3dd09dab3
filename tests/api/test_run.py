"""Get Run, Run Status and Runs Summary (contract 3.2 to 3.4, 3.11)."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from portal.database.models import Workflow
from tests.api.conftest import Api
from tests.factories import NOON, make_detail, make_person, make_run, make_workflow

RUN_OBJECT = {
    "id", "workflow_id", "status", "run_number", "total_nodes", "total_steps", "finished_steps",
    "finished_nodes", "held_nodes", "token_cost", "usage_summary", "started_at", "completed_at",
    "pause_requested_at", "paused_at", "paused_ms", "pause_reason", "pause_error", "created_at", "updated_at",
    "error", "has_export", "credits", "triggered_by",
}  # fmt: skip
DETAIL = RUN_OBJECT | {"definition_snapshot", "credits_absorbed", "public_share_id", "shared_at"}

EVERY_ROUTE = ("", "/status", "/steps")


def read(api: Api, path: str) -> Any:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.get_json()["data"]


def test_a_run_shows_every_documented_field(api: Api, workflow: Workflow) -> None:
    person = make_person(api.workspace, "Grace Hopper")
    run = make_run(workflow, person, status="failed", error="boom", run_number=7, credits=3, started_at=NOON)
    make_detail(run, definition_snapshot={"graph": {"nodes": [{"id": "a"}]}, "odd": 1})
    path = f"/workflows/{workflow.id}/runs/{run.id}"
    detail, status = read(api, path), read(api, f"{path}/status")
    assert set(detail) == DETAIL
    assert set(status) == RUN_OBJECT
    assert detail["definition_snapshot"] == {"graph": {"nodes": [{"id": "a"}]}, "odd": 1}
    assert {name: detail[name] for name in RUN_OBJECT} == status
    assert (status["workflow_id"], status["run_number"], status["error"]) == (str(workflow.id), 7, "boom")
    assert status["triggered_by"] == {"user_id": str(person.user_id), "user_name": "Grace Hopper"}
    assert (status["token_cost"], status["has_export"], status["held_nodes"]) == (0, False, None)
    assert status["started_at"] == "2026-03-01T12:00:00Z"


def test_a_run_about_which_little_is_known_says_null(api: Api, workflow: Workflow) -> None:
    detail = read(api, f"/workflows/{workflow.id}/runs/{make_run(workflow).id}")
    for name in ("definition_snapshot", "started_at", "triggered_by", "credits", "error", "shared_at"):
        assert detail[name] is None
    assert detail["credits_absorbed"] == 0


@pytest.mark.parametrize("suffix", EVERY_ROUTE)
def test_garbled_ids_are_refused_before_any_look_up(api: Api, other_workflow: Workflow, suffix: str) -> None:
    answer = api.get(f"/workflows/x/runs/{{{uuid4()}}}{suffix}")
    assert answer.status_code == 422
    fields = [detail["field"] for detail in answer.get_json()["error"]["details"]]
    assert fields == ["workflow_id", "run_id"]
    assert api.get(f"/workflows/{other_workflow.id}/runs/x{suffix}").status_code == 422


@pytest.mark.parametrize("suffix", EVERY_ROUTE)
def test_absent_foreign_and_misplaced_runs_answer_alike(
    api: Api, workflow: Workflow, other_workflow: Workflow, suffix: str
) -> None:
    elsewhere = make_run(make_workflow(api.workspace, "Another"))
    foreign = make_run(other_workflow)
    answers = [api.get(f"/workflows/{workflow.id}/runs/{some}{suffix}") for some in (elsewhere.id, uuid4())]
    assert {answer.status_code for answer in answers} == {404}
    assert len({str(answer.get_json()["error"]) for answer in answers}) == 1
    theirs = api.get(f"/workflows/{other_workflow.id}/runs/{foreign.id}{suffix}")
    nowhere = api.get(f"/workflows/{uuid4()}/runs/{foreign.id}{suffix}")
    assert theirs.status_code == nowhere.status_code == 404
    assert theirs.get_json()["error"] == nowhere.get_json()["error"]


def test_a_summary_counts_rates_and_averages_a_window(api: Api, workflow: Workflow) -> None:
    def ended(minute: int, status: str, seconds: int, **columns: Any) -> None:
        at = NOON + timedelta(minutes=minute)
        columns = {"started_at": at, "completed_at": at + timedelta(seconds=seconds)} | columns
        make_run(workflow, status=status, created_at=at, **columns)

    ended(0, "completed", 30, delivered_audio_ms=1000)
    ended(1, "completed", 90, paused_ms=30_000, delivered_audio_ms=500)
    ended(2, "completed", 0, started_at=None)
    ended(3, "failed", 10, delivered_audio_ms=70)
    ended(4, "cancelled", 10, delivered_audio_ms=7)
    make_run(workflow, status="paused", created_at=NOON + timedelta(minutes=5))
    path = f"/workflows/{workflow.id}/runs/summary"
    assert read(api, path) == {
        "total_runs": 6,
        "pending": 0,
        "running": 0,
        "paused": 1,
        "completed": 3,
        "failed": 1,
        "cancelled": 1,
        "pass_rate": 0.75,
        "average_duration_seconds": 45.0,
        "delivered_audio_ms": 1500,
    }
    part = read(api, f"{path}?from=2026-03-01T12:01:00Z&to=2026-03-01T14:04:00%2B02:00")
    assert (part["total_runs"], part["delivered_audio_ms"]) == (4, 500)
    edges = read(api, f"{path}?from=2026-03-01T12:01:00Z&to=2026-03-01T14:03:00%2B02:00")
    assert (edges["total_runs"], edges["pass_rate"], edges["average_duration_seconds"]) == (3, 2 / 3, 60.0)
    none = read(api, f"{path}?from=2027-01-01T00:00:00Z")
    assert (none["total_runs"], none["pass_rate"], none["average_duration_seconds"]) == (0, None, None)


def test_a_summary_agrees_with_the_list(api: Api, workflow: Workflow) -> None:
    for status in ("completed", "failed", "failed", "cancelled", "pending", "running", "paused"):
        make_run(workflow, status=status)
    summary = read(api, f"/workflows/{workflow.id}/runs/summary")
    for status in ("completed", "failed", "cancelled", "pending", "running", "paused"):
        listed = api.get(f"/workflows/{workflow.id}/runs?status={status}").get_json()
        assert listed["pagination"]["total"] == summary[status]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("to=2026-03-01T12:00:00", "to"),
        ("from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "from"),
        ("from=2026-03-01T12:00:00+00:00", "from"),
    ],
)
def test_a_summary_refuses_a_bad_window(api: Api, other_workflow: Workflow, query: str, field: str) -> None:
    answer = api.get(f"/workflows/{other_workflow.id}/runs/summary?{query}")
    assert answer.status_code == 422
    assert [detail["field"] for detail in answer.get_json()["error"]["details"]] == [field]


def test_a_summary_of_a_foreign_workflow_is_not_found(api: Api, other_workflow: Workflow) -> None:
    assert api.get(f"/workflows/{other_workflow.id}/runs/summary").status_code == 404
