"""What events say of a run and of its steps."""

from typing import Any

from portal.history.sources.airflow import run_key
from portal.ingest.lineage.folding.fold import fold
from portal.ingest.lineage.folding.identity import RunIdentity
from tests.ingest.lineage.makers import (
    body,
    dag_facets,
    events,
    folded,
    link,
    run_id,
    states,
    steps_of,
    task_facets,
)

EXACT = ("status", "outcome", "started_at", "completed_at", "error")


def run(*bodies: dict[str, Any]) -> dict[str, Any]:
    """All that the lines of the only run say."""
    found: dict[str, Any] = {}
    for line in folded(*bodies):
        if line["type"] == "run":
            found = line | found
    return found


def about(found: dict[str, Any], *names: str) -> list[Any]:
    return [found.get(name) for name in names or EXACT]


def test_a_run_starts_and_completes() -> None:
    found = run(body(1), body(1, "COMPLETE", 2))
    assert about(found) == ["completed", "succeeded", "2026-03-01T12:00:00Z", "2026-03-01T12:02:00Z", None]
    assert about(found, "source", "external_id", "workflow", "source_status") == [
        "openlineage:prod",
        run_id(1),
        {"name": "job1", "external_id": "job1"},
        "COMPLETE",
    ]


def test_a_run_fails_with_its_error() -> None:
    found = run(body(1), body(1, "FAIL", 2, facets={"errorMessage": {"message": "broken"}}))
    assert about(found) == [
        *("failed", "failed", "2026-03-01T12:00:00Z", "2026-03-01T12:02:00Z", "broken"),
    ]


def test_an_aborted_run_is_cancelled() -> None:
    assert about(run(body(1, "ABORT")))[:2] == ["cancelled", "aborted"]


def test_a_late_start_or_running_does_not_reopen_a_run() -> None:
    found = run(body(1, "COMPLETE", 2), body(1, "RUNNING", 3), body(1, "START", 4))
    assert about(found, "status", "completed_at") == ["completed", "2026-03-01T12:02:00Z"]


def test_the_earliest_start_counts() -> None:
    assert run(body(1, "START", 3), body(1, "START", 1), body(1, "RUNNING", 2))["started_at"] == (
        "2026-03-01T12:01:00Z"
    )


def test_of_two_ends_the_later_one_counts_and_brings_its_error() -> None:
    failed = body(1, "FAIL", 1, facets={"errorMessage": {"message": "broken"}})
    assert about(run(failed, body(1, "COMPLETE", 2)), "status", "error") == ["completed", None]
    assert about(run(failed, body(1, "COMPLETE")), "status", "error") == ["failed", "broken"]


def test_of_ends_at_one_moment_fail_beats_abort_beats_complete() -> None:
    ends = [body(1, kind) for kind in ("COMPLETE", "ABORT", "FAIL")]
    assert run(*ends[:2])["status"] == "cancelled"
    assert run(*ends)["status"] == "failed"


def test_other_changes_nothing_but_facets() -> None:
    nominal = {"nominalTime": {"nominalStartTime": "2026-03-01T11:00:00Z"}}
    found = run(body(1), body(1, "OTHER", 5, facets=nominal))
    assert about(found, "status", "scheduled_for") == ["running", "2026-03-01T11:00:00Z"]
    assert run(body(1, "OTHER"))["status"] == "pending"


def test_a_step_that_comes_first_makes_its_parent_running() -> None:
    found = folded(body(2, parent=1))
    assert [(line["type"], line["external_id"], line["status"]) for line in found] == [
        ("run", run_id(1), "running"),
        ("step", run_id(1), "running"),
    ]
    assert found[0]["workflow"]["name"] == "job1"


def test_a_step_that_fails_without_a_start_makes_its_parent_running() -> None:
    assert run(body(2, "FAIL", parent=1))["status"] == "running"
    assert run(body(2, "OTHER", parent=1))["status"] == "pending"


def test_deeper_children_name_the_node_of_their_parent() -> None:
    found = steps_of(body(1), body(2, parent=1), body(3, parent=2), body(4, parent=3))
    assert {key[0]: line.get("parent_node_id") for key, line in found.items()} == {
        "job2": None,
        "job3": "job2",
        "job4": "job3",
    }


def test_the_type_of_a_job_is_the_type_of_its_node() -> None:
    found = steps_of(body(2, parent=1, job_facets={"jobType": {"jobType": "MODEL"}}))
    assert found["job2", None, 1]["node_type"] == "MODEL"


