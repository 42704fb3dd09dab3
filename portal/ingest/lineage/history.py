"""Writes what folded events change into history: takes back what was wrong, then imports lines."""

import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Run, RunStatus, Step, StepResult, Upload, Workflow, WorkflowVersion
from portal.history import identity
from portal.history.parsing.decoding import canonical
from portal.history.parsing.encoding import encode_lines
from portal.history.parsing.lines import ParsedLine, parse_line
from portal.history.parsing.readers import BadField
from portal.history.parsing.runs import Arrival
from portal.history.storing.store import Store, workflows_of
from portal.history.ways import WayIn
from portal.ingest.lineage.folding.airflow import StepKey
from portal.ingest.lineage.folding.difference import Difference
from portal.ingest.lineage.folding.fields import Line
from portal.ingest.lineage.folding.identity import RunIdentity
from portal.runs.recording.causes.explaining import explain_again
from portal.runs.recording.found_by import terms
from portal.runs.recording.recorder import delete_runs
from portal.runs.recording.workflow_rows import lock_workflows, touch_workflows

_FINISHED = (RunStatus.COMPLETED, RunStatus.FAILED)

log = logging.getLogger(__name__)


def run_id_of(workspace_id: UUID, run: RunIdentity) -> UUID:
    return identity.run_id(workspace_id, run.source, run.external_id)


def workflow_id_of(workspace_id: UUID, run: RunIdentity) -> UUID:
    return identity.workflow_id(workspace_id, run.source, run.workflow_id)


def write(
    session: Session, workspace_id: UUID, found: Difference, key_id: UUID | None, now: datetime
) -> None:
    """Write a difference in a transaction that holds the lock of the workspace."""
    arrival = Arrival(workspace_id, now, live=True)
    lines, bad = _parsed(found.lines, arrival)
    encoded = encode_lines(session.get_bind().dialect, lines, workspace_id)
    wrong = [*found.gone_runs, *(run for run, _ in found.gone_steps)]
    if wrong:
        # All at once, in the order of ids: what is taken back changes counts of the workspace.
        ours = {workflow_id_of(workspace_id, run) for run in wrong}
        lock_workflows(session, ours | workflows_of(line for _, line in encoded))
    for run in found.gone_runs:
        _delete_run(session, run_id_of(workspace_id, run), workflow_id_of(workspace_id, run))
    for run, keys in found.gone_steps:
        run_id, workflow_id = run_id_of(workspace_id, run), workflow_id_of(workspace_id, run)
        _delete_steps(session, run_id, workflow_id, keys)
        touch_workflows(session, [workflow_id])
    if found.lines:
        store = Store(session, arrival, WayIn(key_id, live=True))
        bad += store.take(encoded).bad
        store.finish()
        _log_refusals(bad)


def existing_runs(session: Session, run_ids: Collection[UUID]) -> set[UUID]:
    """Those of these runs that history has."""
    return set(session.scalars(sa.select(Run.id).where(Run.id.in_(run_ids))))


def _parsed(
    lines: Sequence[Line], arrival: Arrival
) -> tuple[list[tuple[int, ParsedLine]], list[tuple[int, BadField]]]:
    """Lines, and what is wrong with those that are refused, such as of a workflow that was deleted."""
    parsed, bad = list[tuple[int, ParsedLine]](), list[tuple[int, BadField]]()
    for number, line in enumerate(lines, 1):
        try:
            parsed.append((number, parse_line(canonical(line), arrival)))
        except BadField as error:
            bad.append((number, error.bare()))
    return parsed, bad


def _log_refusals(bad: Iterable[tuple[int, BadField]]) -> None:
    for reason in sorted({f"{error.field}: {error}" for _, error in bad}):
        log.warning("history refuses what events of OpenLineage say: %s", reason)


def _delete_run(session: Session, run_id: UUID, workflow_id: UUID) -> None:
    """Delete a run that was none, and its workflow if nothing else is in it."""
    delete_runs(session, workflow_id, [run_id])
    holds = [sa.exists().where(model.workflow_id == workflow_id) for model in (Run, Upload, WorkflowVersion)]
    empty = sa.delete(Workflow).where(Workflow.id == workflow_id, *(~each for each in holds))
    session.execute(empty, execution_options={"synchronize_session": False})


def _delete_steps(session: Session, run_id: UUID, workflow_id: UUID, keys: Collection[StepKey]) -> None:
    """Delete steps of a run; the others keep their positions until the next line about the run."""
    steps = session.execute(
        sa.select(Step.position, Step.node_id, Step.iteration, Step.source).where(Step.run_id == run_id)
    )
    gone = [
        row.position
        for row in steps
        if (row.node_id, (row.source or {}).get("map_index"), row.iteration) in keys
    ]
    for model in (StepResult, Step):
        session.execute(sa.delete(model).where(model.run_id == run_id, model.position.in_(gone)))
    left = sa.select(sa.func.count()).select_from(Step).where(Step.run_id == run_id)
    counted = {
        "total_steps": left.scalar_subquery(),
        "finished_steps": left.where(Step.status.in_(_FINISHED)).scalar_subquery(),
        "import_digest": None,
    }
    session.execute(
        sa.update(Run).where(Run.id == run_id).values(**counted),
        execution_options={"synchronize_session": False},
    )
    terms.renew(session, run_id, workflow_id)
    explain_again(session, run_id)
