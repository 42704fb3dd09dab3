"""Builds of Jenkins: milliseconds, folders, causes and stages."""

from typing import Any

import pytest

from tests.history.sources.reading import faults, read_json

JOB = "https://ci.example.com/ci/job/Web%20apps/job/users%252Fada%252Fbuild/"


def a_build(**fields: Any) -> dict[str, Any]:
    return {
        "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun",
        "number": 12,
        "result": "SUCCESS",
        "building": False,
        "timestamp": 1458874078582,
        "duration": 3177872,
        "url": f"{JOB}12/",
        "displayName": "#12",
        "actions": [],
    } | fields


def only(made: list[Any]) -> dict[str, Any]:
    [line] = made
    assert isinstance(line, dict), str(line)
    return line


def caused_by(**cause: Any) -> dict[str, Any]:
    return only(read_json("jenkins", a_build(actions=[{}, {"causes": [cause]}])))


def test_times_are_milliseconds_and_the_end_is_a_sum() -> None:
    line = only(read_json("jenkins", a_build()))
    assert line["started_at"] == "2016-03-25T02:47:58.582Z"
    assert (line["completed_at"], line["completed_at_from"]) == (
        "2016-03-25T03:40:56.454Z",
        "timestamp + duration",
    )
    assert "created_at" not in line  # Jenkins does not say when a build was queued


def test_a_building_build_has_no_end() -> None:
    line = only(read_json("jenkins", a_build(building=True, result=None, duration=0)))
    assert line["status"] == "running"
    assert not {"completed_at", "outcome"} & line.keys()


def test_names_of_folders_and_branches_are_read_without_escapes() -> None:
    line = only(read_json("jenkins", a_build()))
    assert line["workflow"] == {"name": "Web apps/users/ada/build", "url": JOB}
    assert (line["external_id"], line["source"]) == ("Web apps/users/ada/build#12", "jenkins:ci.example.com")
    older = only(read_json("jenkins", a_build(url="https://ci.example.com/job/Web/job/users%2Fada/3/")))
    assert older["workflow"]["name"] == "Web/users/ada"


@pytest.mark.parametrize(
    ("result", "status", "outcome"),
    [
        ("SUCCESS", "completed", "succeeded"),
        ("UNSTABLE", "completed", "succeeded_with_warnings"),
        ("FAILURE", "failed", "failed"),
        ("ABORTED", "cancelled", "aborted"),
        ("NOT_BUILT", "cancelled", "skipped"),
    ],
)
def test_each_result_is_an_outcome(result: str, status: str, outcome: str) -> None:
    line = only(read_json("jenkins", a_build(result=result)))
    assert (line["status"], line["outcome"], line["source_status"]) == (status, outcome, result)


def test_an_upstream_build_is_the_parent() -> None:
    line = caused_by(
        shortDescription="Started by upstream project", upstreamProject="apex", upstreamBuild=609
    )
    assert (line["trigger"], line["trigger_name"]) == ("upstream", "apex #609")
    assert line["parent"] == {"external_id": "apex#609"}


def test_a_person_a_timer_and_a_push_are_told_apart() -> None:
    person = caused_by(_class="hudson.model.Cause$UserIdCause", userId="ada", userName="Ada L.")
    assert person["triggered_by"] == {"id": "jenkins:ada", "name": "Ada L.", "kind": "person"}
    assert caused_by(shortDescription="Started by timer")["trigger"] == "schedule"
    assert (
        caused_by(_class="jenkins.branch.BranchEventCause", shortDescription="Push event")["trigger"]
        == "event"
    )
    assert caused_by(shortDescription="Started by the moon")["trigger"] == "other"


def test_a_rebuilt_build_is_a_rerun() -> None:
    line = caused_by(
        _class="com.sonyericsson.rebuild.RebuildCause", upstreamProject="Web apps/build", upstreamBuild=11
    )
    assert (line["trigger"], line["rerun_of"]) == ("retry", {"external_id": "Web apps/build#11"})
    assert "parent" not in line


def test_the_commit_is_that_of_the_branch_which_names_the_job() -> None:
    def checked_out(branch: str, commit: str) -> dict[str, Any]:
        return {"lastBuiltRevision": {"branch": [{"name": branch, "SHA1": commit}]}}

    library, own = checked_out("master", "1"), checked_out("refs/remotes/origin/users/ada/build", "2")
    assert only(read_json("jenkins", a_build(actions=[library, own])))["ref"] == {
        "branch": "users/ada/build",
        "commit": "2",
    }
    unclear = only(read_json("jenkins", a_build(actions=[library, checked_out("main", "3")])))
    assert "ref" not in unclear


def test_stages_of_a_pipeline_are_steps() -> None:
    answer = {
        "_links": {"self": {"href": "/job/web/12/wfapi/describe"}},
        "startTimeMillis": 1458874078582,
        "stages": [
            {
                "id": "6",
                "name": "Build",
                "status": "SUCCESS",
                "startTimeMillis": 1458874078582,
                "durationMillis": 1000,
            },
            {"id": "9", "name": "Build", "status": "NOT_EXECUTED", "startTimeMillis": 0, "durationMillis": 0},
            {
                "id": "12",
                "name": "Deploy",
                "status": "PAUSED_PENDING_INPUT",
                "startTimeMillis": 1458874080000,
            },
        ],
    }
    lines = read_json("jenkins", answer, source="jenkins:ci.example.com")
    assert [(line["node_id"], line["status"], line["external_id"]) for line in lines] == [
        ("Build", "completed", "web#12"),
        ("Build #9", "cancelled", "web#12"),
        ("Deploy", "paused", "web#12"),
    ]
    assert lines[0]["completed_at"] == "2016-03-25T02:47:59.582Z"
    assert faults(read_json("jenkins", answer)) == [
        ("_links.self.href", "names no host: say --source jenkins:HOST.")
    ]


def test_what_cannot_be_mapped_is_named_with_its_place() -> None:
    made = read_json(
        "jenkins",
        {"builds": [a_build(result="ODD"), {"number": 1}, a_build(timestamp=1e15), a_build(duration=1e300)]},
    )
    assert faults(made) == [
        ("builds[0].result", "is ODD, which this reader does not know."),
        ("builds[1]", "is no build of Jenkins with url, number and timestamp."),
        ("builds[2].timestamp", "is outside the calendar."),
        ("builds[3].duration", "must be a number of at most 9007199254740991."),
    ]
