"""What a transaction changes in the counts beside the runs.

Whoever writes a run holds its workflow's row (see the recorder), so the counts of one workflow have
one writer at a time and need no lock of their own. Those of a workspace, its causes among them, are locked by
its row of totals, and for as short as can be. The order of locks is one everywhere: the workspace (whoever
needs it), all workflows in the order of their ids, runs, the row of totals; no workflow after that.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, Self
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Run, RunStatus, Workflow, WorkspaceRunTotals
from portal.database.sql.in_lists import chunks
from portal.database.sql.upserts import insert_or_add
from portal.moments import elapsed_ms
from portal.runs.counts import arrivals, buckets, grains
from portal.runs.counts.histograms import NO_KEY, Keys, microseconds
from portal.runs.counts.thresholds import THRESHOLDS, Thresholds
from portal.runs.scope import WORKFLOW_COUNTS, WORKSPACE_COUNTS, CountTables
from portal.runs.statuses import STATUSES

_ADDED_UP = ("active_ms", "delivered_audio_ms", "credits", "output_lines")
"""The sums of values of runs, in the order of Counted."""
_POSITION = {status: position for position, status in enumerate(STATUSES)}


class Counted(NamedTuple):
    """What the counts know of a run; moments are whole numbers, which compare and cross processes fast."""

    id: int
    workflow_id: UUID
    status: str
    created_at: int
    started_at: int
    completed_at: int
    duration_ms: int
    took_ms: int | None
    """What a completed run took, where that is known."""
    audio_ms: int
    """What a completed run delivered."""
    credits: int
    output_lines: int
    person_id: int | None

    @classmethod
    def of(cls, run: Run) -> Self:
        return cls.of_values(*(getattr(run, name) for name in COUNTED))

    @classmethod
    def of_values(
        cls,
        run_id: UUID,
        workflow_id: UUID,
        status: str,
        created_at: datetime,
        started_at: datetime | None,
        completed_at: datetime | None,
        duration_ms: int | None,
        paused_ms: int | None,
        delivered_audio_ms: int | None,
        credits: int | None,
        output_line_count: int | None,
        person_id: int | None = None,
    ) -> Self:
        """Of the values of the columns COUNTED."""
        completed = status == RunStatus.COMPLETED
        return cls(
            run_id.int,
            workflow_id,
            status,
            microseconds(created_at),
            microseconds(started_at),
            microseconds(completed_at),
            NO_KEY if duration_ms is None else duration_ms,
            elapsed_ms(started_at, completed_at, paused_ms) if completed else None,
            (delivered_audio_ms or 0) if completed else 0,
            credits or 0,
            output_line_count or 0,
            person_id,
        )


COUNTED = (
    *("id", "workflow_id", "status", "created_at", "started_at", "completed_at", "duration_ms"),
    *("paused_ms", "delivered_audio_ms", "credits", "output_line_count", "person_id"),
)


class Changes:
    """What is to be added to the counts: runs counted out as they were, and in as they are."""

    def __init__(self, removed: Iterable[Counted] = (), added: Iterable[Counted] = ()) -> None:
        self.counts: defaultdict[UUID, grains.Counts] = defaultdict(grains.no_counts)
        self.moves: defaultdict[UUID, buckets.Moves] = defaultdict(buckets.Moves)
        self.arrivals: dict[UUID, int] = {}
        """The workflows into which runs came, with the version that these have as `arrived_in`."""
        self.count(removed, added)

    def count(self, removed: Iterable[Counted], added: Iterable[Counted]) -> None:
        """Count more runs out, and in."""
        for sign, runs in ((-1, removed), (1, added)):
            for workflow_id, its_runs in _by_workflow(runs).items():
                ids, _, statuses, created, started, completed, durations, took_ms, *added_up, people = zip(
                    *its_runs, strict=True
                )
                positions = [_POSITION[status] for status in statuses]
                keys = Keys(ids, positions, created, started, completed, durations)
                grains.count(self.counts[workflow_id], sign, keys, people)
                moves = self.moves[workflow_id]
                moves.add(sign, keys)
                moves.count(sign, created, "timed_runs", took_ms)
                for column, values in zip(_ADDED_UP, (took_ms, *added_up), strict=True):
                    moves.sum(sign, created, column, values)


def _by_workflow(runs: Iterable[Counted]) -> defaultdict[UUID, list[Counted]]:
    found: defaultdict[UUID, list[Counted]] = defaultdict(list)
    for run in runs:
        found[run.workflow_id].append(run)
    return found


def apply(session: Session, changes: Changes, thresholds: Thresholds = THRESHOLDS) -> None:
    """Add to the counts what runs that are written already change. Hold their workflows (lock_workflows)."""
    session.flush()
    of_workflows = buckets.changes_of(changes.moves)
    buckets.apply(session, WORKFLOW_COUNTS, of_workflows, thresholds)
    _add(session, WORKFLOW_COUNTS, changes.counts)
    workspace_of = _workspaces(session, changes.counts)
    lock_workspaces(session, workspace_of.values())
    buckets.apply(session, WORKSPACE_COUNTS, buckets.together(of_workflows, workspace_of), thresholds)
    _add(session, WORKSPACE_COUNTS, _together(changes.counts, workspace_of))
    arrivals.note(session, changes.arrivals, workspace_of)


def count_out(session: Session, workflow_id: UUID, thresholds: Thresholds = THRESHOLDS) -> None:
    """Count the runs of a locked workflow out of its workspace: it is deleted."""
    _count_workflow(session, workflow_id, -1, thresholds)


def count_in(session: Session, workflow_id: UUID, thresholds: Thresholds = THRESHOLDS) -> None:
    """Count them in again: it is restored."""
    _count_workflow(session, workflow_id, 1, thresholds)


def _count_workflow(session: Session, workflow_id: UUID, sign: int, thresholds: Thresholds) -> None:
    session.flush()
    workspace_id = session.scalars(sa.select(Workflow.workspace_id).where(Workflow.id == workflow_id)).one()
    counts = grains.no_counts()
    for grain, own in zip(grains.GRAINS[WORKFLOW_COUNTS], counts, strict=True):
        for (_, *key), values in grains.stored(session, grain, [workflow_id]).items():
            own[tuple(key)] = [sign * value for value in values]
    lock_workspaces(session, [workspace_id])
    of_histograms = buckets.changes_of_workflow(session, workflow_id, sign)
    buckets.apply(session, WORKSPACE_COUNTS, {workspace_id: of_histograms}, thresholds)
    _add(session, WORKSPACE_COUNTS, {workspace_id: counts})


def lock_workspaces(session: Session, workspace_ids: Iterable[UUID]) -> None:
    """Lock the counts of these workspaces until the transaction ends."""
    for workspace_id in sorted(set(workspace_ids)):
        insert_or_add(session, WorkspaceRunTotals, {"workspace_id": workspace_id}, {RunStatus.PENDING: 0})


def _workspaces(session: Session, workflow_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The workspaces of those workflows that are not deleted."""
    found: dict[UUID, UUID] = {}
    for chunk in chunks(sorted(workflow_ids)):
        live = sa.select(Workflow.id, Workflow.workspace_id).where(Workflow.deleted_at.is_(None))
        found |= {row.id: row.workspace_id for row in session.execute(live.where(Workflow.id.in_(chunk)))}
    return found


def _together(
    counts: Mapping[UUID, grains.Counts], workspace_of: Mapping[UUID, UUID]
) -> dict[UUID, grains.Counts]:
    """The counts of the workspaces of these workflows."""
    found: defaultdict[UUID, grains.Counts] = defaultdict(grains.no_counts)
    for workflow_id in counts.keys() & workspace_of.keys():
        for total, own in zip(found[workspace_of[workflow_id]], counts[workflow_id], strict=True):
            for key, values in own.items():
                total[key] = [before + more for before, more in zip(total[key], values, strict=True)]
    return found


def _add(session: Session, tables: CountTables, counts: Mapping[UUID, grains.Counts]) -> None:
    for number, grain in enumerate(grains.GRAINS[tables]):
        rows: dict[grains.Key, list[int]] = {
            (owner_id, *key): values
            for owner_id in sorted(counts)
            for key, values in sorted(counts[owner_id][number].items())
            if any(values)
        }
        grains.add(session, grain, rows)
