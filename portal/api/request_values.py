"""Values of an API request: the body and the ids in the path."""

from typing import TypeVar
from uuid import UUID

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from portal.input.bodies import Body, json_object
from portal.input.parameters import Reader

SomeBody = TypeVar("SomeBody", bound=Body)


def json_body() -> dict[str, object]:
    """The JSON object in the body; an empty body is an object without keys. Raises BadBody, NotJson."""
    raw = request.get_data()
    may_be_cut = request.content_length is None and len(raw) == request.max_content_length
    if may_be_cut and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge  # Werkzeug ends a body of unknown length at its limit as if it were whole
    return json_object(raw, request.content_type or "")


def id_in_path(name: str, text: str) -> UUID:
    """The id in the path. Raises InvalidQuery: a malformed id is a bad parameter (contract 1.2)."""
    [found] = ids_in_path(**{name: text})
    return found


def ids_in_path(**ids: str) -> list[UUID]:
    """The ids in the path, in this order. Raises InvalidQuery with every bad one."""
    reader = Reader(ids)
    found = [reader.uuid(name) for name in ids]
    reader.finish()
    return found


def body_and_ids(model: type[SomeBody], **ids: str) -> tuple[SomeBody, list[UUID]]:
    """The validated body, and the ids in the path in this order. Raises InvalidQuery with every bad field."""
    reader = Reader(ids)
    found = [reader.uuid(name) for name in ids]
    return model.read(json_body(), *reader.errors), found
