"""What a view of the API does, takes and answers, said at the view itself with `@operation`.

Every view of the API needs one; tests compare them with the routes and with real answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from portal.api.components import Model
from portal.api.schemas import Schema, words
from portal.input.bodies import Body
from portal.input.parameters import MAX_SEARCH, MAX_TEXT
from portal.input.text import STORABLE_PATTERN
from portal.paging import DEFAULT_LIMIT, MAX_LIMIT
from portal.runs.filters.filter import AnyFilter

Shape = Literal["one", "bare", "paged", "counted", "uncounted", "cursor", "whole"]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A method of an address. Its permission, path and method are read off the view itself."""

    tag: str
    summary: str
    answer: Model | None = None
    """The object that is answered: alone, without an envelope (`bare`), or in a list; None for a file."""
    media_types: Sequence[str] = ()
    """Of the file that is answered instead."""
    shape: Shape = "one"
    status: int = 200
    otherwise: int | None = None
    """The status where what was sent was there before, if it is another one; the answer is the same."""
    query: Mapping[str, Mapping[str, Any] | Callable[[], Schema]] | None = None
    """A schema that depends on what is installed is made when it is asked for."""
    filters: Sequence[AnyFilter] = ()
    """Whose parameters it takes too."""
    required: frozenset[str] = frozenset()
    """Which query parameters must be there."""
    body: type[Body] | None = None
    sends: Mapping[str, Schema] | None = None
    """The schemas of a body that is no model, by media type."""
    description: str = ""
    deprecated: bool = False
    refusals: Sequence[int] = ()
    """Statuses of refusals beyond those that follow from credentials, parameters and body."""

    @property
    def parameters(self) -> dict[str, Schema]:
        """All parameters of the query with their schemas."""
        filters = {name: schema for each in self.filters for name, schema in each.schemas.items()}
        return {
            name: dict(schema() if callable(schema) else schema)
            for name, schema in {**(self.query or {}), **filters}.items()
        }


OPERATIONS: dict[str, Operation] = {}
"""Every operation under the name of its view."""

View = TypeVar("View", bound=Callable[..., object])


def operation(**described: Any) -> Callable[[View], View]:
    """Describe a view; the arguments are the fields of Operation."""

    def register(view: View) -> View:
        name = view.__name__
        assert name not in OPERATIONS, name  # noqa: S101  (a programming error)
        OPERATIONS[name] = Operation(**described)
        return view

    return register


PAGING: dict[str, Schema] = {
    "offset": {"type": "integer", "minimum": 0, "default": 0, "description": "How many to skip."},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
}
SEARCH: Schema = {"type": "string", "maxLength": MAX_SEARCH, "pattern": STORABLE_PATTERN}
TEXT: Schema = {"type": "string", "maxLength": MAX_TEXT, "pattern": STORABLE_PATTERN}
FLAG = words("true", "false", "1", "0")
