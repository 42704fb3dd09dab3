"""Starting the runs of schedules whose moment has come. Every worker calls `run_due` every few seconds.

A moment is claimed in one transaction: its tick is inserted, which succeeds once, and the schedule goes on to
its next moment. Only then is the run started. A worker that dies in between leaves a tick without outcome: a
moment may be lost, but it never starts two runs.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.audit import trail
from portal.auth.memberships import memberships_of
from portal.auth.principals import Membership, Principal, PrincipalUser
from portal.database.engine import db
from portal.database.models import Run, Schedule, ScheduleTick, User, Workflow, Workspace
from portal.database.sql.excerpts import cut
from portal.database.sql.upserts import insert_unless_there
from portal.database.transactions import read, writing
from portal.engine.control.schedules.expressions import moments_after
from portal.engine.control.schedules.writing import MAY_SET
from portal.errors import PortalError

MAX_LATENESS = timedelta(minutes=10)
"""A moment that no worker came to within this time is missed."""
KEPT_FOR = timedelta(days=90)
"""How long the history of a schedule is kept."""
BATCH = 100
"""Schedules that one call works off at most."""
MAX_COUNTED = 1000
"""How many missed moments are counted."""
MAX_REASON = 500

_A_SECOND = timedelta(seconds=1)

LEFT = "Stopped: the person who set this schedule is no longer a member of the workspace."
ROLE_LOST = "Stopped: the role of the person who set this schedule no longer allows them to start runs."
BROKEN = "The portal failed to start the run. Its log says more."

log = logging.getLogger(__name__)


class Start(Protocol):
    """Starts a run of a workflow, as Start Run of the API does. Raises a PortalError if it is refused."""

    def __call__(
        self, principal: Principal, workflow_id: str, body: Mapping[str, object], now: datetime, /
    ) -> Run: ...


@dataclass(frozen=True, kw_only=True)
class _Tick:
    """A claimed moment whose run is to be started."""

    schedule_id: UUID
    moment: datetime
    workflow_id: UUID
    workspace_id: UUID
    user_id: UUID


_IS_DUE = (
    Schedule.enabled,
    sa.or_(Schedule.next_at.is_(None), Schedule.next_at <= sa.bindparam("now", type_=Schedule.next_at.type)),
)
_DUE = (
    sa.select(Schedule.id, Workflow.workspace_id)
    .join(Workflow, Workflow.id == Schedule.workflow_id)
    .join(Workspace, Workspace.id == Workflow.workspace_id)
    .where(*_IS_DUE, Workflow.deleted_at.is_(None), Workspace.deleted_at.is_(None))
    .order_by(Schedule.next_at.asc().nulls_first(), Schedule.id)
    .limit(BATCH)
)
_CLAIM = sa.select(Schedule).where(Schedule.id == sa.bindparam("id"), *_IS_DUE).with_for_update()


def run_due(now: datetime, start: Start) -> int:
    """Work off the schedules whose moment has come. The number of runs that were started.

    Nothing is caught up: of moments that passed while no worker was there, only the last one counts, and only
    if it is not too long ago.
    """
    due = read(_DUE, now=now).all()
    db.session.rollback()
    claimed = (_claim(schedule_id, workspace_id, now) for schedule_id, workspace_id in due)
    return sum(_start(tick, now, start) for tick in claimed if tick is not None)


def _claim(schedule_id: UUID, workspace_id: UUID, now: datetime) -> _Tick | None:
    """Claim the moment of a schedule. None if it is another worker's, or if it was missed."""
    with writing() as session:
        schedule = session.scalars(_CLAIM, {"id": schedule_id, "now": now}).first()
        if schedule is None:
            return None
        begin, schedule.next_at = schedule.next_at, next(moments_after(schedule.cron, schedule.zone, now))
        if begin is None:
            return None
        moment, missed = _passed(schedule.cron, schedule.zone, begin, now)
        if missed:
            _add_tick(session, schedule_id, begin, now, _missed_reason(missed))
        won = moment is not None and _add_tick(session, schedule_id, moment, now)
        expired = ScheduleTick.moment < now - KEPT_FOR
        session.execute(sa.delete(ScheduleTick).where(ScheduleTick.schedule_id == schedule_id, expired))
        if moment is None or not won:
            return None
        return _Tick(
            schedule_id=schedule_id,
            moment=moment,
            workflow_id=schedule.workflow_id,
            workspace_id=workspace_id,
            user_id=schedule.set_by,
        )


