"""Inserts that two writers may make at the same time."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.database.columns import Base


def insert_unless_there(session: Session, model: type[Base], values: Mapping[str, object]) -> bool:
    """Insert a row unless there is one with its primary key. Whether it was inserted."""
    insert = _insert(session, model, values).on_conflict_do_nothing()
    return session.execute(insert.returning(sa.literal(1))).first() is not None


def insert_or_increment(session: Session, model: type[Base], key: Mapping[str, object], column: str) -> None:
    """Add one to a column of the row with this primary key; the first time, insert it with one."""
    table = sa.inspect(model).local_table
    insert = _insert(session, model, {**key, column: 1})
    session.execute(insert.on_conflict_do_update(index_elements=[*key], set_={column: table.c[column] + 1}))


def _insert(
    session: Session, model: type[Base], values: Mapping[str, object]
) -> postgresql.Insert | sqlite.Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(model).values(**values)
    return sqlite.insert(model).values(**values)
