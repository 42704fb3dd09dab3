"""Bulk statements below the ORM: COPY on PostgreSQL, multi-row INSERT on SQLite.

Binding parameters through SQLAlchemy costs more than storing the row. The driver releases the interpreter
lock while a statement runs, so a few long statements leave other threads more time than many short ones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from portal.database.columns import Id, UTCDateTime

MAX_VARIABLES = 32_000
"""Variables in one statement: both databases limit them."""

Row = Mapping[str, Any]
"""Python values by column name."""

Parameters = tuple[Any, ...]
"""Driver parameters: the values of a row in the form that the driver binds, without names."""

_Encoder = Callable[[object], object]


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows that all have the same columns."""
    if rows:
        names = tuple(rows[0])
        insert_parameters(connection, table, names, encode_rows(connection.dialect, table, names, rows))


def insert_parameters(
    connection: sa.Connection, table: sa.Table, names: tuple[str, ...], rows: Sequence[Parameters]
) -> None:
    """Insert rows of driver parameters. Roll back if it fails.

    INSERT OR FAIL spares SQLite the statement journal that would undo a statement that fails halfway: a
    quarter of the cost of inserting runs.
    """
    if connection.dialect.name == "sqlite":
        _insert(connection, table, names, rows, "INSERT OR FAIL")
        return
    cursor: Any = connection.connection.cursor()  # psycopg's: DB-API itself has no COPY
    with cursor, cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def update_parameters(
    connection: sa.Connection, table: sa.Table, names: tuple[str, ...], rows: Sequence[Parameters]
) -> None:
    """Update rows by primary key, which is the first of the names."""
    if rows:
        placeholder = _placeholder(connection.dialect)
        columns = ", ".join(f"{name} = {placeholder}" for name in names[1:])
        update = f"UPDATE {table.name} SET {columns} WHERE {names[0]} = {placeholder}"  # noqa: S608  # names of ours
        connection.exec_driver_sql(update, [(*row[1:], row[0]) for row in rows])


def add_rows(
    connection: sa.Connection,
    table: sa.Table,
    keys: Sequence[str],
    rows: Sequence[Row],
    merged: Mapping[str, str] = MappingProxyType({}),
    returning: Sequence[str] = (),
) -> list[Sequence[Any]]:
    """Upsert rows of counts: where the key exists, add to the other columns.

    Returns the columns `returning` of each row as it is then.
    `merged` names the SQL function for columns that are merged otherwise than by adding.
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
    parameters = encode_rows(connection.dialect, table, names, rows)
    upsert = f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"
    if returning:
        upsert += f" RETURNING {', '.join(returning)}"
    return _insert(connection, table, names, parameters, "INSERT", upsert)


def select_rows(
    connection: sa.Connection,
    columns: Sequence[sa.Column[Any]],
    key: sa.Column[Any],
    parameters: Sequence[Any],
) -> Iterator[Parameters]:
    """Select columns of the rows whose key is one of these driver parameters."""
    dialect = connection.dialect
    decoders = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    statement = (
        f"SELECT {', '.join(column.name for column in columns)} FROM {key.table.name} WHERE {key.name}"  # noqa: S608  # names of ours
    )
    for start in range(0, len(parameters), MAX_VARIABLES):
        chunk = parameters[start : start + MAX_VARIABLES]
        if dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"{statement} IN ({', '.join('?' * len(chunk))})", tuple(chunk))
        else:
            rows = connection.exec_driver_sql(f"{statement} = ANY(%s)", (chunk,))
        for row in rows:
            yield tuple(
                value if decode is None else decode(value)
                for decode, value in zip(decoders, row, strict=True)
            )


def encode_rows(
    dialect: sa.Dialect, table: sa.Table, names: tuple[str, ...], rows: Sequence[Row]
) -> list[Parameters]:
    """Encode rows as driver parameters in the order of `names`; a column at a time, which is faster."""
    if not rows:
        return []
    columns: list[Sequence[Any]] = list(zip(*map(itemgetter(*names), rows), strict=True))
    for position, encode in _encoders(dialect, table, names):
        column = columns[position]
        columns[position] = [None if value is None else encode(value) for value in column]
    return list(zip(*columns, strict=True))


def _insert(
    connection: sa.Connection,
    table: sa.Table,
    names: tuple[str, ...],
    rows: Sequence[Parameters],
    insert: str,
    ending: str = "",
) -> list[Sequence[Any]]:
    returned: list[Sequence[object]] = []
    most = MAX_VARIABLES // len(names)
    for start in range(0, len(rows), most):
        chunk = rows[start : start + most]
        values = _values_clause(names, _placeholder(connection.dialect), len(chunk))
        statement = f"{insert} INTO {table.name} ({', '.join(names)}) VALUES {values}{ending}"
        result = connection.exec_driver_sql(statement, tuple(chain.from_iterable(chunk)))
        if result.returns_rows:
            returned += result.all()
    return returned


def _placeholder(dialect: sa.Dialect) -> str:
    return "?" if dialect.name == "sqlite" else "%s"


@lru_cache(maxsize=32)
def _values_clause(names: tuple[str, ...], placeholder: str, rows: int) -> str:
    row = f"({', '.join([placeholder] * len(names))})"
    return ", ".join([row] * rows)


@lru_cache(maxsize=32)
def _encoders(dialect: sa.Dialect, table: sa.Table, names: tuple[str, ...]) -> Sequence[tuple[int, _Encoder]]:
    """The columns that need encoding, by position."""
    found = []
    for position, name in enumerate(names):
        encode = _encoder(table.c[name].type, dialect)
        if encode is not None:
            found.append((position, encode))
    return found


def _encoder(column_type: sa.types.TypeEngine[object], dialect: sa.Dialect) -> _Encoder | None:
    if isinstance(column_type, Id | UTCDateTime):  # their inner types have no bind processor
        return partial(column_type.process_bind_param, dialect=dialect)
    return column_type.dialect_impl(dialect).bind_processor(dialect)
