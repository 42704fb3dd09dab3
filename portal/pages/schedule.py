"""The schedule of a workflow: when it comes next, what became of its times, and the form that sets it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow
from portal.auth.gate import current_principal
from portal.auth.principals import Principal
from portal.engine.control.schedules.expressions import EXAMPLE, MAX_EXPRESSION, next_moments
from portal.engine.control.schedules.reading import ScheduleRow, TickRow, list_ticks, read_schedule
from portal.engine.control.schedules.writing import MAY_SET, ScheduleSpec, remove_schedule, set_schedule
from portal.errors import InvalidQuery, NotFound
from portal.input.parameters import single
from portal.input.time_zones import UTC_NAME, places, zone_of
from portal.pages import bp
from portal.pages.confirmation import confirm
from portal.pages.forms import Form, id_in_path
from portal.pages.pager import PageQuery, Pager
from portal.paging import Page
from portal.web import formats
from portal.web.rendering import render

NEXT = 5
"""How many of the next moments the page shows."""


@dataclass(frozen=True, kw_only=True)
class SchedulePage:
    """What `workflows/schedule.html` shows."""

    workflow: SeenWorkflow
    schedule: ScheduleRow | None
    form: Form
    may_set: bool
    next_moments: Sequence[tuple[datetime, str]]
    """Each with its day and time in the zone of the schedule."""
    ticks: Page[TickRow]
    pager: Pager
    query: PageQuery
    places: Mapping[str, Mapping[str, str]] = field(default_factory=places)
    """The zones to choose from, of each area."""
    utc: str = UTC_NAME
    example: str = EXAMPLE
    max_expression: int = MAX_EXPRESSION


@bp.get("/workflows/<workflow_id>/schedule")
def schedule(workflow_id: str) -> str:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    found = read_schedule(workflow)
    values = {"cron": "", "zone": UTC_NAME, "enabled": "on"}
    if found is not None:
        values = {"cron": found.cron, "zone": found.zone} | ({"enabled": "on"} if found.enabled else {})
    return _page(workflow, found, Form(values))


@bp.post("/workflows/<workflow_id>/schedule")
def change_schedule(workflow_id: str) -> Response | tuple[str, int]:
    principal, workflow = _to_set(workflow_id)
    now = moments.now()
    try:
        spec = ScheduleSpec.parse(single(request.form), now)
    except InvalidQuery as refusal:
        form = Form(single(request.form), {error.field: error.message for error in refusal.errors})
        return _page(workflow, read_schedule(workflow), form), refusal.status
    set_schedule(principal, workflow.id, spec, now)
    return redirect(url_for(".schedule", workflow_id=workflow.id), code=303)


@bp.get("/workflows/<workflow_id>/schedule/remove")
def confirm_schedule_removal(workflow_id: str) -> str:
    _, workflow = _to_set(workflow_id)
    if read_schedule(workflow) is None:
        raise NotFound("This workflow has no schedule.")
    return confirm(
        question=f"Remove the schedule of {formats.named(workflow.name, workflow.id)}?",
        consequence="The workflow no longer runs by itself, and the history of its schedule is erased. "
        "Its runs stay.",
        button="Remove schedule",
        back=url_for(".schedule", workflow_id=workflow.id),
    )


@bp.post("/workflows/<workflow_id>/schedule/remove")
def delete_schedule(workflow_id: str) -> Response:
    principal, workflow = _to_set(workflow_id)
    remove_schedule(principal, workflow.id, moments.now())
    return redirect(url_for(".schedule", workflow_id=workflow.id), code=303)


def _to_set(workflow_id: str) -> tuple[Principal, SeenWorkflow]:
    """A workflow and the principal in its workspace. Raises NotFound, and Forbidden to its viewers."""
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    return current_principal().in_workspace(workflow.workspace_id).restricted_to(MAY_SET), workflow


def _page(workflow: SeenWorkflow, found: ScheduleRow | None, form: Form) -> str:
    query = PageQuery.parse(single(request.args))
    ticks = list_ticks(found, query.slice) if found else Page[TickRow]((), 0, query.slice)
    page = SchedulePage(
        workflow=workflow,
        schedule=found,
        form=form,
        may_set=current_principal().in_workspace(workflow.workspace_id).allows(MAY_SET),
        next_moments=_next_moments(found) if found and found.enabled else (),
        ticks=ticks,
        pager=Pager(ticks),
        query=query,
    )
    return render("workflows/schedule.html", page)


def _next_moments(found: ScheduleRow) -> Sequence[tuple[datetime, str]]:
    zone = zone_of(found.zone)
    coming = next_moments(found.cron, found.zone, moments.now(), NEXT)
    return [(moment, _in_words(moment.astimezone(zone))) for moment in coming]


def _in_words(local: datetime) -> str:
    return f"{local:%a} {formats.day(local.date())}, {local:%H:%M}"
