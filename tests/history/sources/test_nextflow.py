"""Traces of Nextflow: durations in words, no zone, retries, and tasks that were cached."""

from typing import Any

import pytest

from portal.history.files.retrieve import Unreadable
from portal.history.sources.reading.values import worded_duration
from tests.history.sources.reading import faults, read_text

COLUMNS = ("task_id", "hash", "native_id", "name", "status", "exit", "submit", "duration", "realtime")


def trace(*rows: dict[str, str]) -> str:
    usual = {
        "task_id": "1",
        "hash": "5a/28a02c",
        "native_id": "1",
        "name": "QC (S1)",
        "status": "COMPLETED",
        "exit": "0",
        "submit": "2022-11-03 22:11:13.833",
        "duration": "9m 29s",
        "realtime": "33s",
    }
    columns = [*COLUMNS, *{name for row in rows for name in row} - set(COLUMNS)]
    lines = ["\t".join((usual | row).get(name, "-") for name in columns) for row in rows]
    return "\n".join(["\t".join(columns), *lines, ""])


def run_of(*rows: dict[str, str], **options: Any) -> dict[str, Any]:
    [line] = read_text("nextflow", trace(*rows), **options)
    assert isinstance(line, dict), str(line)
    return line


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("9m 29s", 569_000),
        ("34.9s", 34_900),
        ("120ms", 120),
        ("1h 2m 3s", 3_723_000),
        ("2d 3h", 183_600_000),
        ("0ms", 0),
        ("5250", 5250),
        ("-", None),
        ("soon", None),
        ("9m soon", None),
    ],
)
def test_durations_are_read_as_words_or_milliseconds(text: str, milliseconds: int | None) -> None:
    assert worded_duration(text) == milliseconds


def test_times_are_in_the_zone_of_the_command_which_the_run_says() -> None:
    run = run_of({}, zone="Europe/Berlin")
    assert (run["created_at"], run["assumed_zone"]) == ("2022-11-03T21:11:13.833Z", "Europe/Berlin")
    assert run_of({})["assumed_zone"] == "UTC"


def test_start_and_end_of_a_task_follow_from_its_durations_and_say_so() -> None:
    [step] = run_of({})["steps"]
    assert (step["completed_at"], step["completed_at_from"]) == (
        "2022-11-03T22:20:42.833Z",
        "submit + duration",
    )
    assert (step["started_at"], step["started_at_from"]) == (
        "2022-11-03T22:20:09.833Z",
        "complete - realtime",
    )


def test_columns_of_start_and_end_are_taken_as_they_are() -> None:
    raw = {"submit": "1667513473833", "start": "1667513475000", "complete": "1667513480000"}
    [step] = run_of(raw | {"duration": "6167", "realtime": "5000"})["steps"]
    assert (step["started_at"], step["completed_at"]) == ("2022-11-03T22:11:15Z", "2022-11-03T22:11:20Z")
    assert not {"started_at_from", "completed_at_from"} & step.keys()


def test_a_cached_task_adds_nothing_to_the_time_of_the_run() -> None:
    """Its times are those of the run that did the work: a day before."""
    cached = {"task_id": "2", "name": "INDEX", "status": "CACHED", "submit": "2022-11-02 22:11:13.833"}
    run = run_of({}, cached)
    assert run["created_at"] == "2022-11-03T22:11:13.833Z"
    step = run["steps"][1]
    assert (step["status"], step["outcome"]) == ("completed", "cached")
    assert not {"created_at", "started_at", "completed_at"} & step.keys()
    assert step["nextflow"]["submit"] == "2022-11-02 22:11:13.833"


def test_a_task_tried_again_is_a_later_attempt_and_the_run_has_succeeded() -> None:
    run = run_of({"status": "FAILED", "exit": "137", "hash": "a"}, {"hash": "b"})
    assert [(step["iteration"], step["status"], step["exit_code"]) for step in run["steps"]] == [
        (1, "failed", 137),
        (2, "completed", 0),
    ]
    assert run["status"] == "completed"


def test_a_run_that_gave_up_has_failed() -> None:
    aborted = {
        "task_id": "2",
        "name": "X",
        "status": "ABORTED",
        "exit": "-",
        "duration": "-",
        "realtime": "-",
    }
    run = run_of({"status": "FAILED"}, aborted)
    assert (run["status"], run["status_from"]) == ("failed", "tasks")
    step = run["steps"][1]
    assert (step["status"], step["outcome"]) == ("cancelled", "aborted")
    assert not {"exit_code", "completed_at", "started_at"} & step.keys()


def test_two_tasks_of_one_name_stay_two_steps() -> None:
    run = run_of({}, {"task_id": "2"})
    assert [step["node_id"] for step in run["steps"]] == ["QC (S1)", "QC (S1) #2"]


def test_a_longer_trace_of_the_same_run_is_the_same_run() -> None:
    one, two = run_of({}), run_of({}, {"task_id": "2", "submit": "2022-11-03 22:11:10.000"})
    assert one["external_id"] == two["external_id"] == "5a/28a02c@2022-11-03 22:11:13.833"
    resumed = run_of({"status": "CACHED"}, {"task_id": "2", "hash": "ff/1"})
    assert resumed["external_id"] != one["external_id"]


def test_the_workflow_is_named_by_the_command() -> None:
    assert run_of({})["workflow"] == {"name": "Nextflow"}
    assert run_of({}, workflow="rnaseq")["workflow"] == {"name": "rnaseq"}


def test_a_wrong_row_is_named_by_its_line_and_the_others_go_in() -> None:
    text = trace({}, {"status": "ODD"}, {"submit": "yesterday"}) + "1\t2\n"
    made = read_text("nextflow", text)
    assert faults(made) == [
        ("line 3 status", "is ODD, which this reader does not know."),
        ("line 4 submit", "must be a time such as 2022-11-03 22:11:13.833, or milliseconds since 1970."),
        ("line 5", "has 2 columns; the first line has 9."),
    ]
    assert len(made[-1]["steps"]) == 1


@pytest.mark.parametrize("text", ["", "\n", "a b c\n1 2 3\n"])
def test_what_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_text("nextflow", text)
