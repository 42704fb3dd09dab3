"""Many rows at once, below the ORM: COPY on PostgreSQL, the driver's executemany on SQLite.

Building a statement's parameters through SQLAlchemy costs more than storing the row.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns."""
    if not rows:
        return
    names = tuple(rows[0])
    values = _driver_values(connection.dialect, table, names, rows)
    listed = ", ".join(names)
    if connection.dialect.name == "sqlite":
        places = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table.name} ({listed}) VALUES ({places})"  # noqa: S608  # names of ours
        connection.exec_driver_sql(statement, values)
        return
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(f"COPY {table.name} ({listed}) FROM STDIN") as copy:
        for row in values:
            copy.write_row(row)


def add_rows(
    connection: sa.Connection,
    table: sa.Table,
    keys: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    merged: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Insert rows of counts; where one with the same key is there already, add to it.

    `merged` names functions for columns that are not summed.
    """
    if not rows:
        return
    names = tuple(rows[0])
    place = "?" if connection.dialect.name == "sqlite" else "%s"
    sums = ", ".join(
        f"{name} = {merged[name]}({table.name}.{name}, excluded.{name})"
        if name in merged
        else f"{name} = {table.name}.{name} + excluded.{name}"
        for name in names
        if name not in keys
    )
    values = ", ".join([place] * len(names))
    insert = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values})"  # noqa: S608  # names of ours
    statement = f"{insert} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"
    connection.exec_driver_sql(statement, _driver_values(connection.dialect, table, names, rows))


def _driver_values(
    dialect: sa.Dialect, table: sa.Table, names: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
) -> list[tuple[Any, ...]]:
    """The rows as the driver takes them, in the order of `names`; a column at a time is quick."""
    columns: list[Sequence[Any]] = list(zip(*map(itemgetter(*names), rows), strict=True))
    for position, process in _processors(dialect, table, names):
        column = columns[position]
        columns[position] = [None if value is None else process(value) for value in column]
    return list(zip(*columns, strict=True))


@lru_cache(maxsize=32)
def _processors(
    dialect: sa.Dialect, table: sa.Table, names: tuple[str, ...]
) -> Sequence[tuple[int, Callable[[Any], Any]]]:
    found = []
    for position, name in enumerate(names):
        column_type = table.c[name].type
        process = column_type.dialect_impl(dialect).bind_processor(dialect)
        if process is not None:
            found.append((position, process))
    return found
