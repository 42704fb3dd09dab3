"""Inserts that two writers may make at the same time."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.database.columns import Base


def insert_unless_there(session: Session, model: type[Base], values: Mapping[str, object]) -> bool:
    """Insert a row unless there is one with its primary key. Whether it was inserted."""
    insert = _insert(session, model, values).on_conflict_do_nothing()
    return session.execute(insert.returning(sa.literal(1))).first() is not None


def insert_those_missing(session: Session, model: type[Base], rows: Sequence[Mapping[str, object]]) -> None:
    """Insert those of these rows whose primary keys are not there."""
    if rows:
        session.execute(_insert(session, model, {}).on_conflict_do_nothing(), rows)


def insert_or_add(
    session: Session, model: type[Base], key: Mapping[str, object], amounts: Mapping[str, int]
) -> None:
    """Add amounts to columns of the row with this primary key; the first time, insert it with them."""
    table = sa.inspect(model).local_table
    sums = {column: table.c[column] + amount for column, amount in amounts.items()}
    insert = _insert(session, model, {**key, **amounts})
    session.execute(insert.on_conflict_do_update(index_elements=[*key], set_=sums))


def _insert(
    session: Session, model: type[Base], values: Mapping[str, object]
) -> postgresql.Insert | sqlite.Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(model).values(**values)
    return sqlite.insert(model).values(**values)
