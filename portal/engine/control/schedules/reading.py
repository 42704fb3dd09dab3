"""Reading the schedule of a workflow and its history."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.models import Run, Schedule, ScheduleTick, User
from portal.database.models.accounts import full_name
from portal.database.transactions import read
from portal.paging import Page, Slice


@dataclass(frozen=True, kw_only=True)
class ScheduleRow:
    """The schedule of a workflow."""

    id: UUID
    cron: str
    zone: str
    enabled: bool
    set_by: UUID
    set_by_name: str | None
    """None if the user is no more."""
    changed_at: datetime
    next_at: datetime | None
    stopped_reason: str | None


@dataclass(frozen=True, kw_only=True)
class TickRow:
    """What became of a moment: a run, a reason why there is none, or neither (`models.ScheduleTick`)."""

    moment: datetime
    claimed_at: datetime
    run_id: UUID | None
    reason: str | None
    run_number: int | None
    """None where the run is no more."""
    status: str | None


_SCHEDULE = (
    sa.select(
        Schedule.id,
        Schedule.cron,
        Schedule.zone,
        Schedule.enabled,
        Schedule.set_by,
        Schedule.changed_at,
        Schedule.next_at,
        Schedule.stopped_reason,
        User.first_name,
        User.last_name,
        User.email,
    )
    .outerjoin(User, User.id == Schedule.set_by)
    .where(Schedule.workflow_id == sa.bindparam("workflow_id"))
)

_TICKS = (
    sa.select(
        ScheduleTick.moment,
        ScheduleTick.claimed_at,
        ScheduleTick.run_id,
        ScheduleTick.reason,
        Run.run_number,
        Run.status,
    )
    .outerjoin(Run, Run.id == ScheduleTick.run_id)
    .where(ScheduleTick.schedule_id == sa.bindparam("schedule_id"))
    .order_by(ScheduleTick.moment.desc())
    .limit(sa.bindparam("limit"))
    .offset(sa.bindparam("offset"))
)

_COUNT = (
    sa.select(sa.func.count())
    .select_from(ScheduleTick)
    .where(ScheduleTick.schedule_id == sa.bindparam("schedule_id"))
)


def read_schedule(workflow: SeenWorkflow) -> ScheduleRow | None:
    """The schedule of a workflow, if it has one."""
    row = read(_SCHEDULE, workflow_id=workflow.id).first()
    if row is None:
        return None
    *values, first_name, last_name, email = row
    name = full_name(first_name, last_name, email) if email else None
    return ScheduleRow(**dict(zip(row._fields, values, strict=False)), set_by_name=name)


def list_ticks(schedule: ScheduleRow, slice_: Slice) -> Page[TickRow]:
    """A page of the history, newest first."""
    total = read(_COUNT, schedule_id=schedule.id).scalar_one()
    rows = read(_TICKS, schedule_id=schedule.id, limit=slice_.limit, offset=slice_.sql_offset)
    return Page([TickRow(**row._mapping) for row in rows], total, slice_)
