"""Columns to select for a row type: those of a table that have the name of one of its fields."""

from dataclasses import fields
from typing import TYPE_CHECKING

import sqlalchemy as sa

from portal.database.columns import Base
from portal.database.sql.excerpts import excerpt

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SelectColumn = sa.SQLColumnExpression[object]


def columns_of(
    table: type[Base], row: "type[DataclassInstance]", **max_length: int
) -> dict[str, SelectColumn]:
    """The columns by name; a text with a maximum length is read as an excerpt."""
    columns: dict[str, SelectColumn] = {}
    for name in [field.name for field in fields(row) if field.name in table.__table__.columns]:
        column = getattr(table, name)
        columns[name] = excerpt(column, max_length[name]).label(name) if name in max_length else column
    return columns
