"""Run events: one row for every change of a run, written in its transaction and kept for a time.

Old events are pruned whenever one is written, a few at a time: the table stays small without a job that an
operator must schedule, no transaction deletes more than a page of rows, and a backlog shrinks faster than it
grows. Where nothing is written, nothing is pruned, but nothing grows either.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Run, RunEvent, RunStatus
from portal.runs.recording.state_machine import Event, event_of

RETENTION_DAYS = "portal_run_events_days"
"""The engine's execution option that says for how many days events are kept; 0 or none keeps all."""
NEWS_MINUTES = "portal_news_minutes"
"""The execution option that says how old a change may be that a live way in tells of as an event."""
PRUNED_AT_ONCE = 10
"""Events deleted at the most when one is written; when many are, twice as many as these."""


def record_event(
    session: Session,
    run: Run,
    event: Event,
    from_status: RunStatus | None,
    occurred_at: datetime,
    *,
    person_id: int | None,
    api_key_id: UUID | None,
) -> None:
    """Record an event that has brought the run to its present status, and prune old ones."""
    session.add(
        RunEvent(
            run_id=run.id,
            event=event,
            from_status=from_status,
            to_status=run.status,
            occurred_at=occurred_at,
            person_id=person_id,
            api_key_id=api_key_id,
        )
    )
    _prune(session, occurred_at)


class Told(NamedTuple):
    """That a run of another system went from one status to another."""

    run_id: UUID
    before: str | None
    """None where the run was not known."""
    after: str
    occurred_at: datetime


def told_of(session: Session, changes: Sequence[Told], ingest_key_id: UUID | None, now: datetime) -> None:
    """Record changes of runs that a live way in told of, as far as they are still news."""
    minutes = session.connection().get_execution_options().get(NEWS_MINUTES, 60)
    news = [change for change in changes if now - change.occurred_at <= timedelta(minutes=minutes)]
    if not news:
        return
    rows = [
        {
            "run_id": change.run_id,
            "event": Event.START
            if change.before is None
            else event_of(RunStatus(change.before), RunStatus(change.after)),
            "from_status": change.before,
            "to_status": change.after,
            "occurred_at": change.occurred_at,
            "ingest_key_id": ingest_key_id,
        }
        for change in news
    ]
    session.execute(sa.insert(RunEvent), rows)
    _prune(session, now, max(PRUNED_AT_ONCE, 2 * len(rows)))


def _prune(session: Session, now: datetime, most: int = PRUNED_AT_ONCE) -> None:
    days = session.connection().get_execution_options().get(RETENTION_DAYS)
    if not days:
        return
    oldest = sa.select(RunEvent.id).where(RunEvent.occurred_at < now - timedelta(days=days))
    oldest = oldest.order_by(RunEvent.occurred_at, RunEvent.id).limit(most)
    # Writers of other workflows prune at the same time: none waits for another.
    old = session.scalars(oldest.with_for_update(skip_locked=True)).all()
    if old:
        session.execute(sa.delete(RunEvent).where(RunEvent.id.in_(old)))
