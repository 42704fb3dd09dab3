"""Setting, changing and removing the schedule of a workflow.

Every write locks the row of the workflow first, so that there is one schedule, and the row of the schedule,
as the workers do that claim its moments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.access import NO_SUCH_WORKFLOW, get_workflow
from portal.auth.audit import trail
from portal.auth.principals import Principal
from portal.database.models import Schedule, Workflow
from portal.database.transactions import writing
from portal.engine.control.schedules.expressions import comes_within_years, expression, moments_after
from portal.errors import NotFound
from portal.input.parameters import Reader
from portal.input.time_zones import UTC_NAME, time_zone
from portal.runs.recording.workflow_rows import lock_workflows

MAY_SET = "workflows:run"
"""The permission to set a schedule, and to have its runs."""


@dataclass(frozen=True, kw_only=True)
class ScheduleSpec:
    """What a schedule is to be."""

    cron: str
    zone: str
    enabled: bool

    @classmethod
    def parse(cls, fields: Mapping[str, str], now: datetime) -> Self:
        """Read `cron` and `zone` of a form, and `enabled`, which is absent if not. Raises InvalidQuery."""
        reader = Reader(fields)
        cron = reader.require("cron", expression, "")
        zone = reader.require("zone", time_zone, UTC_NAME)
        if not reader.errors and not comes_within_years(cron, zone, now):
            reader.refuse("cron", "never comes within the next five years.")
        reader.finish()
        return cls(cron=cron, zone=zone, enabled="enabled" in fields)


def set_schedule(principal: Principal, workflow_id: UUID, spec: ScheduleSpec, now: datetime) -> None:
    """Make or change the schedule; its runs belong to the principal from now on. Raises NotFound.

    A moment that has come, but that no worker has claimed, is dropped if the expression or zone changes.
    """
    get_workflow(principal, workflow_id)
    with writing() as session:
        workflow = _lock(session, workflow_id)
        schedule = _of(session, workflow_id)
        kind = "schedule.changed" if schedule else "schedule.created"
        if schedule is None:
            schedule = Schedule(id=uuid4(), workflow_id=workflow_id, created_at=now, next_at=None)
            session.add(schedule)
        same = (schedule.cron, schedule.zone) == (spec.cron, spec.zone)
        if not spec.enabled:
            schedule.next_at = None
        elif not same or schedule.next_at is None:
            schedule.next_at = next(moments_after(spec.cron, spec.zone, now))
        schedule.cron, schedule.zone, schedule.enabled = spec.cron, spec.zone, spec.enabled
        schedule.set_by, schedule.changed_at, schedule.stopped_reason = principal.user.id, now, None
        details = {"cron": spec.cron, "zone": spec.zone, "on": spec.enabled}
        _record(session, kind, principal, workflow, now, **details)


def remove_schedule(principal: Principal, workflow_id: UUID, now: datetime) -> None:
    """Remove the schedule with its history; runs stay. Raises NotFound."""
    get_workflow(principal, workflow_id)
    with writing() as session:
        workflow = _lock(session, workflow_id)
        schedule = _of(session, workflow_id)
        if schedule is None:
            raise NotFound("This workflow has no schedule.")
        session.delete(schedule)
        _record(session, "schedule.removed", principal, workflow, now, cron=schedule.cron, zone=schedule.zone)


def _lock(session: Session, workflow_id: UUID) -> Workflow:
    """Lock a live workflow until the transaction ends. Raises NotFound."""
    found = next(iter(lock_workflows(session, [workflow_id])), None)
    if found is None or found.deleted_at is not None:
        raise NotFound(NO_SUCH_WORKFLOW)
    return found


def _of(session: Session, workflow_id: UUID) -> Schedule | None:
    return session.scalar(sa.select(Schedule).where(Schedule.workflow_id == workflow_id).with_for_update())


def _record(
    session: Session, kind: str, by: Principal, workflow: Workflow, now: datetime, **details: object
) -> None:
    trail.record(
        session,
        kind,
        trail.actor_of(by),
        now,
        workspace_id=workflow.workspace_id,
        subject=workflow.name,
        workflow_id=str(workflow.id),
        **details,
    )
