"""Executions in WfFormat."""

from typing import Any

from tests.history.sources.reading import faults, read_json


def a_document(**execution: Any) -> dict[str, Any]:
    task = {"id": "blast_1", "runtimeInSeconds": 37.5, "machines": ["n1"], "avgCPU": 90.8}
    return {
        "name": "blast",
        "schemaVersion": "1.5",
        "author": {"name": "ada", "email": "ada@example.com"},
        "workflow": {
            "specification": {"tasks": [{"id": "blast_1", "name": "blast", "parents": ["split_0"]}]},
            "execution": {
                "makespanInSeconds": 4243,
                "executedAt": "2023-03-29T10:02:36-10:00",
                "tasks": [task],
            }
            | execution,
        },
    }


def test_the_end_is_a_sum_and_the_status_is_that_of_all_such_files() -> None:
    [run] = read_json("wfformat", a_document())
    assert (run["started_at"], run["completed_at"]) == ("2023-03-29T20:02:36Z", "2023-03-29T21:13:19Z")
    assert run["completed_at_from"] == "executedAt + makespanInSeconds"
    assert (run["status"], run["status_from"]) == (
        "completed",
        "WfFormat holds executions that have ended, and no status",
    )


def test_a_date_that_begins_with_the_month_is_read_so_and_says_so() -> None:
    [run] = read_json("wfformat", a_document(executedAt="05-04-23T10:46:27+00:00"))
    assert (run["started_at"], run["started_at_from"]) == (
        "2023-05-04T10:46:27Z",
        "executedAt, read as MM-DD-YY",
    )


def test_a_task_without_a_start_keeps_how_long_it_ran() -> None:
    [step] = read_json("wfformat", a_document())[0]["steps"]
    assert (step["node_id"], step["duration_ms"], step["worker"]) == ("blast_1", 37_500, "n1")
    assert not {"started_at", "completed_at"} & step.keys()
    assert step["wfformat"] == {"avgCPU": 90.8, "parents": ["split_0"]}


def test_a_task_with_a_start_has_an_end() -> None:
    task = {"id": "blast_1", "runtimeInSeconds": 1.5, "executedAt": "2023-03-29T10:02:36Z"}
    [step] = read_json("wfformat", a_document(tasks=[task]))[0]["steps"]
    assert (step["completed_at"], "duration_ms" in step) == ("2023-03-29T10:02:37.5Z", False)


def test_the_address_of_the_author_is_left_out() -> None:
    [run] = read_json("wfformat", a_document())
    assert "ada@example.com" not in str(run)


def test_what_is_of_another_version_is_named() -> None:
    made = read_json(
        "wfformat",
        {"name": "x", "schemaVersion": "1.3", "workflow": {"tasks": []}},
        a_document(executedAt="13-45-23T10:46:27Z"),
    )
    assert faults(made) == [
        ("", "is no execution of WfFormat 1.5, with workflow.execution; its schemaVersion is 1.3."),
        ("line 2: workflow.execution.executedAt", "must be a date and time with its zone."),
    ]
