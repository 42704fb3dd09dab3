"""Failed runs grouped by cause (an addition to the contract)."""

from datetime import datetime
from typing import Annotated, NotRequired
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import Count, counted_list
from portal.api.operations import PAGING, operation
from portal.api.schemas import Schema, words
from portal.auth.access import get_workspace
from portal.auth.gate import current_principal, requires
from portal.input.bodies import OneOf
from portal.input.parameters import single
from portal.runs.causes.listing import CauseRow, Noted, list_causes
from portal.runs.causes.query import DEFAULT_DAYS, MOST_DAYS, ORDERS, SORTS, STATES, CauseQuery


class NotedJson(TypedDict):
    """Who noted something of a cause, and when."""

    at: datetime
    by: Annotated[str | None, Field(description="null where the account is gone.")]


class CauseNoteJson(NotedJson):
    """What an editor noted of a cause."""

    text: str


class MutedJson(NotedJson):
    """That a cause is listed apart."""

    until: Annotated[datetime | None, Field(description="null: for good.")]


class CauseRunJson(TypedDict):
    """A run of a cause."""

    id: UUID
    workflow_id: UUID
    workflow_name: str
    run_number: Annotated[int, Field(ge=1)]
    created_at: datetime


class CauseJson(TypedDict):
    """Failed runs whose errors, or else failed steps, differ only in what varies."""

    id: Annotated[UUID, Field(description="The value of the parameter error of lists of runs.")]
    text: Annotated[
        str, Field(description="The error, with … for what varies; empty where nothing says why runs failed.")
    ]
    state: Annotated[str, OneOf(STATES)]
    count: Annotated[int, Field(ge=0, description="Failed runs that were created in the window.")]
    total_count: Annotated[int, Field(ge=0, description="Failed runs, whenever they were created.")]
    first_seen_at: Annotated[datetime, Field(description="When its first run was created.")]
    last_seen_at: datetime
    workflows: Annotated[int, Field(ge=0, description="Workflows with such runs in the window.")]
    days: Annotated[
        list[Count], Field(description="Failed runs of each day of the window in UTC, oldest first.")
    ]
    latest_run: CauseRunJson | None
    note: NotRequired[CauseNoteJson]
    resolved: NotRequired[NotedJson]
    muted: NotRequired[MutedJson]


_STATE: Schema = {
    "type": "array",
    "items": {"type": "string", "enum": list(STATES)},
    "minItems": 1,
    "default": ["open"],
    "description": "One or more, separated by commas. open: neither resolved nor muted; of these, new: first "
    "seen within 7 days; back: failing again after it was resolved, or after 14 days without a failure.",
}
_DAYS: Schema = {
    "type": "integer",
    "minimum": 1,
    "maximum": MOST_DAYS,
    "default": DEFAULT_DAYS,
    "description": "How many days, in UTC: the last ones, today included.",
}


@bp.get("/failures")
@requires("workflows:read")
@operation(
    tag="Runs",
    summary="List failures by cause",
    answer=CauseJson,
    shape="counted",
    description="Causes with a failed run in the window, over all workflows of the workspace that are not "
    "deleted. Ties are broken by id, ascending.",
    query={
        **PAGING,
        "days": _DAYS,
        "state": _STATE,
        "sort": {**words(*SORTS), "default": "last_seen"},
        "order": {**words(*ORDERS), "default": "desc"},
    },
)
def failures() -> Response:
    query = CauseQuery.parse(single(request.args))
    page = list_causes(get_workspace(current_principal()).id, query, moments.now())
    return counted_list(page, _cause, lambda slice_: query.at(slice_).to_api_args())


def _cause(row: CauseRow) -> CauseJson:
    latest = row.latest
    found: CauseJson = {
        "id": row.id,
        "text": row.text,
        "state": row.state,
        "count": row.failed,
        "total_count": row.in_all,
        "first_seen_at": row.first_at,
        "last_seen_at": row.last_at,
        "workflows": row.workflows,
        "days": list(row.days),
        "latest_run": None
        if latest is None
        else {
            "id": latest.id,
            "workflow_id": latest.workflow_id,
            "workflow_name": latest.workflow_name,
            "run_number": latest.run_number,
            "created_at": latest.created_at,
        },
    }
    if row.note is not None and row.noted is not None:
        found["note"] = {"text": row.note, **_noted(row.noted)}
    if row.resolved is not None:
        found["resolved"] = _noted(row.resolved)
    if row.muted is not None:
        found["muted"] = {"until": row.muted_until, **_noted(row.muted)}
    return found


def _noted(noted: Noted) -> NotedJson:
    return {"at": noted.at, "by": noted.by}
