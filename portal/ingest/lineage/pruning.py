"""Removes events of OpenLineage that are not needed any more; what they told stays in history."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.database.models import LineageEvent, LineageRun
from portal.database.transactions import writing

AFTER_END = timedelta(hours=24)
"""How long the events of a run that has ended are kept after the last one."""
SILENT = timedelta(days=30)
"""How long those of a run that has not ended are."""
ROOTS_AT_ONCE = 200


def prune(now: datetime) -> int:
    """Remove the events of old roots, a few hundred roots in a transaction; returns how many events.

    The row of a root stays, with its identity: an event that comes later finds the run of history.
    """
    removed = 0
    while True:
        with writing() as session:
            is_old = sa.or_(
                sa.and_(LineageRun.has_ended, LineageRun.heard_at < now - AFTER_END),
                LineageRun.heard_at < now - SILENT,
            )
            roots = session.execute(
                sa.select(LineageRun.workspace_id, LineageRun.run_id)
                .where(LineageRun.heard_at.is_not(None), is_old)
                .order_by(LineageRun.heard_at)
                .limit(ROOTS_AT_ONCE)
            ).all()
            for workspace_id, root_id in roots:
                of_tree = (LineageEvent.workspace_id == workspace_id, LineageEvent.root_id == root_id)
                gone = session.execute(sa.delete(LineageEvent).where(*of_tree).returning(LineageEvent.key))
                removed += len(gone.all())
                runs = (LineageRun.workspace_id == workspace_id, LineageRun.root_id == root_id)
                session.execute(sa.delete(LineageRun).where(*runs, LineageRun.run_id != root_id))
                session.execute(sa.update(LineageRun).where(*runs).values(heard_at=None, is_fixed=True))
        if len(roots) < ROOTS_AT_ONCE:
            return removed