def _passed(cron: str, zone: str, begin: datetime, now: datetime) -> tuple[datetime | None, int]:
    """Of the moments from `begin` until now, the one to run and how many others were missed.

    Missed ones are counted up to one more than `MAX_COUNTED`.
    """

    def until_now(first: datetime) -> Iterator[datetime]:
        return takewhile(lambda moment: moment <= now, moments_after(cron, zone, first - _A_SECOND))

    earliest = max(begin, now - MAX_LATENESS)
    recent = [moment for moment in until_now(earliest) if moment >= earliest]
    counted = sum(1 for _ in islice(until_now(begin), MAX_COUNTED + 2))
    return (recent[-1], counted - 1) if recent else (None, counted)


def _missed_reason(missed: int) -> str:
    if missed == 1:
        return "Missed: no worker was running. It is not caught up."
    others = "more than 1,000" if missed > MAX_COUNTED else f"{missed - 1:,}"
    return f"Missed, with {others} after it: no worker was running. They are not caught up."


def _add_tick(
    session: Session, schedule_id: UUID, moment: datetime, now: datetime, reason: str | None = None
) -> bool:
    """Insert a tick. False if the moment has one already."""
    values = {"schedule_id": schedule_id, "moment": moment, "claimed_at": now, "reason": reason}
    return insert_unless_there(session, ScheduleTick, values)


def _start(tick: _Tick, now: datetime, start: Start) -> bool:
    """Start the run of a claimed moment, or note why there is none. Whether there is one."""
    membership = next(
        (found for found in memberships_of(tick.user_id) if found.id == tick.workspace_id), None
    )
    user = db.session.get(User, tick.user_id)
    if membership is None or user is None:
        _stop(tick, LEFT, now)
        return False
    if not membership.allows(MAY_SET):
        _stop(tick, ROLE_LOST, now)
        return False
    try:
        run = start(_principal(user, membership), str(tick.workflow_id), {}, now)
    except PortalError as refusal:
        _end(tick, reason=cut(refusal.message, MAX_REASON))
        return False
    except Exception:
        log.exception("the run of schedule %s at %s could not be started", tick.schedule_id, tick.moment)
        _end(tick, reason=BROKEN)
        return False
    _end(tick, run_id=run.id)
    return True


def _principal(user: User, membership: Membership) -> Principal:
    """The person who set the schedule, as if they started the run themselves."""
    return Principal(
        kind="session",
        user=PrincipalUser(user.id, user.email, user.display_name),
        workspaces=(membership,),
        chosen=membership.id,
    )


def _end(tick: _Tick, *, run_id: UUID | None = None, reason: str | None = None) -> None:
    with writing() as session:
        _note(session, tick, run_id, reason)


def _stop(tick: _Tick, reason: str, now: datetime) -> None:
    """Turn the schedule off, unless somebody else has set it meanwhile."""
    with writing() as session:
        _note(session, tick, None, reason)
        theirs = (Schedule.id == tick.schedule_id, Schedule.set_by == tick.user_id)
        schedule = session.scalar(sa.select(Schedule).where(*theirs).with_for_update())
        if schedule is None:
            return
        schedule.enabled, schedule.next_at, schedule.stopped_reason = False, None, reason
        workflow = session.get_one(Workflow, tick.workflow_id)
        trail.record(
            session,
            "schedule.stopped",
            trail.PORTAL,
            now,
            workspace_id=tick.workspace_id,
            subject=workflow.name,
            workflow_id=str(workflow.id),
            reason=reason,
        )


def _note(session: Session, tick: _Tick, run_id: UUID | None, reason: str | None) -> None:
    """Write what became of a moment; the schedule may be gone by now."""
    where = (ScheduleTick.schedule_id == tick.schedule_id, ScheduleTick.moment == tick.moment)
    session.execute(sa.update(ScheduleTick).where(*where).values(run_id=run_id, reason=reason))
