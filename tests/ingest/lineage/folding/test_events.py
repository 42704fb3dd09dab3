"""What is read of an event, what is refused, and what is forgiven."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from portal import moments
from portal.errors import InvalidQuery
from portal.ingest.lineage.folding.events import EventType, Job, read_event, refuse_ahead
from tests.factories import NOON
from tests.ingest.lineage.folding.test_difference import airflow_bodies
from tests.ingest.lineage.makers import (
    body,
    dag_facets,
    events,
    link,
    recorded,
    run_id,
    samples,
    states,
    task_facets,
)


def errors(event: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidQuery) as refused:
        read_event(event)
    return {error.field: error.message for error in refused.value.errors}


def test_an_event_is_about_a_run_of_a_job() -> None:
    [event] = events(body(1, "COMPLETE", 3, "load"))
    assert event.run_id == UUID(run_id(1))
    assert (event.type, event.time) == (EventType.COMPLETE, NOON + timedelta(minutes=3))
    assert event.job == Job("prod", "load")
    assert (event.parent, event.root, event.has_zone) == (None, None, True)


def test_every_missing_field_is_named() -> None:
    assert errors({"run": {"runId": None}, "job": {"name": ""}}) == {
        "run.runId": "is required.",
        "eventTime": "is required.",
        "job.namespace": "is required.",
        "job.name": "must be text.",
    }
    assert errors({"run": {}, "job": 7, "eventTime": "2026-03-01T12:00:00Z"}) == {
        "run.runId": "is required.",
        "job": "must be an object.",
    }
    assert errors({}) == dict.fromkeys(("run", "job", "eventTime"), "is required.")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("eventType", "DONE", "must be one of START, RUNNING, COMPLETE, ABORT, FAIL, OTHER."),
        ("eventType", ["START"], "must be one of START, RUNNING, COMPLETE, ABORT, FAIL, OTHER."),
        ("eventTime", "yesterday", "must be a date and time, such as 2026-01-31T14:00:00Z."),
        ("eventTime", 1772366400, "must be a date and time, such as 2026-01-31T14:00:00Z."),
        ("run", "x", "must be an object."),
        ("run", [], "must be an object."),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object, message: str) -> None:
    assert errors(body(1, **{field: value})) == {field: message}


def test_a_run_id_must_be_a_uuid() -> None:
    assert list(errors(body(1, run={"runId": "manual__2026"}))) == ["run.runId"]
    [event] = events(body(1, run={"runId": "0000ABCD-0000-0000-0000-000000000000"}))
    assert event.run_id == UUID("0000abcd-0000-0000-0000-000000000000")


def test_a_parent_whose_id_is_no_uuid_is_known_by_one_made_of_it() -> None:
    def with_parent(given_id: str) -> UUID:
        parent = {"run": {"runId": given_id}, "job": {"namespace": "prod", "name": "nightly"}}
        [event] = events(body(1, facets={"parent": parent}))
        assert event.parent is not None
        return event.parent.run_id

    assert with_parent("manual__1") == with_parent("manual__1") != with_parent("manual__2")


@pytest.mark.parametrize(
    "facet",
    [
        None,
        "x",
        [],
        {},
        {"run": {"runId": run_id(2)}},
        {"run": run_id(2), "job": {"namespace": "prod", "name": "x"}},
        {"run": {"runId": run_id(2)}, "job": {"namespace": "prod", "name": None}},
        link(1),
    ],
)
def test_a_parent_that_makes_no_sense_is_none(facet: object) -> None:
    [event] = events(body(1, facets={"parent": facet}))
    assert event.parent is None


def test_a_time_without_a_zone_is_in_utc() -> None:
    [event] = events(body(1, eventTime="2026-03-01T12:00:00.123456789"))
    assert (event.time, event.has_zone) == (NOON + timedelta(microseconds=123456), False)


def test_no_event_type_is_other() -> None:
    assert [event.type for event in events(body(1, None), body(1, eventType=None))] == ["OTHER", "OTHER"]


def test_events_about_jobs_and_data_sets_are_none() -> None:
    job, data_set = body(1), body(1, dataset={"namespace": "a", "name": "b"})
    for event in (job, data_set):
        del event["run"], event["schemaURL"]
    del data_set["job"]
    assert read_event(job) is read_event(data_set) is None


def test_an_event_that_calls_itself_a_run_event_needs_a_run() -> None:
    event = body(1)
    del event["run"]
    assert errors(event) == {"run": "is required."}


def test_an_event_more_than_a_day_ahead_is_refused() -> None:
    [event] = events(body(1))
    refuse_ahead(event, NOON - timedelta(hours=24))
    with pytest.raises(InvalidQuery, match="eventTime: must not be more than 24 hours ahead"):
        refuse_ahead(event, NOON - timedelta(hours=24, seconds=1))


def test_the_key_is_of_run_type_time_and_job() -> None:
    same = [body(1), body(1, facets=dag_facets()), body(1, producer="another")]
    other = [
        body(2, "START", 0, "job1"),
        body(1, "RUNNING"),
        body(1, "START", 1),
        body(1, "START", 0, "job2"),
    ]
    other.append(body(1, job={"namespace": "test", "name": "job1"}))
    assert len({event.key for event in events(*same)}) == 1
    assert len({event.key for event in events(*same, *other)}) == 6


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("http://127.0.0.1:8781dags/nightly/runs/1", None),
        ("javascript:alert(1)", None),
        ("https://", None),
        ("https://airflow.example/" + "x" * 2000, None),
        ("https://airflow.example/a b", None),
        (7, None),
        ("http://[::1", None),
        ("https://airflow.example:8080/log?try=1", "https://airflow.example:8080/log?try=1"),
    ],
)
def test_an_address_of_a_log_is_kept_only_if_it_is_one(given_url: object, kept: str | None) -> None:
    [event] = events(body(1, facets=task_facets("a", log_url=given_url)))
    assert event.facets.task is not None
    assert event.facets.task.log_url == kept


def test_facets_that_are_not_as_they_should_be_say_nothing() -> None:
    wrong: list[object] = [None, 7, "x", [], {"dagRun": 7, "dag": [], "task": "x", "taskInstance": 7}]
    names = ("airflow", "airflowDagRun", "airflowState", "nominalTime", "errorMessage")
    for value in wrong:
        [event] = events(body(1, facets=dict.fromkeys(names, value), job_facets={"jobType": value}))
        assert event.facets.to_json() == {}


def test_text_that_no_database_stores_is_dropped_from_texts() -> None:
    conf = {"a\0": ["b\ud800", {"c": "d\0"}]}
    facets = dag_facets("manual\0__1", conf=conf) | {"errorMessage": {"message": "broken\0"}}
    [event] = events(body(1, "FAIL", 0, "job\0", facets=facets))
    assert (event.job.name, event.facets.error) == ("job", "broken")
    assert event.facets.dag_run is not None
    assert event.facets.dag_run.run_id == "manual__1"
    assert event.facets.dag_run.parameters == {"a": ["b", {"c": "d"}]}


def test_parameters_that_are_too_many_are_left_out() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"a": deep}
    [large, nested] = events(
        body(1, facets=dag_facets(conf={"a": "x" * 200_000})), body(2, facets=dag_facets(conf=deep))
    )
    assert large.facets.dag_run is not None
    assert large.facets.dag_run.parameters is None
    assert nested.facets.dag_run is not None
    assert str(nested.facets.dag_run.parameters).count("{") == 32


@given(airflow_bodies())
def test_what_is_stored_of_an_event_reads_as_the_event(event: dict[str, Any]) -> None:
    [found] = events(event)
    assert read_event(found.to_json()) == found


def test_what_is_stored_of_real_events_reads_as_the_event(history: Path) -> None:
    every = [each for _, each in samples(history)]
    every += recorded(history, "airflow") + recorded(history, "openlineage-python")
    every.append(body(1, facets=dag_facets(conf={"a": 1}) | states(a="success", b=None)))
    read = events(*every)
    assert len(read) == len(every) - 2  # one is about a job, one about a data set
    assert [read_event(event.to_json()) for event in read] == read
    assert all(event.time < moments.now() + timedelta(days=1000) for event in read)


def test_the_data_sets_of_an_event_are_not_stored() -> None:
    event = body(1, inputs=[{"namespace": "a", "name": "b"}], facets={"spark_properties": {"a": "b"}})
    assert events(event)[0].to_json() == {
        "eventType": "START",
        "eventTime": "2026-03-01T12:00:00Z",
        "run": {"runId": run_id(1), "facets": {}},
        "job": {"namespace": "prod", "name": "job1", "facets": {}},
    }
