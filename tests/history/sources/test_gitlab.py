"""Pipelines and jobs of GitLab, by its API and by its events."""

from typing import Any

import pytest

from portal.history.sources.gitlab import event_lines
from tests.history.sources.reading import faults, read_json

HOME = "https://gitlab.com/acme/web"


def a_pipeline(**fields: Any) -> dict[str, Any]:
    return {
        "id": 47,
        "iid": 12,
        "project_id": 1,
        "status": "success",
        "source": "push",
        "ref": "main",
        "sha": "c0ffee",
        "web_url": f"{HOME}/-/pipelines/47",
        "created_at": "2026-03-01T12:00:00.100Z",
        "updated_at": "2026-03-01T12:05:00.100Z",
    } | fields


def a_job(**fields: Any) -> dict[str, Any]:
    return {
        "id": 8,
        "name": "rspec",
        "stage": "test",
        "status": "success",
        "pipeline": {"id": 47, "project_id": 1},
        "web_url": f"{HOME}/-/jobs/8",
        "created_at": "2026-03-01T12:00:00Z",
        "started_at": "2026-03-01T12:00:10Z",
        "finished_at": "2026-03-01T12:01:10Z",
        "allow_failure": False,
    } | fields


def an_event(**fields: Any) -> dict[str, Any]:
    return {
        "object_kind": "pipeline",
        "object_attributes": {
            "id": 31,
            "iid": 3,
            "ref": "v1",
            "tag": True,
            "sha": "bcbb5ec",
            "status": "success",
            "source": "api",
            "created_at": "2016-08-12 15:23:28 UTC",
            "finished_at": "2016-08-12 15:26:29 UTC",
        },
        "project": {"path_with_namespace": "acme/web", "web_url": HOME},
        "builds": [],
    } | fields


def test_times_of_events_are_read_as_those_of_the_api() -> None:
    [line] = event_lines(an_event())
    assert (line["created_at"], line["completed_at"]) == ("2016-08-12T15:23:28Z", "2016-08-12T15:26:29Z")
    assert line["ref"] == {"tag": "v1", "commit": "bcbb5ec", "pull_request": None, "url": None}


def test_the_number_is_that_within_the_project_and_the_id_the_global_one() -> None:
    [line] = read_json("gitlab", a_pipeline())
    assert (line["external_id"], line["run_number"], line["source"]) == ("47", 12, "gitlab:acme/web")
    assert not {"started_at", "completed_at", "triggered_by"} & line.keys()  # lists do not say


@pytest.mark.parametrize(
    "address",
    [f"{HOME}/-/pipelines/47", f"{HOME}/pipelines/47", "https://git.example.com/a/b/c/-/pipelines/1"],
)
def test_the_project_is_that_of_the_address(address: str) -> None:
    [line] = read_json("gitlab", a_pipeline(web_url=address))
    assert line["workflow"]["name"] in ("acme/web", "a/b/c")
    assert line["source"] == f"gitlab:{line['workflow']['name']}"


@pytest.mark.parametrize(
    ("word", "status", "outcome"),
    [
        ("created", "pending", None),
        ("waiting_for_resource", "pending", None),
        ("scheduled", "pending", None),
        ("manual", "paused", None),
        ("canceling", "running", None),
        ("skipped", "cancelled", "skipped"),
        ("canceled", "cancelled", "aborted"),
        ("failed", "failed", "failed"),
    ],
)
def test_each_status_of_a_pipeline_has_its_own(word: str, status: str, outcome: str | None) -> None:
    [line] = read_json("gitlab", a_pipeline(status=word))
    assert (line["status"], line.get("outcome"), line["source_status"]) == (status, outcome, word)


def test_a_pipeline_that_passed_with_warnings_says_so() -> None:
    said = {"detailed_status": {"group": "success-with-warnings", "text": "passed with warnings"}}
    [line] = read_json("gitlab", a_pipeline(**said))
    assert (line["status"], line["outcome"]) == ("completed", "succeeded_with_warnings")


def test_a_retried_job_is_a_later_attempt_at_the_same_step() -> None:
    """It is a job with an id of its own; lists have the newest first."""
    lines = read_json("gitlab", [a_job(id=10), a_job(id=9, name="lint"), a_job(id=8, status="failed")])
    assert [(line["node_id"], line["iteration"], line["status"]) for line in lines] == [
        ("rspec", 2, "completed"),
        ("lint", 1, "completed"),
        ("rspec", 1, "failed"),
    ]


def test_a_job_event_says_how_often_its_job_was_retried() -> None:
    event = {
        "object_kind": "build",
        "build_id": 9,
        "build_name": "rspec",
        "build_stage": "test",
        "build_status": "failed",
        "build_failure_reason": "job_execution_timeout",
        "build_created_at": "2023-01-10 13:50:02 UTC",
        "retries_count": 1,
        "pipeline_id": 47,
        "repository": {"homepage": HOME},
    }
    [line] = event_lines(event)
    assert (line["external_id"], line["iteration"], line["outcome"]) == ("47", 2, "timed_out")
    assert (line["error"], line["path"], line["url"]) == (
        "job_execution_timeout",
        ["test"],
        f"{HOME}/-/jobs/9",
    )


def test_a_manual_job_waits_and_its_pipeline_is_paused() -> None:
    [job] = read_json("gitlab", a_job(status="manual", started_at=None, finished_at=None))
    [pipeline] = read_json("gitlab", a_pipeline(status="manual"))
    assert (job["status"], pipeline["status"]) == ("pending", "paused")
    assert pipeline["waiting_for"] == "a manual job"


def test_the_pipeline_that_started_another_is_its_parent() -> None:
    upstream = {"pipeline_id": 30, "job_id": 3401, "project": {"path_with_namespace": "acme/api"}}
    [line] = event_lines(an_event(source_pipeline=upstream))
    assert line["parent"] == {"external_id": "30", "source": "gitlab:acme/api"}
    _, child = read_json(
        "gitlab",
        a_job(name="deploy", downstream_pipeline=a_pipeline(id=48, web_url=f"{HOME}/-/pipelines/48")),
    )
    assert (child["external_id"], child["parent"]["external_id"], child["parent"]["step"]) == (
        "48",
        "47",
        "deploy",
    )


def test_access_tokens_are_bots_and_hidden_addresses_are_none() -> None:
    user = {"id": 5, "name": "Deploy", "username": "project_1_bot_f00", "email": "[REDACTED]"}
    [line] = read_json("gitlab", a_pipeline(user=user))
    assert line["triggered_by"] == {"id": "gitlab:5", "name": "Deploy", "kind": "bot"}


def test_what_cannot_be_mapped_is_named_with_its_place() -> None:
    made = read_json(
        "gitlab", [a_pipeline(status="odd"), a_pipeline(web_url=None)], {"message": "404 Not Found"}
    )
    assert faults(made) == [
        ("[0].status", "is odd, which this reader does not know."),
        ("[1].web_url", "is missing, and so is what else would name the project."),
        ("line 2: ", "is an error of GitLab: 404 Not Found."),
    ]


def test_events_of_other_kinds_make_no_lines() -> None:
    assert event_lines({"object_kind": "push", "project": {"path_with_namespace": "a/b"}}) == []
