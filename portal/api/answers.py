"""How values become JSON answers: fields of rows, the envelope, pagination links."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, jsonify, request

from portal.paging import Page, Slice
from portal.runs.listing.rows import RunRow
from portal.web import envelope
from portal.web.proxy import absolute_url


def fields(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """These fields of a row; two at least."""
    return dict(zip(names, _getter(names)(row), strict=True))


@cache
def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*names)


def one(payload: Any, status: int = 200) -> Response:
    answer = jsonify(envelope.success(payload))
    answer.status_code = status
    return answer


def whole_list(rows: Sequence[Any], row: Callable[[Any], Any]) -> Response:
    """A list that is always whole: one page, whose limit is never below 1 (contract 1.3)."""
    links = {"limit": max(1, len(rows)), "next": None, "prev": None}
    return jsonify(envelope.success([row(item) for item in rows], links))


def triggered_by(run: RunRow) -> dict[str, Any] | None:
    """Who triggered a run, as every object of a run says it."""
    who = run.triggered_by
    return {"user_id": who.user_id, "user_name": who.user_name} if who else None


def counted_list(
    page: Page[Any], row: Callable[[Any], Any], args: Callable[[Slice], Mapping[str, Any]]
) -> Response:
    """A list with its total; `args` gives the parameters of the link to another page of it."""
    return jsonify(envelope.success([row(item) for item in page.rows], pagination(page, args)))


def uncounted_list(
    page: Page[Any], row: Callable[[Any], Any], args: Callable[[Slice], Mapping[str, Any]]
) -> Response:
    """The same without the total, where the contract has none (1.3)."""
    links = {name: value for name, value in pagination(page, args).items() if name != "total"}
    return jsonify(envelope.success([row(item) for item in page.rows], links))


def pagination(page: Page[Any], args: Callable[[Slice], Mapping[str, Any]]) -> dict[str, Any]:
    """Limit, total and links of a page of a list."""
    return {
        "limit": page.slice.limit,
        "total": page.total,
        "next": _link(page.next, args),
        "prev": _link(page.prev, args),
    }


def _link(slice_: Slice | None, args: Callable[[Slice], Mapping[str, Any]]) -> str | None:
    """An absolute link to this very list at another offset (contract 1.7)."""
    if slice_ is None:
        return None
    query = urlencode(args(slice_), doseq=True, quote_via=quote)
    return absolute_url(f"{quote(request.path)}?{query}")