def test_runs_of_one_job_are_attempts_in_the_order_of_their_times() -> None:
    found = steps_of(
        body(3, "COMPLETE", 5, "load", parent=1),
        body(2, "FAIL", 2, "load", parent=1),
        body(3, "START", 3, "load", parent=1),
    )
    assert {key: line["status"] for key, line in found.items()} == {
        ("load", None, 1): "failed",
        ("load", None, 2): "completed",
    }


def test_an_event_without_a_zone_is_noted() -> None:
    assert "UTC" in run(body(1, eventTime="2026-03-01T12:00:00"))["note"]
    assert "note" not in run(body(1))


def test_the_source_is_that_of_the_key_if_it_has_one() -> None:
    def source(key: str | None, **about: Any) -> str:
        [found] = fold(events(body(1, **about), source=key))
        return found.identity.source

    assert source("acme") == "acme"
    assert source("openlineage:") == "openlineage:prod"
    assert source("airflow", facets=dag_facets()) == "airflow"
    assert source("airflow:eu", facets=dag_facets()) == "airflow:eu"
    [found] = fold(events(body(1), source="acme"))
    assert found.identity.workflow_id == "prod/job1"


def test_names_that_are_too_long_are_told_apart_by_a_digest() -> None:
    [one, other] = fold(events(body(1, "START", 0, "x" * 300 + "1"), body(2, "START", 0, "x" * 300 + "2")))
    assert one.identity.workflow_id != other.identity.workflow_id
    for each in (one, other):
        assert len(each.identity.workflow_id) == 255
        assert len(each.identity.workflow_name) == 200
    assert len(run_key("d" * 250, "r" * 250)) == 255


def test_an_identity_that_is_fixed_stays() -> None:
    [event] = events(body(1))
    fixed = RunIdentity("airflow", "nightly/manual__1", "nightly", "nightly", lasting=True)
    [found] = fold([event], {event.run_id: fixed})
    assert found.identity == fixed


def task(kind: str, name: str, attempt: int | None = 1, minute: float = 1, **of: Any) -> dict[str, Any]:
    found = body(
        10 * ord(name[0]) + (attempt or 0) + 100 * of.get("map_index", 0),
        kind,
        minute,
        f"nightly.{name}",
        facets=task_facets(name, attempt, **of),
    )
    found["run"]["facets"]["parent"] = link(1, "nightly")
    return found


def dag(kind: str = "START", minute: float = 0, *, of_run: Any = None, **facets: Any) -> dict[str, Any]:
    return body(1, kind, minute, "nightly", facets=dag_facets(**(of_run or {})) | facets)


def test_a_dag_run_is_known_by_its_dag_and_run_id() -> None:
    for bodies in ([dag()], [task("START", "a")], [dag(), task("START", "a")]):
        [found] = fold(events(*bodies))
        assert found.identity == RunIdentity("airflow", "nightly/manual__1", "nightly", "nightly", True)


def test_a_dag_run_is_known_if_one_of_its_events_says_so() -> None:
    plain = [body(1, "COMPLETE", 9, "nightly"), body(7, parent=1)]
    for bodies in ([*plain, dag()], [*plain, task("FAIL", "a")]):
        [found] = fold(events(*bodies))
        assert found.identity.external_id == "nightly/manual__1"


def test_a_dag_run_that_was_cleared_is_still_one_run() -> None:
    again = dag("START", 8) | {"run": {"runId": run_id(9), "facets": dag_facets()}}
    [found] = fold(events(dag(), dag("FAIL", 2), again))
    assert found.has_ended
    assert len(found.roots) == 2


def test_why_a_dag_ran() -> None:
    def trigger(**of_run: Any) -> list[Any]:
        return about(run(dag(of_run=of_run)), "trigger", "trigger_name")

    assert trigger(run_type="manual", triggered_by="ui") == ["person", "manual"]
    assert trigger(run_type="manual", triggered_by="rest_api") == ["api", "manual"]
    assert trigger(run_type="manual") == ["other", "manual"]
    assert trigger(run_type="scheduled", triggered_by="timetable") == ["schedule", "scheduled"]
    assert trigger(run_type="scheduled") == ["schedule", "scheduled"]
    assert trigger(run_type="dataset_triggered") == ["event", "dataset_triggered"]
    assert trigger(run_type="backfill") == ["other", "backfill"]
    assert trigger() == [None, None]
    facets = dag_facets(run_type="scheduled")
    facets["airflowDagRun"]["dag"]["timetable_summary"] = "0 2 * * *"
    assert about(run(body(1, facets=facets)), "trigger_name") == ["0 2 * * *"]


