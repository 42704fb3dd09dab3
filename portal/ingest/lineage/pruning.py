"""Removes events of OpenLineage that are not needed any more; what they told stays in history."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.engine import db
from portal.database.models import LineageEvent, LineageRun
from portal.database.transactions import writing
from portal.ingest.lineage.store import lock_workspace

AFTER_END = timedelta(hours=24)
"""How long the events of a run that has ended are kept after the last one."""
SILENT = timedelta(days=30)
"""How long those of a run that has not ended are, and those that no fold took."""
ROOTS_AT_ONCE = 200


def prune(now: datetime) -> int:
    """Remove the events of old roots, a few hundred roots in a transaction; returns how many events.

    The row of a root stays, with its identity: an event that comes later finds the run of history.
    """
    workspaces = db.session.scalars(sa.select(LineageRun.workspace_id).where(*_old(now)).distinct()).all()
    removed = 0
    for workspace_id in workspaces:
        while True:
            with writing() as session:
                lock_workspace(session, workspace_id)
                mine = (LineageRun.workspace_id == workspace_id, *_old(now))
                oldest = sa.select(LineageRun.run_id).where(*mine).order_by(LineageRun.heard_at)
                roots = session.scalars(oldest.limit(ROOTS_AT_ONCE)).all()
                removed += _remove(session, workspace_id, roots)
            if len(roots) < ROOTS_AT_ONCE:
                break
    return removed + _remove_waiting(now)


def _old(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    is_old = sa.or_(
        sa.and_(LineageRun.has_ended, LineageRun.heard_at < now - AFTER_END),
        LineageRun.heard_at < now - SILENT,
    )
    return LineageRun.heard_at.is_not(None), is_old


def _remove(session: Session, workspace_id: UUID, roots: Collection[UUID]) -> int:
    """Remove the events of these roots, and all rows but those of roots that are runs of history."""
    of_trees = (LineageEvent.workspace_id == workspace_id, LineageEvent.root_id.in_(roots))
    gone = session.execute(sa.delete(LineageEvent).where(*of_trees).returning(LineageEvent.key)).all()
    runs = (LineageRun.workspace_id == workspace_id, LineageRun.root_id.in_(roots))
    is_root = sa.and_(LineageRun.run_id == LineageRun.root_id, LineageRun.history_run_id.is_not(None))
    session.execute(sa.delete(LineageRun).where(*runs, ~is_root))
    session.execute(sa.update(LineageRun).where(*runs).values(heard_at=None, is_fixed=True))
    return len(gone)


def _remove_waiting(now: datetime) -> int:
    """Remove events that could not be folded for a long time."""
    waiting = sa.delete(LineageEvent).where(
        LineageEvent.root_id.is_(None), LineageEvent.arrived_at < now - SILENT
    )
    with writing() as session:
        return len(session.execute(waiting.returning(LineageEvent.key)).all())
