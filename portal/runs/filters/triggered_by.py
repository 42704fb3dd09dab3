"""The filter by who triggered a run: part of the display name or e-mail, in any case."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Person, Run
from portal.database.sql import statements
from portal.input import parameters
from portal.input.folding import fold
from portal.input.parameters import MAX_SEARCH, Args, Reader
from portal.input.text import STORABLE_PATTERN
from portal.runs.filters.filter import Chip, Filter, Schema

PEOPLE_NAMED = sa.select(Person.id).where(
    Person.workspace_id == sa.bindparam("workspace_id"),
    Person.display_name_folded.like(sa.bindparam("named"), escape="/")
    | Person.email_folded.like(sa.bindparam("named"), escape="/"),
)
"""Those whose display name or e-mail contains the folded search text (contract 3.1, search)."""


class TriggeredByFilter(Filter[str, bool]):
    """The shape is whether there is a search."""

    schemas: ClassVar[Mapping[str, Schema]] = {
        "search": {
            "type": "string",
            "maxLength": MAX_SEARCH,
            "pattern": STORABLE_PATTERN,
            "description": "Part of the name or e-mail of who triggered the run, in any case.",
        }
    }
    labels: ClassVar[Mapping[str, str]] = {"search": "Triggered by"}
    empty = ""
    fields = ("search",)

    def read(self, reader: Reader) -> str:
        return reader.read("search", parameters.search, "")

    def write(self, value: str) -> Args:
        return {"search": value}

    def chips(self, value: str) -> list[Chip[str]]:
        return [Chip("Triggered by", f"“{value}”", "")] if value else []

    def shape(self, value: str) -> bool:
        return bool(value)

    def conditions(self, shape: bool) -> list[sa.ColumnElement[bool]]:
        return [Run.person_id.in_(PEOPLE_NAMED)] if shape else []

    def scannable(self, shape: bool) -> list[sa.ColumnElement[bool]]:
        return [(Run.person_id + 0).in_(PEOPLE_NAMED)] if shape else []

    def values(self, value: str, workspace_id: UUID) -> statements.Values:
        return {"workspace_id": workspace_id, "named": _containing(fold(value))} if value else {}


def _containing(text: str) -> str:
    """The pattern of texts that contain this one."""
    for special in "/%_":
        text = text.replace(special, f"/{special}")
    return f"%{text}%"


TRIGGERED_BY = TriggeredByFilter()
