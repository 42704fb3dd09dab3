"""A range of one of the orders that runs have, as conditions that an index answers."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from portal.database.models import Run
from portal.database.sql import statements

Key = datetime | int | UUID
"""What runs are ordered by: a moment, a number, or the id."""


class RangeShape(NamedTuple):
    """What the conditions of ranges differ by, but for their values."""

    key: str
    begins: bool
    ends: bool
    without: str


class KeyRange(NamedTuple):
    """The runs whose key lies from one value up to, but not including, another; None is no bound.

    Runs with equal keys follow each other by id. `without` names a column: only runs that lack it.
    """

    key: str
    begin: Key | None = None
    end: Key | None = None
    without: str = ""

    @property
    def shape(self) -> RangeShape:
        return RangeShape(self.key, self.begin is not None, self.end is not None, self.without)

    def values(self, prefix: str = "") -> statements.Values:
        """What the conditions have bound."""
        bounds = {f"{prefix}begin": self.begin, f"{prefix}end": self.end}
        return {name: value for name, value in bounds.items() if value is not None}


def in_range(shape: RangeShape, prefix: str = "") -> list[sa.ColumnElement[bool]]:
    """The conditions on runs to lie in a range."""
    column: InstrumentedAttribute[Key | None] = getattr(Run, shape.key)
    conditions: list[sa.ColumnElement[bool]] = []
    if shape.without:
        conditions.append(getattr(Run, shape.without).is_(None))
    elif column.nullable and not shape.begins:
        conditions.append(column.is_not(None))
    if shape.begins:
        conditions.append(column >= sa.bindparam(f"{prefix}begin", type_=column.type))
    if shape.ends:
        conditions.append(column < sa.bindparam(f"{prefix}end", type_=column.type))
    return conditions
