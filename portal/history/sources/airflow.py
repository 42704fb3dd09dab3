"""Airflow: DAGs, runs and task instances as the REST API gives them, and runs as its command lists them."""

from collections.abc import Iterator, Mapping

from portal.history.parsing.readers import BadField
from portal.history.sources.reading.documents import read_json
from portal.history.sources.reading.reader import Input, Line, Made, Source
from portal.history.sources.reading.record import Record
from portal.history.sources.reading.values import identifier, link, person, workflow

SYSTEM = "airflow"
"""The usual name of the source. Lineage events of Airflow use the same, so that a run is one run."""

_RUNS: Mapping[str, tuple[str, str | None]] = {
    "queued": ("pending", None),
    "running": ("running", None),
    "success": ("completed", "succeeded"),
    "failed": ("failed", "failed"),
}
TASK_STATES: Mapping[str, tuple[str, str | None]] = {
    **_RUNS,
    "none": ("pending", None),
    "scheduled": ("pending", None),
    "restarting": ("pending", None),
    "up_for_reschedule": ("paused", None),
    "deferred": ("paused", None),
    "up_for_retry": ("failed", "failed"),
    "upstream_failed": ("failed", "upstream_failed"),
    "skipped": ("cancelled", "skipped"),
    "removed": ("cancelled", "stale"),
    "shutdown": ("cancelled", "aborted"),
}
"""Status and outcome by Airflow's word for the state of a task."""
_BY_WHOM = {
    "cli": "person",
    "ui": "person",
    "rest_api": "api",
    "timetable": "schedule",
    "operator": "upstream",
    "asset": "event",
    "backfill": "other",
    "test": "other",
}
_BY_TYPE = {
    "scheduled": "schedule",
    "dataset_triggered": "event",
    "asset_triggered": "event",
    "asset_materialization": "event",
}
_OF_THE_RUN = (
    "dag_run_id",
    "run_id",
    "dag_display_name",
    "logical_date",
    "run_after",
    "dag_version",
    "duration",
)
"""Fields of a task that its run has too, and one that follows from others."""
_NOBODY = "Anonymous"
"""What Airflow says where nobody has signed in."""


def run_key(dag_id: str, run_id: str) -> str:
    """The id of a run at its source: run ids are unique within their DAG only."""
    return identifier(f"{dag_id}/{run_id}")


def trigger_of(run_type: str | None, triggered_by: str | None) -> str | None:
    """Why a DAG ran, by Airflow's words for the type of the run and for what started it."""
    if triggered_by:
        return _BY_WHOM.get(triggered_by, "other")
    return _BY_TYPE.get(run_type, "other") if run_type else None


def read(source: Input) -> Iterator[Made]:
    def make(record: Record) -> Iterator[Line]:
        return _lines(record, source.source(SYSTEM))

    return read_json(source, make, lists=("dag_runs", "task_instances", "dags"), after_noise=True)


def _lines(record: Record, source: str) -> Iterator[Line]:
    if "task_id" in record:
        yield _task(record, source)
    elif "dag_run_id" in record or "run_id" in record:
        yield _run(record, source)
    elif "dag_id" in record:
        yield _dag(record, source)
    elif "detail" in record:
        raise BadField(record.path, f"is an error of Airflow: {record.value('detail')}.")
    else:
        raise BadField(record.path, "is no run, task instance or DAG of Airflow.")


def _where(record: Record, source: str) -> Line:
    dag_id = record.need("dag_id")
    run_id = record.text("dag_run_id") or record.need("run_id")
    return {
        "source": source,
        "external_id": run_key(dag_id, run_id),
        "workflow": _named(record, dag_id),
    }


def _named(record: Record, dag_id: str) -> dict[str, object]:
    return workflow(record.text("dag_display_name") or dag_id, external_id=identifier(dag_id))


def _run(run: Record, source: str) -> Line:
    word = run.need("state")
    status, outcome = _state(run, word, _RUNS)
    kind, by = run.text("run_type"), run.text("triggered_by")
    user = run.text("triggering_user_name")
    queued, after = run.moment("queued_at"), run.moment("run_after")
    logical = run.moment("logical_date") or run.moment("execution_date")
    return {
        "type": "run",
        **_where(run, source),
        "status": status,
        "outcome": outcome,
        "source_status": word,
        "created_at": queued or after,
        "created_at_from": "run_after" if after and not queued else None,
        "started_at": run.moment("start_date"),
        "completed_at": run.moment("end_date"),
        "scheduled_for": logical,
        "trigger": trigger_of(kind, by),
        "trigger_name": kind or by,
        "triggered_by": person(SYSTEM, user, kind="person") if user and user != _NOBODY else None,
        "parameters": run.mapping("conf"),
        "airflow": {
            **({"triggering_user_name": user} if user else {}),
            **(run.rest("duration", "dag_run_id", "run_id", "last_scheduling_decision") or {}),
        }
        or None,
    }


def _task(task: Record, source: str) -> Line:
    """A try of a task: the list of task instances has the last try of each, that of tries all."""
    word = task.text("state") or "none"
    status, outcome = _state(task, word, TASK_STATES)
    tries, position = task.whole("try_number"), task.whole("map_index", -1)
    operator = task.text("operator_name") or task.text("operator")
    return {
        "type": "step",
        **_where(task, source),
        "node_id": task.need("task_id"),
        "node_type": operator,
        "name": task.text("task_display_name") or task.text("task_id"),
        "map_index": position if position is not None and position >= 0 else None,
        "iteration": tries or 1,
        "status": status,
        "outcome": outcome,
        "source_status": word,
        "created_at": task.moment("queued_when") or task.moment("scheduled_when"),
        "started_at": task.moment("start_date"),
        "completed_at": task.moment("end_date"),
        "worker": task.text("hostname"),
        "log_url": link(task.text("log_url")),
        "airflow": task.rest(*_OF_THE_RUN),
    }


def _dag(dag: Record, source: str) -> Line:
    dag_id = dag.need("dag_id")
    return {
        "type": "workflow",
        "source": source,
        **_named(dag, dag_id),
        "description": dag.text("description"),
        "airflow": dag.rest("file_token"),
    }


def _state(record: Record, word: str, known: Mapping[str, tuple[str, str | None]]) -> tuple[str, str | None]:
    if word not in known:
        raise record.fault("state", f"is {word[:50]}, which this reader does not know.")
    return known[word]


READER = Source(
    name="airflow",
    title="Apache Airflow",
    reads="DAGs, runs, task instances and tries as the REST API gives them, and `airflow dags list-runs`.",
    commands=(
        "airflow dags list-runs DAG -o json > runs.json",
        "flask import --from airflow runs.json",
    ),
    read=read,
)
