"""Facets of an event, read leniently: one that is not as it should be says nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from portal import moments
from portal.history.sources.reading.values import link
from portal.input.bounds import MAX_NUMBER
from portal.input.text import storable

Json = Mapping[str, object]

MAX_ERROR = 20_000
MAX_ID = 1000
MAX_STATES = 10_000
"""Tasks of a DAG whose states are read."""
MAX_PARAMETERS = 100_000
"""Bytes of a run's parameters as JSON; larger ones are left out."""
MAX_PARAMETER_DEPTH = 32

_DAG_RUN, _TASK, _STATE = "airflowDagRun", "airflow", "airflowState"
_NO_SCHEDULE = frozenset({"", "None", "null"})


@dataclass(frozen=True)
class DagRun:
    """A run of an Airflow DAG."""

    dag_id: str
    run_id: str
    run_type: str | None = None
    triggered_by: str | None = None
    schedule: str | None = None
    started_at: datetime | None = None
    parameters: Json | None = None

    def to_json(self) -> dict[str, object]:
        run = {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "run_type": self.run_type,
            "triggered_by": self.triggered_by,
            "start_date": _moment_text(self.started_at),
            "conf": self.parameters,
        }
        return {
            "dagRun": _without_none(run),
            "dag": _without_none({"dag_id": self.dag_id, "timetable_summary": self.schedule}),
        }


@dataclass(frozen=True)
class Task:
    """An attempt at a task of an Airflow DAG."""

    task_id: str
    attempt: int | None = None
    map_index: int | None = None
    log_url: str | None = None
    queued_at: datetime | None = None

    def to_json(self) -> dict[str, object]:
        instance = {
            "try_number": self.attempt,
            "map_index": self.map_index,
            "log_url": self.log_url,
            "queued_dttm": _moment_text(self.queued_at),
        }
        return {"task": {"task_id": self.task_id}, "taskInstance": _without_none(instance)}


@dataclass(frozen=True)
class TaskState:
    word: str
    """Airflow's own; `none` for a task that nobody looked at."""
    duration_ms: int | None = None


@dataclass(frozen=True)
class RunFacets:
    nominal_start: datetime | None = None
    error: str | None = None
    job_type: str | None = None
    dag_run: DagRun | None = None
    task: Task | None = None
    dag_state: str | None = None
    states: Mapping[str, TaskState] | None = None
    """How the tasks of a DAG ended up, by their ids."""

    def to_json(self) -> dict[str, object]:
        """The run's facets in the form of OpenLineage."""
        found: dict[str, object] = {}
        if self.nominal_start is not None:
            found["nominalTime"] = {"nominalStartTime": moments.format_moment(self.nominal_start)}
        if self.error is not None:
            found["errorMessage"] = {"message": self.error}
        if self.dag_run is not None:
            task = self.task.to_json() if self.task else {}
            found[_TASK if self.task else _DAG_RUN] = self.dag_run.to_json() | task
        if self.states is not None:
            found[_STATE] = {
                "dagRunState": self.dag_state,
                "tasksState": {name: each.word for name, each in self.states.items()},
                "tasksDuration": {
                    name: each.duration_ms / 1000
                    for name, each in self.states.items()
                    if each.duration_ms is not None
                },
            }
        return found


def read_facets(run: Json, job: Json) -> RunFacets:
    """What the facets of a run and of its job say."""
    about_task, about_dag, state = _object(run, _TASK), _object(run, _DAG_RUN), _object(run, _STATE)
    dag_run = _dag_run(about_dag) or _dag_run(about_task)
    return RunFacets(
        nominal_start=_moment(text_in(run.get("nominalTime"), "nominalStartTime")),
        error=_cut(text_in(run.get("errorMessage"), "message"), MAX_ERROR),
        job_type=_cut(text_in(job.get("jobType"), "jobType"), MAX_ID),
        dag_run=dag_run,
        task=_task(about_task) if dag_run else None,
        dag_state=_cut(text_in(state, "dagRunState"), 50),
        states=_states(state),
    )


def text_in(value: object, name: str) -> str | None:
    """A text of an object that may be none, without what no database stores."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return storable(found) if isinstance(found, str) else None


def _dag_run(facet: Json) -> DagRun | None:
    run, dag = _object(facet, "dagRun"), _object(facet, "dag")
    dag_id, run_id = text_in(run, "dag_id") or text_in(dag, "dag_id"), text_in(run, "run_id")
    if not dag_id or not run_id:
        return None
    schedule = text_in(dag, "timetable_summary") or text_in(dag, "schedule_interval") or ""
    return DagRun(
        dag_id[:MAX_ID],
        run_id[:MAX_ID],
        run_type=_cut(text_in(run, "run_type"), 100),
        triggered_by=_cut(text_in(run, "triggered_by"), 100),
        schedule=None if schedule in _NO_SCHEDULE else _cut(schedule, 200),
        started_at=_moment(text_in(run, "start_date")),
        parameters=_parameters(run.get("conf")),
    )


def _task(facet: Json) -> Task | None:
    task_id, instance = text_in(facet.get("task"), "task_id"), _object(facet, "taskInstance")
    if not task_id:
        return None
    return Task(
        task_id[:MAX_ID],
        attempt=_whole(instance.get("try_number"), 1),
        map_index=_whole(instance.get("map_index"), 0),
        log_url=link(text_in(instance, "log_url")),
        queued_at=_moment(text_in(instance, "queued_dttm")),
    )


def _states(facet: Json) -> Mapping[str, TaskState] | None:
    states, durations = facet.get("tasksState"), _object(facet, "tasksDuration")
    if not isinstance(states, Mapping):
        return None
    return {
        task_id: TaskState(_state(word), _milliseconds(durations.get(name)))
        for name, word in list(states.items())[:MAX_STATES]
        if (task_id := storable(name)[:MAX_ID])
    }


def _state(word: object) -> str:
    return (storable(word)[:50] or "none") if isinstance(word, str) else "none"


def _milliseconds(seconds: object) -> int | None:
    """A duration; zero is what Airflow sends where it knows none."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e10:
        return None
    return round(seconds * 1000)


def _parameters(value: object) -> Json | None:
    """A run's parameters, unless there are none, or more than a run should carry."""
    if not isinstance(value, Mapping) or not value:
        return None
    found = _storable(value, MAX_PARAMETER_DEPTH)
    fits = len(json.dumps(found)) <= MAX_PARAMETERS
    return found if isinstance(found, Mapping) and fits else None


def _storable(value: object, depth: int) -> object:
    """A JSON value with nothing that databases do not store; what is too deep becomes an ellipsis."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, Mapping | list) and not depth:
        return "…"
    if isinstance(value, Mapping):
        return {storable(name): _storable(inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner, depth - 1) for inner in value]
    return value


def _object(value: object, name: str) -> Json:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _moment(text: str | None) -> datetime | None:
    """A moment; one without a zone is in UTC."""
    for found in (text, f"{text}Z") if text else ():
        try:
            return moments.parse_moment(found)
        except ValueError:
            continue
    return None


def _moment_text(moment: datetime | None) -> str | None:
    return moments.format_moment(moment) if moment else None


def _whole(value: object, least: int) -> int | None:
    return value if type(value) is int and least <= value <= MAX_NUMBER else None


def _cut(text: str | None, most: int) -> str | None:
    return text[:most] if text else None


def _without_none(values: Json) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
