"""What real Dagster answered about runs with failures, retries, skipped steps and a re-execution."""

import json
from typing import Any

from portal.history.sources import dagster
from tests.history.sources.reading import HERE, faults, read_files, read_json

RUNS = HERE / "dagster" / "runs.json"


def runs() -> list[dict[str, Any]]:
    return read_files("dagster", RUNS)


def steps_of(run: dict[str, Any]) -> list[tuple[str, int, str, str | None]]:
    return [
        (step["node_id"], step["iteration"], step["status"], step.get("outcome"))
        for step in run.get("steps", [])
    ]


def test_times_are_seconds_with_a_fraction() -> None:
    last = runs()[-1]
    assert (last["created_at"], last["completed_at"]) == (
        "2026-11-28T20:08:17.380568Z",
        "2026-11-28T20:08:37.63512Z",
    )


def test_each_attempt_at_a_step_is_a_step_and_a_skipped_one_is_skipped() -> None:
    assert steps_of(runs()[-1]) == [
        ("choose", 1, "completed", "succeeded"),
        ("on_no", 1, "cancelled", "skipped"),
        ("flaky", 1, "failed", "failed"),
        ("flaky", 2, "completed", "succeeded"),
        ("on_yes", 1, "completed", "succeeded"),
        ("publish", 1, "completed", "succeeded"),
    ]


def test_a_re_execution_is_a_run_with_the_remaining_steps_that_names_its_parent() -> None:
    [again] = [run for run in runs() if "rerun_of" in run]
    original = "7f84c602-98ca-4823-b6cc-4fbc8b054f1a"
    assert again["rerun_of"] == {"external_id": original}
    assert again["dagster"]["rootRunId"] == original
    assert (again["trigger"], steps_of(again)) == ("retry", [("publish", 1, "failed", "failed")])


def test_tags_are_labels_and_say_what_began_a_run() -> None:
    scheduled = [run for run in runs() if run.get("trigger") == "schedule"]
    assert {run["trigger_name"] for run in scheduled} == {"sub_at_two"}
    assert runs()[-1]["labels"] == {"team": "voices"}


def test_a_job_is_known_by_its_place_in_the_code_where_the_answer_has_it() -> None:
    assert runs()[0]["workflow"] == {"name": "sub", "external_id": "defs.py/__repository__/sub"}
    assert runs()[-1]["workflow"] == {"name": "nightly_dub"}


def test_one_run_alone_and_a_page_of_them_are_read() -> None:
    run = {"runId": "1", "status": "QUEUED", "jobName": "sub"}
    for answer in ({"data": {"runOrError": run}}, {"data": {"runsOrError": {"results": [run]}}}, [run]):
        assert [line["external_id"] for line in read_json("dagster", answer)] == ["1"]


def test_what_cannot_be_mapped_is_named_with_its_place() -> None:
    run = {"runId": "1", "status": "ODD", "jobName": "sub"}
    made = read_json(
        "dagster",
        {"data": {"runsOrError": {"results": [run, run | {"status": "SUCCESS", "endTime": 1e15}]}}},
        {"errors": [{"message": "Cannot query field"}]},
    )
    assert faults(made) == [
        ("data.runsOrError.results[0].status", "is ODD, which this reader does not know."),
        ("data.runsOrError.results[1].endTime", "is outside the calendar."),
        ("line 2: ", "is an error of Dagster: [{'message': 'Cannot query field'}]."),
    ]


def test_the_query_asks_for_what_the_recording_has() -> None:
    asked = set(dagster.QUERY.replace("{", " ").replace("}", " ").split())
    answered = {name for run in _raw() for name in run}
    assert answered <= asked


def _raw() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(RUNS.read_text())["data"]["runsOrError"]["results"]
    return found
