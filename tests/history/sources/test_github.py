"""Runs and jobs of GitHub Actions, and what their answers leave out."""

import json
from typing import Any

import pytest

from portal.history.parsing.readers import BadField
from portal.history.sources.github import event_lines
from tests.history.sources.reading import faults, read_json, read_text

REPOSITORY = {"full_name": "acme/web", "html_url": "https://github.com/acme/web"}


def a_run(**fields: Any) -> dict[str, Any]:
    return {
        "id": 3770390952,
        "name": "CI",
        "path": ".github/workflows/ci.yml",
        "display_title": "Nightly build",
        "run_number": 12,
        "run_attempt": 1,
        "event": "push",
        "status": "completed",
        "conclusion": "success",
        "created_at": "2026-03-01T12:00:00Z",
        "run_started_at": "2026-03-01T12:00:02Z",
        "updated_at": "2026-03-01T12:05:00Z",
        "head_branch": "main",
        "head_sha": "c0ffee",
        "html_url": "https://github.com/acme/web/actions/runs/3770390952",
        "actor": {"login": "ada", "id": 7, "type": "User"},
        "repository": REPOSITORY,
    } | fields


def a_job(**fields: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "run_id": 3770390952,
        "run_url": "https://api.github.com/repos/acme/web/actions/runs/3770390952",
        "run_attempt": 1,
        "workflow_name": "CI",
        "name": "test",
        "status": "completed",
        "conclusion": "success",
        "created_at": "2026-03-01T12:00:00Z",
        "started_at": "2026-03-01T12:00:05Z",
        "completed_at": "2026-03-01T12:04:00Z",
        "steps": [],
    } | fields


def only(made: list[Any]) -> dict[str, Any]:
    [line] = made
    assert isinstance(line, dict), str(line)
    return line


def test_the_end_of_a_run_is_its_last_update_and_says_so() -> None:
    line = only(read_json("github", a_run()))
    assert (line["completed_at"], line["completed_at_from"]) == ("2026-03-01T12:05:00Z", "updated_at")
    assert "completed_at" not in only(read_json("github", a_run(status="in_progress", conclusion=None)))


def test_an_update_months_after_a_run_is_not_its_end() -> None:
    line = only(read_json("github", a_run(updated_at="2027-04-01T12:05:00Z")))
    assert "completed_at" not in line
    assert line["completed_at_from"].startswith("nothing")


def test_a_second_attempt_from_the_list_begins_when_it_began() -> None:
    """The list gives the creation of the first attempt, which would make the second wait for five days."""
    line = only(
        read_json(
            "github",
            a_run(
                run_attempt=2,
                event="schedule",
                created_at="2026-03-01T02:00:00Z",
                run_started_at="2026-03-06T15:42:05Z",
                updated_at="2026-03-06T15:50:00Z",
            ),
        )
    )
    assert (line["external_id"], line["attempt"]) == ("3770390952", 2)
    assert line["created_at"] == line["started_at"] == "2026-03-06T15:42:05Z"
    assert line["created_at_from"] == "run_started_at"
    assert line["first_created_at"] == "2026-03-01T02:00:00Z"
    assert line["rerun_of"] == {"external_id": "3770390952", "attempt": 1}
    assert (line["trigger"], line["trigger_name"], line["triggered_by"]["name"]) == (
        "retry",
        "schedule",
        "ada",
    )


def test_an_answer_about_an_attempt_keeps_its_own_times() -> None:
    line = only(
        read_json(
            "github",
            a_run(
                run_attempt=2,
                created_at="2026-03-06T15:42:07Z",
                run_started_at="2026-03-06T15:42:05Z",
                updated_at="2026-03-06T15:50:00Z",
            ),
        )
    )
    assert (line["created_at"], line["started_at"]) == ("2026-03-06T15:42:07Z", "2026-03-06T15:42:05Z")
    assert "created_at_from" not in line


@pytest.mark.parametrize(
    ("conclusion", "status", "outcome"),
    [
        ("success", "completed", "succeeded"),
        ("neutral", "completed", "neutral"),
        ("skipped", "cancelled", "skipped"),
        ("cancelled", "cancelled", "aborted"),
        ("stale", "cancelled", "stale"),
        ("failure", "failed", "failed"),
        ("timed_out", "failed", "timed_out"),
        ("startup_failure", "failed", "start_failed"),
    ],
)
def test_each_conclusion_is_an_outcome(conclusion: str, status: str, outcome: str) -> None:
    line = only(read_json("github", a_run(conclusion=conclusion)))
    assert (line["status"], line["outcome"], line["source_status"]) == (status, outcome, conclusion)


@pytest.mark.parametrize("status", ["requested", "queued", "pending", "waiting"])
def test_a_run_that_has_not_begun_is_pending_and_has_no_start(status: str) -> None:
    line = only(read_json("github", a_run(status=status, conclusion=None)))
    assert (line["status"], line["source_status"]) == ("pending", status)
    assert "started_at" not in line


def test_a_run_that_needs_an_approval_waits_for_it() -> None:
    line = only(read_json("github", a_run(conclusion="action_required")))
    assert (line["status"], line["waiting_for"]) == ("pending", "approval")
    assert not {"outcome", "completed_at"} & line.keys()


def test_a_scheduled_run_was_started_by_nobody() -> None:
    """GitHub names whoever last changed the schedule."""
    line = only(read_json("github", a_run(event="schedule")))
    assert (line["trigger"], line["github"]["actor"]) == ("schedule", "ada")
    assert "triggered_by" not in line