def test_parameters_and_start_of_a_dag_run() -> None:
    of_run = {"conf": {"lang": "de"}, "start_date": "2026-03-01T11:59:00Z"}
    assert about(run(dag("COMPLETE", 5, of_run=of_run)), "parameters", "started_at") == [
        {"lang": "de"},
        "2026-03-01T11:59:00Z",
    ]


def test_a_task_is_a_step_with_its_attempt_and_index() -> None:
    queued = {"queued_dttm": "2026-03-01T12:00:30+00:00", "log_url": "https://airflow.example/log"}
    found = steps_of(
        dag(), task("FAIL", "a", 1, **queued), task("COMPLETE", "a", 2, 2), task("START", "b", 1, map_index=3)
    )
    assert list(found) == [("a", None, 1), ("b", 3, 1), ("a", None, 2)]
    assert about(found["a", None, 1], "created_at", "log_url", "started_at") == [
        "2026-03-01T12:00:30Z",
        "https://airflow.example/log",
        None,
    ]
    assert found["b", 3, 1]["map_index"] == 3


def test_a_job_of_a_task_hangs_below_it() -> None:
    spark = body(5, "START", 2, "app", facets={"parent": link(ord("a") * 10 + 1, "nightly.a")})
    found = steps_of(dag(), task("START", "a"), spark)
    assert found["app", None, 1]["parent_node_id"] == "a"


def test_a_task_whose_facets_are_missing_is_named_without_its_dag() -> None:
    bare = body(5, "START", 1, "nightly.a", facets={"parent": link(1, "nightly")})
    assert list(steps_of(dag(), bare)) == [("a", None, 1)]


def ended(*bodies: dict[str, Any], **words: str | None) -> dict[Any, list[Any]]:
    """Status and outcome of each step when the DAG says so of its tasks at its end."""
    found = steps_of(dag(), *bodies, dag("COMPLETE", 9, **states(**words)))
    return {key: about(line, "status", "outcome") for key, line in found.items()}


def test_a_skipped_task_that_sent_complete_was_skipped() -> None:
    assert ended(task("COMPLETE", "a"), a="skipped") == {("a", None, 1): ["cancelled", "skipped"]}


def test_tasks_that_sent_nothing_are_steps() -> None:
    assert ended(a="upstream_failed", b="success", c="removed", d=None, e="running", f="queued") == {
        ("a", None, 1): ["failed", "upstream_failed"],
        ("b", None, 1): ["completed", "succeeded"],
        ("c", None, 1): ["cancelled", "stale"],
        ("d", None, 1): ["pending", None],
        ("e", None, 1): ["running", None],
        ("f", None, 1): ["pending", None],
    }


def test_the_last_attempt_is_the_one_that_the_dag_speaks_of() -> None:
    tries = [task("FAIL", "a", 1), task("COMPLETE", "a", 2, 2)]
    assert ended(*tries, a="success") == {
        ("a", None, 1): ["failed", "failed"],
        ("a", None, 2): ["completed", "succeeded"],
    }
    assert ended(task("START", "a"), a="failed") == {("a", None, 1): ["failed", "failed"]}


def test_a_success_after_a_failure_was_another_attempt() -> None:
    assert ended(task("FAIL", "a"), a="success") == {
        ("a", None, 1): ["failed", "failed"],
        ("a", None, 2): ["completed", "succeeded"],
    }


def test_one_word_for_many_mapped_tasks_decides_about_none() -> None:
    assert ended(task("COMPLETE", "a", map_index=0), task("FAIL", "a", map_index=1), a="failed") == {
        ("a", 0, 1): ["completed", "succeeded"],
        ("a", 1, 1): ["failed", "failed"],
    }


def test_how_long_a_task_took_that_sent_nothing() -> None:
    facet = states(a="success", b="success")
    facet["airflowState"]["tasksDuration"] = {"a": 1.5, "b": 0.0}
    found = steps_of(dag("COMPLETE", 9, **facet))
    assert [line.get("duration_ms") for line in found.values()] == [1500, None]
