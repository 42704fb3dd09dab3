"""What a transaction changes in the counts beside the runs.

Whoever writes a run holds its workflow's row (see the recorder), so the counts of one workflow have
one writer at a time and need no lock of their own.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Self
from uuid import UUID

from sqlalchemy.orm import Session

from portal.database.models import Run, RunStatus
from portal.moments import elapsed_ms
from portal.runs.counts import buckets, grains
from portal.runs.counts.histograms import Keys, microseconds
from portal.runs.counts.thresholds import THRESHOLDS, Thresholds
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
            elapsed_ms(started_at, completed_at, paused_ms) if completed else None,
            (delivered_audio_ms or 0) if completed else 0,
            credits or 0,
            output_line_count or 0,
            person_id,
        )


COUNTED = (
    *("id", "workflow_id", "status", "created_at", "started_at", "completed_at"),
    *("paused_ms", "delivered_audio_ms", "credits", "output_line_count", "person_id"),
)


class Changes:
    """What is to be added to the counts: runs counted out as they were, and in as they are."""

    def __init__(self, removed: Iterable[Counted] = (), added: Iterable[Counted] = ()) -> None:
        self.counts: defaultdict[UUID, grains.Counts] = defaultdict(grains.no_counts)
        self.moves: defaultdict[UUID, buckets.Moves] = defaultdict(buckets.Moves)
        self.count(removed, added)

    def count(self, removed: Iterable[Counted], added: Iterable[Counted]) -> None:
        """Count more runs out, and in."""
        for sign, runs in ((-1, removed), (1, added)):
            for workflow_id, its_runs in _by_workflow(runs).items():
                ids, _, statuses, created, started, completed, took_ms, *added_up, people = zip(
                    *its_runs, strict=True
                )
                keys = Keys(ids, [_POSITION[status] for status in statuses], created, started, completed)
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
    buckets.apply(session, changes.moves, thresholds)
    for number, grain in enumerate(grains.GRAINS):
        rows: dict[grains.Key, list[int]] = {
            (workflow_id, *key): values
            for workflow_id in sorted(changes.counts)
            for key, values in sorted(changes.counts[workflow_id][number].items())
            if any(values)
        }
        grains.add(session, grain, rows)
