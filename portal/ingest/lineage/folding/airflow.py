"""What Airflow's words mean: why a DAG ran, and how its tasks ended up."""

from datetime import datetime, timedelta

from portal.database.models import TERMINAL, RunStatus
from portal.history.sources.airflow import TASK_STATES, trigger_of
from portal.ingest.lineage.folding.events import ENDS, RunEvent
from portal.ingest.lineage.folding.facets import DagRun, TaskState
from portal.ingest.lineage.folding.fields import Fields

StepKey = tuple[str, int | None, int]
"""Node id, map index and attempt."""
Steps = dict[StepKey, Fields]

_AFTER_ENDS = timedelta(microseconds=len(ENDS))
"""By how much the DAG's own word is later than any end of a task at that moment."""
_UNKNOWN = ("pending", None)


def say_dag_run(run: Fields, at: datetime, dag_run: DagRun) -> None:
    """What a facet says of the run of a DAG."""
    trigger = trigger_of(dag_run.run_type, dag_run.triggered_by)
    run.say_if_known(at, "trigger", trigger)
    schedule = dag_run.schedule if trigger == "schedule" else None
    run.say_if_known(at, "trigger_name", schedule or dag_run.run_type)
    run.say_if_known(at, "parameters", dag_run.parameters)
    if dag_run.started_at is not None:
        run.begin(dag_run.started_at)


def override_steps(steps: Steps, event: RunEvent) -> None:
    """Apply what the last event of a DAG says of its tasks.

    A skipped task sends COMPLETE; one whose upstream failed, or that never began, sends nothing.
    """
    for task_id, state in sorted((event.facets.states or {}).items()):
        attempts = sorted(attempt for name, index, attempt in steps if name == task_id and index is None)
        if attempts:
            _override(steps, (task_id, None, attempts[-1]), state, event.at)
        elif not any(name == task_id for name, _, _ in steps):
            _add(steps, (task_id, None, 1), state, event.at)


def _override(steps: Steps, key: StepKey, state: TaskState, at: datetime) -> None:
    """Let the state decide about the last known attempt, unless there must have been another one after it."""
    step = steps[key]
    status, outcome = TASK_STATES.get(state.word, _UNKNOWN)
    if status not in TERMINAL or outcome is None:
        return
    known = step.status.value
    if known == status and step.said["outcome"].value == outcome:
        return
    if known == RunStatus.FAILED and status == RunStatus.COMPLETED:
        _add(steps, (*key[:2], key[2] + 1), state, at)
        return
    step.finish(max(at, step.last_at or at) + _AFTER_ENDS, status, outcome, state.word)


def _add(steps: Steps, key: StepKey, state: TaskState, at: datetime) -> None:
    """Add a task that no event was about."""
    step = steps[key] = Fields()
    step.hear(at, at)
    step.say_if_known(at, "duration_ms", state.duration_ms)
    status, outcome = TASK_STATES.get(state.word, _UNKNOWN)
    if status == RunStatus.RUNNING:
        step.begin()
    if status in TERMINAL and outcome is not None:
        step.finish(at + _AFTER_ENDS, status, outcome, state.word)
    else:
        step.say(at, "source_status", state.word)
