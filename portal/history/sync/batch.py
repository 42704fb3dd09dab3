"""Runs that were listed since the last commit: written as lines of history, then noted as known."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from portal.database.engine import db
from portal.database.models import MirroredWorkflow
from portal.database.transactions import writing
from portal.history.importer import import_lines
from portal.history.parsing.readers import Values
from portal.history.summary import ImportSummary
from portal.history.sync import lines, state
from portal.history.sync.source import Item, Source
from portal.history.sync.state import KnownRun, RunRow
from portal.history.sync.summary import PassSummary
from portal.history.ways import WayIn
from portal.runs.recording.workflow_rows import touch_workflows

MOST_RUNS = 500
"""Runs in a commit: other writers wait meanwhile."""
MAX_REASON = 200
MAX_STATUS = 20

FROM_HERE = "It came from this workspace."
BY_MIRROR = WayIn(live=True)


class Target(NamedTuple):
    """What a pass needs of its mirror."""

    id: UUID
    workspace_id: UUID
    source: str


@dataclass
class Work:
    """A pass that is being made."""

    target: Target
    source: Source
    summary: PassSummary
    clock: Callable[[], datetime]
    go_on: Callable[[], None]
    """Called after each commit: renews the lease. Raises to end the pass there."""
    listed: Callable[[int], None]
    """Told how many more runs a scan has listed."""


@dataclass
class WorkflowState:
    """A MirroredWorkflow."""

    mirror_id: UUID
    workflow_id: UUID
    described_at: datetime | None = None
    checksum: Values | None = None
    scan: int = 0
    scanning: bool = False
    scan_offset: int = 0
    covered_at: datetime | None = None
    covered_id: UUID | None = None
    complete: bool = False
    gone_at: datetime | None = None
    refused: str | None = None

    @classmethod
    def of(cls, row: MirroredWorkflow) -> "WorkflowState":
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})

    def store(self, session: Session) -> None:
        session.merge(MirroredWorkflow(**vars(self)))


@contextmanager
def reading() -> Iterator[Session]:
    """A short read transaction: none stays open while another host is waited for."""
    try:
        yield db.session()
    finally:
        db.session.rollback()


@dataclass
class Copied:
    """A run as the source described it, with its steps if these were fetched."""

    item: Item
    at: datetime
    """When it was so."""
    steps: Sequence[Values] | None = None
    updated_at: datetime | None = None
    """Its last change, where only lists have told of it."""


def import_runs(work: Work, workflow_id: UUID, runs: Sequence[Copied]) -> dict[UUID, str]:
    """Import runs of a workflow; returns why some were refused."""
    refused = _import(work, workflow_id, runs, extras=True)
    return _import(work, workflow_id, [run for run in runs if run.item.id in refused], extras=False)


def _import(work: Work, workflow_id: UUID, runs: Sequence[Copied], *, extras: bool) -> dict[UUID, str]:
    if not runs:
        return {}
    now = work.clock()
    texts = [
        lines.run_line(
            run.item.values,
            workflow_id,
            work.target.source,
            min(run.at, now),  # a clock there that is ahead must not outdo what comes later
            run.steps,
            updated_at=run.updated_at,
            extras=extras,
        )
        for run in runs
    ]
    imported = import_lines(work.target.workspace_id, texts, now=now, way=BY_MIRROR)
    work.summary.new += imported.total.runs_new
    if any(run.steps is None for run in runs):  # details are counted by themselves
        work.summary.updated += imported.total.runs_updated
    return {runs[number - 1].item.id: reason for number, reason in reasons(imported).items()}


def reasons(imported: ImportSummary) -> Mapping[int, str]:
    """Why lines were refused, by their number."""
    return {bad.line_number: f"{bad.field}: {bad.reason}"[:MAX_REASON] for bad in imported.bad}


@dataclass
class Batch:
    """Runs of one workflow, to be committed together with how far its listing has come."""

    work: Work
    progress: WorkflowState
    _runs: dict[UUID, Item] = field(default_factory=dict)
    _known: dict[UUID, KnownRun] = field(default_factory=dict)
    _asked: set[UUID] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, items: Sequence[Item], *, asked: bool = False) -> int:
        """Take runs as they were listed; returns how many of them are news.

        What was asked for by its id is written even if its status is the one that is known.
        """
        ids = [item.id for item in items]
        fresh = [run_id for run_id in ids if run_id not in self._runs]
        with reading() as session:
            self._known |= state.known_runs(session, self.work.target.id, fresh)
        self._runs |= zip(ids, items, strict=True)
        if asked:
            self._asked.update(ids)
        return sum(self._is_news(run_id) for run_id in fresh)

    def commit(self) -> None:
        """Write what is new as lines, then what is known and how far the listing has come."""
        target, workflow_id = self.work.target, self.progress.workflow_id
        unknown = [run_id for run_id in self._runs if run_id not in self._known]
        with reading() as session:
            refused = state.refusals(session, target.source, workflow_id, unknown)
        for run_id in unknown:
            if lines.comes_from(self._runs[run_id].values, target.workspace_id):
                refused.setdefault(run_id, FROM_HERE)
        changed = [run_id for run_id in self._runs if self._has_changed(run_id, refused)]
        bad = import_runs(self.work, workflow_id, [self._copied(run_id) for run_id in changed])
        refused |= {run_id: bad[run_id] for run_id in unknown if run_id in bad}
        self.work.summary.refused.update(
            [*refused.values(), *(bad[each] for each in bad.keys() - set(unknown))]
        )
        returned = [run_id for run_id, known in self._known.items() if known.gone_at is not None]
        self.work.summary.returned += len(returned)
        with writing() as session:
            news = sorted({*unknown, *changed, *returned})
            rows = [self._row(run_id, refused.get(run_id)) for run_id in news]
            state.store_runs(session, rows)
            behind = [run_id for run_id, known in self._known.items() if known.scan < self.progress.scan]
            state.note_listed(session, target.id, behind, self.progress.scan)
            if returned:
                touch_workflows(session, [workflow_id])
            self.progress.store(session)
        self._runs, self._known, self._asked = {}, {}, set()
        self.work.go_on()

    def _is_news(self, run_id: UUID) -> bool:
        known = self._known.get(run_id)
        return known is None or known.gone_at is not None

    def _has_changed(self, run_id: UUID, refused: Mapping[UUID, str]) -> bool:
        """Whether what was listed is to be written as a line."""
        known = self._known.get(run_id)
        if known is None:
            return run_id not in refused
        moved = self._status(run_id) != known.status or known.gone_at is not None
        return known.refused is None and (moved or run_id in self._asked)

    def _copied(self, run_id: UUID) -> Copied:
        """The run as of its last change where it is new, else as of now: what is known may be as young."""
        item, known = self._runs[run_id], self._known.get(run_id)
        if known is None:
            return Copied(item, item.changed_at, updated_at=item.changed_at)
        moved = known.status != self._status(run_id)
        return Copied(item, item.at, updated_at=item.changed_at if moved else None)

    def _status(self, run_id: UUID) -> str:
        return str(self._runs[run_id].values["status"])[:MAX_STATUS]

    def _row(self, run_id: UUID, refused: str | None) -> RunRow:
        item, known = self._runs[run_id], self._known.get(run_id)
        refused = refused or (known.refused if known else None)
        return {
            "run_id": run_id,
            "mirror_id": self.work.target.id,
            "workflow_id": self.progress.workflow_id,
            "status": self._status(run_id),
            "created_at": item.created_at,
            "scan": self.progress.scan,
            "unsettled": refused is None
            and state.is_unsettled(self._status(run_id), item.moment("completed_at"), item.at),
            "detail_rank": None if refused else state.rank_of(self._status(run_id)),
            "gone_at": None,
            "refused": refused,
        }
