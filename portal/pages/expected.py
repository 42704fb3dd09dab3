"""When runs of a workflow are expected, and the form that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow
from portal.auth.gate import current_principal
from portal.engine.control.schedules.expectations import Expectation, Late, late_of, latest_run_at
from portal.engine.control.schedules.expressions import MAX_EXPRESSION
from portal.errors import InvalidQuery
from portal.input.parameters import single
from portal.input.time_zones import UTC_NAME, places
from portal.pages import bp
from portal.pages.forms import Form, id_in_path, whole_or_text
from portal.web.rendering import render
from portal.workflows.writing import set_expected

MAY_SET = "workflows:write"
EXAMPLE = "0 2 * * *"
UNITS = {"minutes": 60, "hours": 3600, "days": 86_400}


@dataclass(frozen=True, kw_only=True)
class ExpectedPage:
    """What `workflows/expected.html` shows."""

    workflow: SeenWorkflow
    words: str | None
    """When runs are expected; None if nobody said so, or what was said cannot be read."""
    late: Late | None
    form: Form
    may_set: bool
    places: Mapping[str, Mapping[str, str]] = field(default_factory=places)
    """The zones to choose from, of each area."""
    units: Mapping[str, int] = field(default_factory=lambda: UNITS)
    utc: str = UTC_NAME
    example: str = EXAMPLE
    max_expression: int = MAX_EXPRESSION


def lateness(workflow: SeenWorkflow) -> Late | None:
    """What is late of a workflow."""
    if workflow.expected is None:
        return None
    return late_of(workflow.expected, latest_run_at(workflow.id), workflow.created_at, moments.now())


@bp.get("/workflows/<workflow_id>/expected")
def expected(workflow_id: str) -> str:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    found = _stored(workflow)
    return _page(workflow, found, Form(_values(found) if found else {"grace": "1", "grace_unit": "hours"}))


@bp.post("/workflows/<workflow_id>/expected")
def change_expected(workflow_id: str) -> Response | tuple[str, int]:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    principal = current_principal().in_workspace(workflow.workspace_id).restricted_to(MAY_SET)
    plain, wanted = single(request.form), None
    if "remove" not in plain:
        try:
            wanted = Expectation.parse(_wanted(plain)).to_json()
        except InvalidQuery as refusal:
            form = Form(plain, {error.field: error.message for error in refusal.errors})
            return _page(workflow, _stored(workflow), form), refusal.status
    set_expected(principal, workflow.id, wanted, moments.now())
    return redirect(url_for(".expected", workflow_id=workflow.id), code=303)


def _page(workflow: SeenWorkflow, found: Expectation | None, form: Form) -> str:
    page = ExpectedPage(
        workflow=workflow,
        words=found.words if found else None,
        late=lateness(workflow),
        form=form,
        may_set=current_principal().in_workspace(workflow.workspace_id).allows(MAY_SET),
    )
    return render("workflows/expected.html", page)


def _stored(workflow: SeenWorkflow) -> Expectation | None:
    try:
        return Expectation.parse(workflow.expected) if workflow.expected else None
    except InvalidQuery:
        return None


def _wanted(form: Mapping[str, str]) -> dict[str, object]:
    """The fields of the form as the service takes them, without empty ones."""
    cron = form.get("cron", "").strip()
    period, grace = (_in_seconds(form, name) for name in ("period", "grace"))
    wanted: dict[str, object] = {"grace": grace or 0}
    if cron:
        wanted |= {"cron": cron, "zone": form.get("zone", UTC_NAME)}
    return wanted if period is None else wanted | {"period": period}


def _in_seconds(form: Mapping[str, str], name: str) -> int | str | None:
    number = whole_or_text(form.get(name, ""))
    return number * UNITS.get(form.get(f"{name}_unit", ""), 60) if isinstance(number, int) else number


def _values(found: Expectation) -> dict[str, str]:
    values = {"cron": found.cron or "", "zone": found.zone}
    for name, seconds in (("period", found.period), ("grace", found.grace)):
        if seconds is not None:
            unit = next(
                (unit for unit in reversed(UNITS) if seconds and seconds % UNITS[unit] == 0), "minutes"
            )
            values |= {name: f"{seconds / UNITS[unit]:g}", f"{name}_unit": unit}
    return values
