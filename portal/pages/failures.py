"""Failures by cause: the list, the page of one, and the forms in which editors note something of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.access import get_workspace
from portal.auth.gate import current_principal
from portal.auth.principals import Principal
from portal.errors import FieldError, InvalidQuery, NotFound
from portal.input.parameters import single
from portal.moments import EPOCH, format_moment, parse_moment
from portal.pages import bp, failures_url
from portal.pages.forms import Form, id_in_path, plain_form, without
from portal.pages.pager import Pager
from portal.pages.sort_links import ARIA_SORT, OPPOSITE
from portal.paging import Slice
from portal.runs.causes import noting
from portal.runs.causes.listing import (
    CausePage,
    CauseRow,
    TouchedWorkflow,
    list_causes,
    read_cause,
    touched_workflows,
)
from portal.runs.causes.noting import MAX_NOTE, MAY_NOTE, SeenCause, get_cause
from portal.runs.causes.query import DEFAULT_DAYS, CauseQuery
from portal.runs.causes.rules import VARIES
from portal.runs.counts.columns import day_of
from portal.web.rendering import render

WINDOWS = {1: "Today", 7: "7 days", 30: "30 days", 90: "90 days"}
STATE_LABELS = {"open": "Open", "new": "New", "back": "Back", "resolved": "Resolved", "muted": "Muted"}
SORT_LABELS = {"first_seen": "First seen", "last_seen": "Last seen", "count": "Runs"}
STRIP_WIDTH, STRIP_HEIGHT = 150, 20
NO_RUNS = "No run that failed like this is here any more."


@dataclass(frozen=True)
class DayBar:
    """The failures of one day, drawn."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class CauseLine:
    """A cause in words."""

    cause: CauseRow
    pieces: Sequence[str]
    """The text, divided where it varies; none where nothing says why."""
    bars: Sequence[DayBar]
    window: Mapping[str, str]
    """The parameters of a list of its runs in the window."""


@dataclass(frozen=True)
class Column:
    """A column by which the list can be sorted."""

    label: str
    direction: str | None
    query: CauseQuery


@dataclass(frozen=True, kw_only=True)
class FailuresPage:
    """What `failures/page.html` shows."""

    workspace_id: UUID
    query: CauseQuery
    page: CausePage
    lines: Sequence[CauseLine]
    pager: Pager
    columns: Mapping[str, Column]
    states: Mapping[str, tuple[str, CauseQuery]]
    windows: Mapping[int, tuple[str, CauseQuery]]
    list_url: Callable[..., str] = failures_url


@dataclass(frozen=True, kw_only=True)
class FailurePage:
    """What `failures/cause.html` shows."""

    workspace_id: UUID
    line: CauseLine
    workflows: Sequence[TouchedWorkflow]
    """Those in which it was seen last."""
    may_note: bool
    form: Form
    days: int = DEFAULT_DAYS
    max_note: int = MAX_NOTE


@bp.get("/failures")
@bp.get("/workspaces/<workspace_id>/failures")
def failures(workspace_id: str | None = None) -> str | Response:
    """The causes of the chosen workspace, or of another one that the address names."""
    plain = plain_form(request.args)
    texts = {name: value for name, value in plain.items() if isinstance(value, str)}
    workspace = get_workspace(current_principal())
    try:
        query = CauseQuery.parse(texts)
    except InvalidQuery as refusal:
        good = {name: str(value) for name, value in without(texts, refusal.errors).items()}
        return redirect(failures_url(workspace.id, **CauseQuery.parse(good).to_args()), code=303)
    now = moments.now()
    page = list_causes(workspace.id, query, now)
    return render("failures/page.html", _list(workspace.id, query, page, now))


@bp.get("/failures/<cause_id>")
def failure(cause_id: str) -> str | Response:
    cause = get_cause(current_principal(), id_in_path(cause_id))
    if cause.moved_to is not None:
        return redirect(url_for(".failure", cause_id=cause.moved_to), code=302)
    return _page(cause, Form({}))


@bp.post("/failures/<cause_id>/note")
def note_failure(cause_id: str) -> Response | tuple[str, int]:
    cause, principal = _to_change(cause_id)
    try:
        noting.write_note(principal, cause, request.form.get("note", ""), moments.now())
    except InvalidQuery as refusal:
        return _refused(cause, refusal)
    return _back_to(cause)


