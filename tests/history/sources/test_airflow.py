"""Runs and tries of Airflow."""

from typing import Any

import pytest

from tests.history.sources.reading import faults, read_json, read_text

RUN_ID = "manual__2026-11-27T23:11:48.673435+00:00"


def a_run(**fields: Any) -> dict[str, Any]:
    return {
        "dag_id": "nightly_dub",
        "dag_run_id": RUN_ID,
        "logical_date": None,
        "queued_at": "2026-11-27T23:11:48Z",
        "start_date": "2026-11-27T23:11:49Z",
        "end_date": "2026-11-27T23:12:25Z",
        "run_type": "manual",
        "state": "success",
    } | fields


def a_task(**fields: Any) -> dict[str, Any]:
    return {
        "task_id": "speak",
        "dag_id": "nightly_dub",
        "dag_run_id": RUN_ID,
        "map_index": -1,
        "state": "success",
        "try_number": 1,
        "start_date": "2026-11-27T23:11:50Z",
        "end_date": "2026-11-27T23:12:13Z",
    } | fields


def test_an_id_is_that_of_the_dag_and_the_run_as_they_are() -> None:
    [line] = read_json("airflow", a_run())
    assert line["external_id"] == f"nightly_dub/{RUN_ID}"
    assert line["source"] == "airflow"
    assert read_json("airflow", a_run(), source="airflow:prod")[0]["source"] == "airflow:prod"


def test_an_id_too_long_for_a_line_stays_unique() -> None:
    lines = read_json("airflow", a_run(dag_run_id="x" * 250 + "1"), a_run(dag_run_id="x" * 250 + "2"))
    assert [len(line["external_id"]) for line in lines] == [255, 255]
    assert lines[0]["external_id"] != lines[1]["external_id"]


def test_a_manual_run_was_scheduled_for_no_moment() -> None:
    [manual, nightly] = read_json(
        "airflow",
        a_run(),
        a_run(run_type="scheduled", triggered_by="timetable", logical_date="2026-11-27T00:00:00Z"),
    )
    assert "scheduled_for" not in manual
    assert (nightly["scheduled_for"], nightly["trigger"]) == ("2026-11-27T00:00:00Z", "schedule")


def test_nobody_is_no_person() -> None:
    [line] = read_json("airflow", a_run(triggered_by="rest_api", triggering_user_name="Anonymous"))
    assert (line["trigger"], "triggered_by" in line) == ("api", False)
    assert line["airflow"]["triggering_user_name"] == "Anonymous"
    [line] = read_json("airflow", a_run(triggered_by="ui", triggering_user_name="ada"))
    assert line["triggered_by"] == {"id": "airflow:ada", "name": "ada", "kind": "person"}


def test_warnings_before_the_json_are_passed_over() -> None:
    """`airflow dags list-runs -o json` writes them to standard output too."""
    text = (
        "/usr/lib/python3/site.py:12: DeprecationWarning: [sqlalchemy] is {old\n"
        "[2026-11-27T23:11:48.123+0000] {dagbag.py:588} INFO - Filling up the DagBag\n"
        '[{"dag_id": "a", "run_id": "manual__1", "state": "running",'
        ' "run_after": "2026-11-27T23:11:48+00:00", "logical_date": "",'
        ' "start_date": "2026-11-27T23:11:49.5+00:00", "end_date": ""}]\n'
    )
    [line] = read_text("airflow", text)
    assert (line["external_id"], line["status"]) == ("a/manual__1", "running")
    assert (line["created_at"], line["created_at_from"]) == ("2026-11-27T23:11:48Z", "run_after")
    assert "completed_at" not in line


def test_mapped_tasks_are_told_apart_by_their_index() -> None:
    lines = read_json("airflow", a_task(map_index=0), a_task(map_index=1), a_task(task_id="langs"))
    assert [(line["node_id"], line.get("map_index")) for line in lines] == [
        ("speak", 0),
        ("speak", 1),
        ("langs", None),
    ]


def test_each_try_is_an_attempt_at_its_step() -> None:
    answer = {"task_instances": [a_task(state="failed"), a_task(try_number=2)], "total_entries": 2}
    assert [(line["iteration"], line["status"]) for line in read_json("airflow", answer)] == [
        (1, "failed"),
        (2, "completed"),
    ]


@pytest.mark.parametrize(
    ("state", "status", "outcome"),
    [
        (None, "pending", None),
        ("scheduled", "pending", None),
        ("queued", "pending", None),
        ("running", "running", None),
        ("deferred", "paused", None),
        ("up_for_reschedule", "paused", None),
        ("up_for_retry", "failed", "failed"),
        ("upstream_failed", "failed", "upstream_failed"),
        ("skipped", "cancelled", "skipped"),
        ("removed", "cancelled", "stale"),
    ],
)
def test_each_state_of_a_task_has_its_own(state: str | None, status: str, outcome: str | None) -> None:
    [line] = read_json("airflow", a_task(state=state))
    assert (line["status"], line.get("outcome")) == (status, outcome)
    assert line["source_status"] == (state or "none")


def test_what_cannot_be_mapped_is_named_with_its_place() -> None:
    made = read_json("airflow", {"dag_runs": [a_run(state="odd")]}, {"detail": "Unauthorized"})
    assert faults(made) == [
        ("dag_runs[0].state", "is odd, which this reader does not know."),
        ("line 2: ", "is an error of Airflow: Unauthorized."),
    ]
