"""How values become JSON answers: the envelope and pagination links.

The objects inside are typed dictionaries beside the views that build them: mypy checks how they are built,
`components` describes them, and tests hold every answer against its description.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, NotRequired, TypeVar
from urllib.parse import quote, urlencode
from uuid import UUID

from flask import Response, jsonify, request
from pydantic import Field
from typing_extensions import TypedDict

from portal.auth.principals import SCOPES
from portal.input.bodies import OneOf
from portal.paging import Page, Slice
from portal.runs.listing.rows import RunRow
from portal.runs.statuses import STATUSES
from portal.web import envelope
from portal.web.proxy import absolute_url

Row = TypeVar("Row")
LinkArgs = Callable[[Slice], Mapping[str, object]]
"""The query parameters of a link to this page of a list."""
Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Status = Annotated[str, OneOf(STATUSES)]
Scopes = Annotated[list[Annotated[str, OneOf(SCOPES)]], Field(json_schema_extra={"uniqueItems": True})]
Availability = Literal["available", "unavailable"]
"""Whether a run has a value; a field beside it gives the reason where it has none."""
Completeness = Literal["available", "partial", "unavailable"]
FREE_FORM = "A free-form object, as it was recorded."
"""Describes a field."""
SignedUrl = Annotated[str | None, Field(description="Opens without a credential, for 15 minutes.")]


class MetaJson(TypedDict):
    """Said with every answer."""

    request_id: Annotated[
        UUID, Field(description="Also the header X-Request-Id; say it when you ask for help.")
    ]
    timestamp: datetime


class PaginationJson(TypedDict):
    """Where this page stands in the whole list."""

    limit: int
    total: Annotated[Count, Field(description="How many match, whatever the page.")]
    next: Annotated[str | None, Field(description="Link to the next page.")]
    prev: Annotated[str | None, Field(description="Link to the previous page.")]


class UncountedPaginationJson(TypedDict):
    """Where this page stands."""

    limit: Annotated[int, Field(ge=1)]
    next: str | None
    prev: str | None


class CursorPaginationJson(TypedDict):
    """Where the next page begins, if there is one."""

    limit: Annotated[int, Field(ge=1)]
    next: str | None
    prev: Annotated[None, Field(description="Such lists are read in one direction.")]
    cursor: Annotated[str | None, Field(description="The parameter that asks for the next page.")]


class ErrorDetailJson(TypedDict):
    """One bad field."""

    field: str
    message: str
    rule: NotRequired[Annotated[str, Field(description="Which rule of definitions is broken.")]]
    node_id: NotRequired[str | None]


class ErrorJson(TypedDict):
    """What went wrong, for programs (code) and for people (message)."""

    code: str
    message: str
    details: NotRequired[list[ErrorDetailJson]]


class RefusedLineJson(TypedDict):
    """A line of history that was not stored."""

    line: Annotated[int, Field(ge=1, description="Its number in the request.")]
    field: Annotated[str, Field(description="Empty if the whole line is wrong.")]
    reason: str


class FailureJson(TypedDict):
    """Every refusal looks like this."""

    error: ErrorJson
    meta: MetaJson
    refused: NotRequired[
        Annotated[list[RefusedLineJson], Field(description="Of pushed history: every line.")]
    ]


class DeletedJson(TypedDict):
    """What was deleted."""

    id: UUID
    deleted: Literal[True]


class NoFavoriteJson(TypedDict):
    """What is no favourite any more."""

    id: str
    is_favorite: Literal[False]


class StatusCountsJson(TypedDict):
    """Runs by status."""

    pending: Count
    running: Count
    paused: Count
    completed: Count
    failed: Count
    cancelled: Count


class TriggeredByJson(TypedDict):
    """Who triggered a run."""

    user_id: UUID
    user_name: str


def one(payload: object, status: int = 200) -> Response:
    """An answer with one object, or with a list that has no pages."""
    answer = jsonify(envelope.success(payload))
    answer.status_code = status
    return answer


def deleted(row_id: UUID) -> Response:
    answer: DeletedJson = {"id": row_id, "deleted": True}
    return one(answer)


def whole_list(rows: Sequence[Row], to_json: Callable[[Row], object]) -> Response:
    """A list that is always whole: one page, whose limit is never below 1 (contract 1.3)."""
    links: UncountedPaginationJson = {"limit": max(1, len(rows)), "next": None, "prev": None}
    return jsonify(envelope.success([to_json(row) for row in rows], dict(links)))


def counted_list(page: Page[Row], to_json: Callable[[Row], object], link_args: LinkArgs) -> Response:
    """A list with its total; `link_args` gives the parameters of a link to another page of it."""
    return jsonify(envelope.success([to_json(row) for row in page.rows], dict(pagination(page, link_args))))


def uncounted_list(page: Page[Row], to_json: Callable[[Row], object], link_args: LinkArgs) -> Response:
    """The same without the total, where the contract has none (1.3)."""
    links = {name: value for name, value in pagination(page, link_args).items() if name != "total"}
    return jsonify(envelope.success([to_json(row) for row in page.rows], links))


def cursor_list(
    rows: Sequence[Row], to_json: Callable[[Row], object], cursor: str | None, args: Mapping[str, str]
) -> Response:
    """A page of a list without numbered pages; `args` are the parameters of this request, limit included."""
    links: CursorPaginationJson = {
        "limit": int(args["limit"]),
        "next": _link_with({**args, "cursor": cursor}) if cursor else None,
        "prev": None,
        "cursor": cursor,
    }
    return jsonify(envelope.success([to_json(row) for row in rows], dict(links)))


def pagination(page: Page[object], link_args: LinkArgs) -> PaginationJson:
    """Limit, total and links of a page of a list."""
    return {
        "limit": page.slice.limit,
        "total": page.total,
        "next": _link(page.next, link_args),
        "prev": _link(page.prev, link_args),
    }


def linked_by(known: Collection[str]) -> LinkArgs:
    """Links that repeat those parameters of the request that the list knows (contract 1.7)."""
    given = {name: request.args.getlist(name) for name in known if name in request.args}

    def arguments(slice_: Slice) -> dict[str, object]:
        paging = {"offset": slice_.offset, "limit": slice_.limit}
        return {**paging, **{name: values for name, values in given.items() if name not in paging}}

    return arguments


def availability(is_known: bool) -> Availability:
    return "available" if is_known else "unavailable"


def status_counts(counts: Mapping[str, int]) -> StatusCountsJson:
    """Counts by status, every status among them."""
    return {
        "pending": counts["pending"],
        "running": counts["running"],
        "paused": counts["paused"],
        "completed": counts["completed"],
        "failed": counts["failed"],
        "cancelled": counts["cancelled"],
    }


def triggered_by(run: RunRow) -> TriggeredByJson | None:
    """Who triggered a run, the same in every object of a run."""
    person = run.triggered_by
    return {"user_id": person.user_id, "user_name": person.user_name} if person else None


def _link(slice_: Slice | None, link_args: LinkArgs) -> str | None:
    """An absolute link to the requested list at another offset (contract 1.7)."""
    return None if slice_ is None else _link_with(link_args(slice_))


def _link_with(args: Mapping[str, object]) -> str:
    query = urlencode(args, doseq=True, quote_via=quote)
    return absolute_url(f"{quote(request.path)}?{query}")