@bp.post("/failures/<cause_id>/resolve")
def resolve_failure(cause_id: str) -> Response:
    cause, principal = _to_change(cause_id)
    noting.resolve(principal, cause, moments.now(), resolved="undo" not in request.form)
    return _back_to(cause)


@bp.post("/failures/<cause_id>/mute")
def mute_failure(cause_id: str) -> Response | tuple[str, int]:
    cause, principal = _to_change(cause_id)
    if "undo" in request.form:
        noting.unmute(cause)
        return _back_to(cause)
    try:
        noting.mute(principal, cause, moments.now(), _end_of_day(request.form.get("until", "")))
    except InvalidQuery as refusal:
        return _refused(cause, refusal)
    return _back_to(cause)


def _to_change(cause_id: str) -> tuple[SeenCause, Principal]:
    """The cause, or where it went, for somebody who may note something of it."""
    cause = get_cause(current_principal(), id_in_path(cause_id))
    if cause.moved_to is not None:
        cause = get_cause(current_principal(), cause.moved_to)
    return cause, current_principal().in_workspace(cause.workspace_id).restricted_to(MAY_NOTE)


def _end_of_day(text: str) -> datetime | None:
    """The end of a date in UTC; None for an empty text. Raises InvalidQuery."""
    if not text:
        return None
    try:
        return parse_moment(f"{text}T00:00:00Z") + timedelta(days=1)
    except (ValueError, OverflowError):
        raise InvalidQuery([FieldError("until", "must be a date such as 2026-01-31.")]) from None


def _back_to(cause: SeenCause) -> Response:
    return redirect(url_for(".failure", cause_id=cause.id), code=303)


def _refused(cause: SeenCause, refusal: InvalidQuery) -> tuple[str, int]:
    errors = {error.field: error.message for error in refusal.errors}
    return _page(cause, Form(single(request.form), errors)), refusal.status


def _page(cause: SeenCause, form: Form) -> str:
    now = moments.now()
    row = read_cause(cause.workspace_id, cause.id, DEFAULT_DAYS, now)
    if row is None:
        raise NotFound(NO_RUNS)
    may_note = current_principal().in_workspace(cause.workspace_id).allows(MAY_NOTE)
    line = _line(row, DEFAULT_DAYS, now)
    return render(
        "failures/cause.html",
        FailurePage(
            workspace_id=cause.workspace_id,
            line=line,
            workflows=touched_workflows(cause.id),
            may_note=may_note,
            form=form,
        ),
    )


def _list(workspace_id: UUID, query: CauseQuery, page: CausePage, now: datetime) -> FailuresPage:
    start = query.at(Slice(0, query.slice.limit))
    return FailuresPage(
        workspace_id=workspace_id,
        query=query,
        page=page,
        lines=[_line(row, query.days, now) for row in page.rows],
        pager=Pager(page),
        columns={key: _column(start, key, label) for key, label in SORT_LABELS.items()},
        states={each: (label, replace(start, states=(each,))) for each, label in STATE_LABELS.items()},
        windows={days: (label, replace(start, days=days)) for days, label in WINDOWS.items()},
    )


def _column(query: CauseQuery, key: str, label: str) -> Column:
    chosen = query.sort == key
    order = OPPOSITE[query.order] if chosen else "desc"
    return Column(label, ARIA_SORT[query.order] if chosen else None, replace(query, sort=key, order=order))


def _line(row: CauseRow, days: int, now: datetime) -> CauseLine:
    begin = EPOCH + timedelta(days=day_of(now) - days + 1)
    return CauseLine(
        cause=row,
        pieces=row.text.split(VARIES) if row.text else (),
        bars=_bars(row.days),
        window={"error": str(row.id), "from": format_moment(begin)},
    )


def _bars(days: Sequence[int]) -> list[DayBar]:
    """A bar for each day with failures; the highest is as high as the strip, the lowest can be seen."""
    most, step = max(days, default=0), STRIP_WIDTH / max(len(days), 1)
    height = STRIP_HEIGHT - 2
    return [
        DayBar(round(number * step, 2), round(height - tall, 1), round(max(step - 1, step * 0.8), 2), tall)
        for number, failed in enumerate(days)
        if failed and (tall := round(max(3.0, height * failed / most), 1))
    ]
