"""Many rows at once, below the ORM: COPY on PostgreSQL, statements of many rows on SQLite.

Building a statement's parameters through SQLAlchemy costs more than storing the row. The driver lets
other threads run while a statement does, so a few long ones leave them more time than many short ones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from portal.database.columns import Id, UTCDateTime

MAX_VALUES = 32_000
"""Values in one statement: both databases limit them."""


Values = Sequence[tuple[Any, ...]]
"""Rows as the driver takes them."""


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns."""
    if rows:
        names = tuple(rows[0])
        insert_values(connection, table, names, driver_values(connection.dialect, table, names, rows))


def insert_values(connection: sa.Connection, table: sa.Table, names: tuple[str, ...], rows: Values) -> None:
    """Insert rows whose values the driver takes as they are; roll back where that fails.

    SQLite need not remember what a statement changes if a failure leaves the statement half done: a quarter
    of what inserting runs costs otherwise.
    """
    if connection.dialect.name == "sqlite":
        _insert(connection, table, names, rows, "INSERT OR FAIL")
        return
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def update_values(connection: sa.Connection, table: sa.Table, names: tuple[str, ...], rows: Values) -> None:
    """Set columns of rows that are there: the first name is their key."""
    if rows:
        place = _place(connection.dialect)
        columns = ", ".join(f"{name} = {place}" for name in names[1:])
        update = f"UPDATE {table.name} SET {columns} WHERE {names[0]} = {place}"  # noqa: S608  # names of ours
        connection.exec_driver_sql(update, [(*row[1:], row[0]) for row in rows])


def add_rows(
    connection: sa.Connection,
    table: sa.Table,
    keys: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    merged: Mapping[str, str] = MappingProxyType({}),
    returning: Sequence[str] = (),
) -> list[Sequence[Any]]:
    """Insert rows of counts, one a key; where one with the same key is there already, add to it.

    `merged` names functions for columns that are not summed. Gives what each row then says: `returning`.
    """
    if not rows:
        return []
    names = tuple(rows[0])
    sums = ", ".join(
        f"{name} = {merged[name]}({table.name}.{name}, excluded.{name})"
        if name in merged
        else f"{name} = {table.name}.{name} + excluded.{name}"
        for name in names
        if name not in keys
    )
    values = driver_values(connection.dialect, table, names, rows)
    ending = f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"
    if returning:
        ending += f" RETURNING {', '.join(returning)}"
    return _insert(connection, table, names, values, "INSERT", ending)


def select_rows(
    connection: sa.Connection, columns: Sequence[sa.Column[Any]], key: sa.Column[Any], values: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    """These columns of a table's rows whose key is one of the values, which the driver takes as they are."""
    dialect = connection.dialect
    found = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    statement = (
        f"SELECT {', '.join(column.name for column in columns)} FROM {key.table.name} WHERE {key.name}"  # noqa: S608  # names of ours
    )
    for start in range(0, len(values), MAX_VALUES):
        piece = values[start : start + MAX_VALUES]
        if dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"{statement} IN ({', '.join('?' * len(piece))})", tuple(piece))
        else:
            rows = connection.exec_driver_sql(f"{statement} = ANY(%s)", (piece,))
        for row in rows:
            yield tuple(
                value if read is None else read(value) for read, value in zip(found, row, strict=True)
            )


def _insert(
    connection: sa.Connection,
    table: sa.Table,
    names: tuple[str, ...],
    rows: Values,
    insert: str,
    ending: str = "",
) -> list[Sequence[Any]]:
    found: list[Sequence[Any]] = []
    most = MAX_VALUES // len(names)
    for start in range(0, len(rows), most):
        piece = rows[start : start + most]
        values = _places_of(names, _place(connection.dialect), len(piece))
        statement = f"{insert} INTO {table.name} ({', '.join(names)}) VALUES {values}{ending}"
        result = connection.exec_driver_sql(statement, tuple(chain.from_iterable(piece)))
        if result.returns_rows:
            found += result.all()
    return found


def _place(dialect: sa.Dialect) -> str:
    return "?" if dialect.name == "sqlite" else "%s"


@lru_cache(maxsize=32)
def _places_of(names: tuple[str, ...], place: str, rows: int) -> str:
    row = f"({', '.join([place] * len(names))})"
    return ", ".join([row] * rows)


def driver_values(
    dialect: sa.Dialect, table: sa.Table, names: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
) -> list[tuple[Any, ...]]:
    """The rows as the driver takes them, in the order of `names`; a column at a time is quick."""
    if not rows:
        return []
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
        process = _processor(table.c[name].type, dialect)
        if process is not None:
            found.append((position, process))
    return found


def _processor(column_type: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    if isinstance(column_type, Id | UTCDateTime):  # the types inside add nothing
        return partial(column_type.process_bind_param, dialect=dialect)
    return column_type.dialect_impl(dialect).bind_processor(dialect)
