"""The filter by status: one or more of six."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Run
from portal.database.sql import statements
from portal.input.parameters import Args, Reader, Refused
from portal.runs.filters.filter import Chip, Filter, Schema
from portal.runs.statuses import STATUSES


class StatusFilter(Filter[tuple[str, ...], int]):
    """The shape is the number of statuses (0: any)."""

    schemas: ClassVar[Mapping[str, Schema]] = {
        "status": {
            "type": "array",
            "items": {"type": "string", "enum": list(STATUSES)},
            "minItems": 1,
            "description": "One or more, separated by commas.",
        }
    }
    labels: ClassVar[Mapping[str, str]] = {"status": "Status"}
    empty = ()
    fields = ("status",)

    def read(self, reader: Reader) -> tuple[str, ...]:
        return reader.read("status", _statuses, ())

    def write(self, value: tuple[str, ...]) -> Args:
        return {"status": ",".join(value)}

    def chips(self, value: tuple[str, ...]) -> list[Chip[tuple[str, ...]]]:
        words = " or ".join(status.capitalize() for status in value)
        return [Chip("Status", words, ())] if value else []

    def shape(self, value: tuple[str, ...]) -> int:
        return len(value)

    def conditions(self, shape: int) -> list[sa.ColumnElement[bool]]:
        return [of_statuses(shape)] if shape else []

    def values(self, value: tuple[str, ...], workspace_id: UUID) -> statements.Values:
        return status_values(value)


def of_statuses(number: int, prefix: str = "statuses") -> sa.ColumnElement[bool]:
    """The condition to have one of this many statuses."""
    bound = [sa.bindparam(f"{prefix}_{index}", type_=sa.String()) for index in range(number)]
    return Run.status == bound[0] if number == 1 else Run.status.in_(bound)


def status_values(statuses: tuple[str, ...], prefix: str = "statuses") -> statements.Values:
    return {f"{prefix}_{index}": status for index, status in enumerate(statuses)}


def _statuses(text: str) -> tuple[str, ...]:
    tokens = text.split(",")
    if any(token not in STATUSES for token in tokens):
        raise Refused(f"must be a comma-separated list of {', '.join(STATUSES)}, without blanks.")
    return tuple(dict.fromkeys(tokens))


STATUS = StatusFilter()
