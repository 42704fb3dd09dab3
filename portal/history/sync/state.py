"""What a mirror knows of the runs elsewhere, and what is here under their ids."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NamedTuple, TypedDict, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.database.models import ACTIVE, MirroredRun, Run, RunStatus, Workflow
from portal.database.sql.in_lists import chunks

_RUNS = cast(sa.Table, MirroredRun.__table__)
_UPSERT_CHUNK = 500


class DetailRank(IntEnum):
    """Which details are fetched first."""

    OPENED = 0
    """Somebody has opened the run."""
    FAILED = 1
    ENDED = 2
    TRIED = 3
    """They could not be fetched when they were first asked for."""
    ACTIVE = 4
    """Not yet to be fetched: the run goes on."""


SETTLING = timedelta(minutes=10)
"""How long after its end a run may still change: counts and costs are added up after the last step."""


def is_unsettled(status: str, completed_at: datetime | None, at: datetime) -> bool:
    """Whether a run that was seen at some moment is to be asked for again."""
    return status in ACTIVE or (completed_at is not None and completed_at > at - SETTLING)


def rank_of(status: str) -> DetailRank:
    if status in ACTIVE:
        return DetailRank.ACTIVE
    return DetailRank.FAILED if status == RunStatus.FAILED else DetailRank.ENDED


class KnownRun(NamedTuple):
    status: str
    scan: int
    gone_at: datetime | None
    refused: str | None


class RunRow(TypedDict):
    """The columns of a MirroredRun."""

    run_id: UUID
    mirror_id: UUID
    workflow_id: UUID
    status: str
    created_at: datetime
    scan: int
    unsettled: bool
    detail_rank: int | None
    gone_at: datetime | None
    refused: str | None


class Wanted(NamedTuple):
    """A run whose details are to be fetched."""

    run_id: UUID
    workflow_id: UUID
    status: str


def known_runs(session: Session, mirror_id: UUID, run_ids: Sequence[UUID]) -> dict[UUID, KnownRun]:
    found: dict[UUID, KnownRun] = {}
    for chunk in chunks(run_ids):
        rows = sa.select(_RUNS.c.run_id, *(_RUNS.c[name] for name in KnownRun._fields))
        rows = rows.where(_RUNS.c.mirror_id == mirror_id, _RUNS.c.run_id.in_(chunk))
        found |= {run_id: KnownRun(*values) for run_id, *values in session.execute(rows)}
    return found


def store_runs(session: Session, rows: Sequence[RunRow]) -> None:
    """Insert or update runs; one that somebody has opened keeps its place in the queue of details."""
    kind = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    for start in range(0, len(rows), _UPSERT_CHUNK):
        insert = kind.insert(_RUNS).values(rows[start : start + _UPSERT_CHUNK])
        values = {
            name: insert.excluded[name] for name in ("status", "scan", "unsettled", "gone_at", "refused")
        }
        opened = (_RUNS.c.detail_rank == DetailRank.OPENED) & insert.excluded.refused.is_(None)
        values["detail_rank"] = sa.case((opened, DetailRank.OPENED), else_=insert.excluded.detail_rank)
        session.execute(insert.on_conflict_do_update(index_elements=["run_id", "mirror_id"], set_=values))


def note_listed(session: Session, mirror_id: UUID, run_ids: Sequence[UUID], scan: int) -> None:
    """Note that a scan has listed known runs."""
    for chunk in chunks(run_ids):
        session.execute(_update(mirror_id, chunk).values(scan=scan))


def mark_gone(session: Session, mirror_id: UUID, run_ids: Sequence[UUID], now: datetime) -> int:
    """Note that runs are not there any more; returns how many of them are copied here."""
    copied = 0
    for chunk in chunks(run_ids):
        gone = _update(mirror_id, chunk).values(gone_at=now, unsettled=False, detail_rank=None)
        refused = session.execute(gone.returning(_RUNS.c.refused)).scalars()
        copied += sum(reason is None for reason in refused)
    return copied


def set_rank(session: Session, mirror_id: UUID, run_ids: Sequence[UUID], rank: DetailRank | None) -> None:
    for chunk in chunks(run_ids):
        session.execute(_update(mirror_id, chunk).values(detail_rank=rank))


def forget_runs(session: Session, mirror_id: UUID, run_ids: Sequence[UUID]) -> None:
    for chunk in chunks(run_ids):
        session.execute(sa.delete(_RUNS).where(_RUNS.c.mirror_id == mirror_id, _RUNS.c.run_id.in_(chunk)))


def _update(mirror_id: UUID, run_ids: Sequence[UUID]) -> sa.Update:
    return sa.update(_RUNS).where(_RUNS.c.mirror_id == mirror_id, _RUNS.c.run_id.in_(run_ids))


def _of_workflow(mirror_id: UUID, workflow_id: UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return (_RUNS.c.mirror_id == mirror_id, _RUNS.c.workflow_id == workflow_id)


def unlisted(session: Session, mirror_id: UUID, workflow_id: UUID, scan: int) -> list[UUID]:
    """Runs of a workflow that a scan, come to its end, has not listed: they are not there any more."""
    mine = _of_workflow(mirror_id, workflow_id)
    runs = sa.select(_RUNS.c.run_id).where(*mine, _RUNS.c.scan < scan, _RUNS.c.gone_at.is_(None))
    return list(session.scalars(runs))


def count_runs(session: Session, mirror_id: UUID, workflow_id: UUID) -> dict[str, int]:
    """How many runs a workflow has there by status, as far as is known."""
    mine = _of_workflow(mirror_id, workflow_id)
    counted = sa.select(_RUNS.c.status, sa.func.count()).where(*mine, _RUNS.c.gone_at.is_(None))
    return {row[0]: row[1] for row in session.execute(counted.group_by(_RUNS.c.status))}


def unsettled_runs(session: Session, mirror_id: UUID, workflow_id: UUID) -> dict[UUID, str]:
    """Copied runs of a workflow that are to be asked for again, newest first, with their status."""
    runs = sa.select(_RUNS.c.run_id, _RUNS.c.status).where(
        *_of_workflow(mirror_id, workflow_id), _RUNS.c.unsettled
    )
    rows = session.execute(runs.order_by(_RUNS.c.created_at.desc(), _RUNS.c.run_id))
    return {row.run_id: row.status for row in rows}


def settle(session: Session, mirror_id: UUID, run_ids: Sequence[UUID]) -> None:
    """Note that runs change no more."""
    for chunk in chunks(run_ids):
        session.execute(_update(mirror_id, chunk).values(unsettled=False))


def gone_runs(session: Session, mirror_id: UUID, before: datetime) -> list[tuple[UUID, UUID]]:
    """Copied runs that were gone before this moment: workflow and run, by workflow."""
    gone = sa.select(_RUNS.c.workflow_id, _RUNS.c.run_id).where(
        _RUNS.c.mirror_id == mirror_id, _RUNS.c.gone_at < before, _RUNS.c.refused.is_(None)
    )
    rows = session.execute(gone.order_by(_RUNS.c.workflow_id, _RUNS.c.run_id))
    return [(workflow_id, run_id) for workflow_id, run_id in rows]


def all_runs(session: Session, mirror_id: UUID, workflow_id: UUID) -> list[UUID]:
    """The runs of a workflow that were not yet found to be gone."""
    mine = _of_workflow(mirror_id, workflow_id)
    return list(session.scalars(sa.select(_RUNS.c.run_id).where(*mine, _RUNS.c.gone_at.is_(None))))


def next_details(session: Session, mirror_id: UUID, ranks: Collection[DetailRank], most: int) -> list[Wanted]:
    """The runs whose details come next: by rank, then the newest."""
    found: list[Wanted] = []
    for rank in sorted(ranks):  # one at a time: an index has them in this order, of any number of runs
        wanted = sa.select(*(_RUNS.c[name] for name in Wanted._fields))
        wanted = wanted.where(_RUNS.c.mirror_id == mirror_id, _RUNS.c.detail_rank == rank)
        newest = wanted.order_by(_RUNS.c.created_at.desc(), _RUNS.c.run_id.desc())
        found += [Wanted(*row) for row in session.execute(newest.limit(most - len(found)))]
        if len(found) == most:
            break
    return found


class WorkflowHere(NamedTuple):
    workspace_id: UUID
    deleted: bool
    source: object
    """What its line named as its source; None if it was made here."""


def workflows_here(session: Session, workflow_ids: Iterable[UUID]) -> dict[UUID, WorkflowHere]:
    """Those of these workflows that are in some workspace here."""
    found: dict[UUID, WorkflowHere] = {}
    for chunk in chunks(sorted(set(workflow_ids))):
        rows = sa.select(Workflow.id, Workflow.workspace_id, Workflow.deleted_at, Workflow.source)
        for row in session.execute(rows.where(Workflow.id.in_(chunk))):
            named = (row.source or {}).get("source")
            found[row.id] = WorkflowHere(row.workspace_id, row.deleted_at is not None, named)
    return found


def refusals(session: Session, source: str, workflow_id: UUID, run_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Those of these runs that are here but did not come from this source, and what they are instead.

    Ids are kept, so a run of another source with the same id is another run, or the same by another way.
    """
    found: dict[UUID, str] = {}
    for chunk in chunks(run_ids):
        rows = sa.select(Run.id, Run.workflow_id, Run.imported, Run.source_system).where(Run.id.in_(chunk))
        for run_id, its_workflow_id, imported, its_source in session.execute(rows):
            if its_workflow_id != workflow_id:
                found[run_id] = OTHER_WORKFLOW
            elif not imported:
                found[run_id] = MADE_HERE
            elif its_source != source:
                found[run_id] = OTHER_WAY
    return found


OTHER_WORKFLOW = "A run of another workflow here has its id."
MADE_HERE = "It was made here."
OTHER_WAY = "It came here another way."
