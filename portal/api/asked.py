"""What a request of the API says, read once at its edge: the body, the ids in its path."""

from typing import Any
from uuid import UUID

from flask import request

from portal.input.bodies import json_object
from portal.input.parameters import Reader


def sent_body() -> dict[str, Any]:
    """The JSON object that was sent; an empty body is an object without keys. Raises BadBody, NotJson."""
    return json_object(request.get_data(), request.content_type or "")


def id_in_path(name: str, text: str) -> UUID:
    """The id in the path. Raises InvalidQuery: a garbled id is a bad parameter (contract 1.2)."""
    reader = Reader({name: text})
    found = reader.uuid(name)
    reader.finish()
    return found