@pytest.mark.parametrize("actor", [{"login": "renovate[bot]", "type": "User"}, {"login": "x", "type": "Bot"}])
def test_bots_are_told_apart_from_people(actor: dict[str, str]) -> None:
    assert only(read_json("github", a_run(actor=actor)))["triggered_by"]["kind"] == "bot"
    assert only(read_json("github", a_run()))["triggered_by"]["kind"] == "person"


def test_answers_of_2020_without_attempt_title_and_path_are_read() -> None:
    old = {
        name: value
        for name, value in a_run().items()
        if name not in ("run_attempt", "display_title", "run_started_at", "path")
    }
    line = only(read_json("github", old))
    assert (line["attempt"], line["workflow"]["name"]) == (1, "CI")
    assert not {"title", "started_at"} & line.keys()


def test_a_job_is_a_step_and_its_steps_are_children() -> None:
    steps = [
        {"name": "Set up job", "number": 1, "status": "completed", "conclusion": "success"},
        {"name": "Run checkout", "number": 2, "status": "completed", "conclusion": "failure"},
        {"name": "Run checkout", "number": 3, "status": "queued", "conclusion": None},
    ]
    job, *children = read_json("github", a_job(steps=steps, runner_name="runner 5"))
    assert (job["node_id"], job["node_type"], job["worker"]) == ("test", "job", "runner 5")
    assert [(each["node_id"], each["parent_node_id"], each["status"]) for each in children] == [
        ("test / Set up job", "test", "completed"),
        ("test / Run checkout", "test", "failed"),
        ("test / Run checkout #3", "test", "pending"),
    ]
    assert {each["at"] for each in [job, *children]} == {"2026-03-01T12:04:00Z"}


def test_two_jobs_of_one_name_stay_two_steps() -> None:
    first, second = read_json("github", {"total_count": 2, "jobs": [a_job(id=1), a_job(id=2)]})
    assert (first["node_id"], second["node_id"]) == ("test", "test #2")


def test_jobs_and_runs_name_the_same_workflow_and_run() -> None:
    run, job = read_json("github", a_run(), a_job())
    for field in ("source", "external_id", "attempt"):
        assert run[field] == job[field]
    assert run["workflow"]["name"] == job["workflow"]["name"]


def test_pages_one_after_another_on_a_line_are_read() -> None:
    """As `gh api --paginate` prints them."""
    pages = [{"total_count": 2, "workflow_runs": [a_run(id=number)]} for number in (1, 2)]
    lines = read_text("github", "".join(map(json.dumps, pages)))
    assert [line["external_id"] for line in lines] == ["1", "2"]


def test_a_link_that_is_none_is_not_taken() -> None:
    assert "url" not in only(read_json("github", a_run(html_url="javascript:alert(1)")))


def test_what_cannot_be_mapped_is_named_with_its_place_and_the_others_go_in() -> None:
    made = read_json(
        "github",
        {"workflow_runs": [a_run(id=1), a_run(conclusion="surprised"), a_run(created_at="yesterday"), "x"]},
        {"message": "Not Found"},
        {"total": 1},
    )
    assert made[0]["external_id"] == "1"
    assert faults(made) == [
        ("workflow_runs[1].conclusion", "is surprised, which this reader does not know."),
        ("workflow_runs[2].created_at", "must be a date and time with its zone."),
        ("workflow_runs[3]", "must be an object."),
        ("line 2: ", "is an error of GitHub: Not Found."),
        ("line 3: ", "is no run, job or workflow of GitHub Actions."),
    ]


def test_unknown_fields_are_kept_under_the_name_of_the_system() -> None:
    line = only(
        read_json("github", a_run(check_suite_id=5, node_id="WFR_1", jobs_url="https://api.github.com/x"))
    )
    assert line["github"] == {"check_suite_id": 5, "actor": "ada"}


def test_events_of_other_kinds_make_no_lines() -> None:
    assert event_lines({"zen": "Keep it logically awesome.", "hook_id": 1}) == []
    assert event_lines({"action": "opened", "pull_request": {"id": 1}}) == []


def test_an_event_names_its_workflow_beside_the_run() -> None:
    body = {"action": "requested", "workflow": {"name": "Release"}, "workflow_run": a_run(name="")}
    [line] = event_lines(body)
    assert line["workflow"] == {"name": "Release", "path": ".github/workflows/ci.yml"} | {
        "url": "https://github.com/acme/web/actions/workflows/ci.yml"
    }


def test_a_malformed_event_names_its_field() -> None:
    with pytest.raises(BadField) as fault:
        event_lines({"action": "completed", "workflow_run": a_run(run_number="twelve")})
    assert fault.value.field == "workflow_run.run_number"


def test_updates_by_dependabot_are_runs_of_one_workflow() -> None:
    """Each has a name of its own, which its jobs have too."""
    run, job = read_json(
        "github",
        a_run(name="pip in / for requests - Update #101"),
        a_job(workflow_name="pip in / for requests - Update #101"),
    )
    assert run["workflow"]["name"] == job["workflow"]["name"] == "pip in / for requests"


def test_a_job_of_an_answer_that_names_no_workflow_is_refused() -> None:
    assert faults(read_json("github", a_job(workflow_name=None))) == [("workflow_name", "is missing.")]
