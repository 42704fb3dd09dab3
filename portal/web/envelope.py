"""The JSON envelope of every API response (contract 1.3, 1.4)."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

from flask import g

from portal import moments
from portal.errors import FieldError

Json = dict[str, object]


def request_id() -> str:
    """The id of this request, generated here; also sent as `X-Request-Id`."""
    if "request_id" not in g:
        g.request_id = str(uuid4())
    identifier: str = g.request_id
    return identifier


def success(payload: object, pagination: Mapping[str, object] | None = None) -> Json:
    body: Json = {"data": payload, "meta": _meta()}
    return body if pagination is None else {**body, "pagination": pagination}


def failure(code: str, message: str, details: Sequence[FieldError] = ()) -> Json:
    error: Json = {"code": code, "message": message}
    if details:
        error["details"] = [_detail(detail) for detail in details]
    return {"error": error, "meta": _meta()}


def _detail(error: FieldError) -> Json:
    """Field and message; of a broken rule of definitions also the rule and the node."""
    detail: Json = {"field": error.field, "message": error.message}
    return detail | {"rule": error.rule, "node_id": error.node_id} if error.rule else detail


def _meta() -> Json:
    return {"request_id": request_id(), "timestamp": moments.format_moment(moments.now())}
