"""What real Prefect answered about flows that succeeded, failed, were skipped, retried and nested."""

import json
from typing import Any

import pytest

from tests.history.sources.reading import HERE, faults, read_files, read_json, read_text

FLOWS, RUNS, TASKS = (HERE / "prefect" / f"{name}.json" for name in ("flows", "flow_runs", "task_runs"))


def runs(*files: Any) -> dict[str, dict[str, Any]]:
    """Runs by the names of their flows, the last line of each."""
    return {line["workflow"]["name"]: line for line in read_files("prefect", *files) if line["type"] == "run"}


def test_the_name_of_a_state_says_more_than_its_type() -> None:
    found = runs(FLOWS, RUNS)
    skipped, slow = found["skips"], found["slow"]
    assert (skipped["status"], skipped["outcome"], skipped["source_status"]) == (
        "cancelled",
        "skipped",
        "Skipped",
    )
    assert (slow["status"], slow["outcome"], slow["error"]) == (
        "failed",
        "timed_out",
        "Flow run exceeded timeout of 0.5 second(s)",
    )


def test_a_flow_that_was_retried_is_one_run() -> None:
    """`run_count` counts tries within it; its time of running is less than from start to end."""
    run = runs(FLOWS, RUNS)["retried flow"]
    assert (run["status"], "attempt" in run) == ("completed", False)
    assert (run["prefect"]["run_count"], run["prefect"]["total_run_time"]) == (2, 0.202796)


def test_a_task_is_a_step_named_as_prefect_names_it() -> None:
    steps = [line for line in read_files("prefect", FLOWS, RUNS, TASKS) if line["type"] == "step"]
    assert {(step["node_id"], step["node_type"], step["status"], step.get("outcome")) for step in steps} == {
        ("langs-5d2", "langs", "completed", "succeeded"),
        ("flaky-eb6", "flaky", "completed", "succeeded"),
        ("speak-906", "speak", "completed", "succeeded"),
        ("speak-f79", "speak", "completed", "succeeded"),
        ("publish-0", "publish", "completed", "succeeded"),
        ("broken-25c", "broken", "failed", "failed"),
        ("after-3a2", "after", "failed", "upstream_failed"),
    }
    assert {step["workflow"]["name"] for step in steps} == {"nightly dub", "fails"}


def test_a_subflow_is_a_run_with_its_parent() -> None:
    found = runs(FLOWS, RUNS, TASKS)
    parent = found["nightly dub"]["external_id"]
    assert found["publish"]["parent"] == {"external_id": parent, "step": "publish-0"}
    assert found["publish"]["trigger"] == "upstream"
    assert "parent" not in found["nightly dub"]


def test_tasks_before_their_runs_are_refused_since_they_name_no_flow() -> None:
    made = read_text("prefect", TASKS.read_text())
    assert ("[0].flow_run_id", "is of a flow run that no file before has: name flow_runs first.") in faults(
        made
    )
    assert len(faults(made)) == 6  # the seventh stands for a subflow, and says of which flow it is


def test_without_the_names_of_flows_workflows_are_named_by_their_ids() -> None:
    named = {line["workflow"]["external_id"] for line in read_files("prefect", RUNS)}
    assert {line["workflow"]["name"] for line in read_files("prefect", RUNS)} == named


@pytest.mark.parametrize(
    ("kind", "name", "status", "outcome"),
    [
        ("SCHEDULED", "AwaitingRetry", "pending", None),
        ("SCHEDULED", "Late", "pending", None),
        ("CANCELLING", "Cancelling", "running", None),
        ("PAUSED", "Suspended", "paused", None),
        ("COMPLETED", "Cached", "completed", "cached"),
        ("COMPLETED", "Quite done", "completed", "succeeded"),
        ("CRASHED", "Crashed", "failed", "crashed"),
        ("CANCELLED", "Cancelled", "cancelled", "aborted"),
    ],
)
def test_each_state_has_its_own(kind: str, name: str, status: str, outcome: str | None) -> None:
    run = json.loads(RUNS.read_text())[0] | {"state_type": kind, "state_name": name}
    [line] = read_json("prefect", run)
    assert (line["status"], line.get("outcome"), line["source_status"]) == (status, outcome, name)


def test_a_run_of_a_schedule_says_when_it_was_due() -> None:
    run = json.loads(RUNS.read_text())[0] | {"auto_scheduled": True, "parent_task_run_id": None}
    [line] = read_json("prefect", run)
    assert (line["trigger"], line["scheduled_for"]) == ("schedule", run["expected_start_time"])


def test_what_cannot_be_mapped_is_named_with_its_place() -> None:
    alone = json.loads(TASKS.read_text())[0] | {"flow_run_id": None}
    made = read_json("prefect", [alone], {"detail": "Not Found"})
    assert faults(made) == [
        ("[0].flow_run_id", "is missing: a task that ran outside of a flow belongs to no run."),
        ("line 2: ", "is an error of Prefect: Not Found."),
    ]
