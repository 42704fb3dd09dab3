"""The index of trigrams in which the texts of runs are searched: FTS5 on SQLite, pg_trgm on PostgreSQL.

It only narrows down: every text that it gives is compared, so that answers are the same with it, without it,
and on both databases. Without it every text of a workflow is read.

On SQLite the index is a table of its own, which triggers keep. What rebuilds `run_texts` must make them anew.
"""

from collections.abc import Sequence
from typing import Literal
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from portal.database.models import RunText
from portal.database.sql import statements

Kind = Literal["fts5", "instr", "like"]
"""How texts are compared: on SQLite with the index or without it, on PostgreSQL either way alike."""

TABLE = "run_texts_index"
"""The index on SQLite, and the beginning of the names of the tables that FTS5 keeps for it."""
POSTGRES_INDEX = "ix_run_texts_text"
MOST_TRIGRAMS = 12
"""The number of trigrams that are asked for of a long text: these narrow it down enough."""

_REBUILD = "INSERT INTO run_texts_index(run_texts_index) VALUES ('rebuild')"
_COMPARE = "INSERT INTO run_texts_index(run_texts_index, rank) VALUES ('integrity-check', 1)"
SQLITE: Sequence[str] = (
    "CREATE VIRTUAL TABLE run_texts_index USING fts5(text, content='run_texts', content_rowid='id',"
    " tokenize='trigram case_sensitive 1', detail=none, columnsize=0)",
    "CREATE TRIGGER run_texts_inserted AFTER INSERT ON run_texts BEGIN"
    " INSERT INTO run_texts_index(rowid, text) VALUES (new.id, new.text); END",
    "CREATE TRIGGER run_texts_deleted AFTER DELETE ON run_texts BEGIN"
    " INSERT INTO run_texts_index(run_texts_index, rowid, text) VALUES ('delete', old.id, old.text); END",
    _REBUILD,
)
POSTGRESQL: Sequence[str] = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    f"CREATE INDEX {POSTGRES_INDEX} ON run_texts USING gin (text gin_trgm_ops)",
)

_kinds: WeakKeyDictionary[sa.Pool, Kind] = WeakKeyDictionary()


def is_modelled(_object: object, name: str | None, _kind: str, *_: object) -> bool:
    """For Alembic's `include_object`: the index is there or not, which no model says."""
    return not (name or "").startswith((TABLE, POSTGRES_INDEX))


def kind_of(connection: sa.Connection) -> Kind:
    """How texts of this database are compared; the index of SQLite is looked for one time."""
    if connection.dialect.name != "sqlite":
        return "like"
    pool = connection.engine.pool
    if pool not in _kinds:
        _kinds[pool] = "fts5" if exists(connection) else "instr"
    return _kinds[pool]


def look_again(engine: sa.Engine) -> None:
    """Forget whether there is an index: it was made, or is gone."""
    _kinds.pop(engine.pool, None)


def exists(connection: sa.Connection) -> bool:
    """Whether the database has the index."""
    if connection.dialect.name == "sqlite":
        return connection.scalar(_SQLITE_HAS, {"name": TABLE}) is not None
    return connection.scalar(_POSTGRES_HAS, {"name": POSTGRES_INDEX}) is not None


def create(connection: sa.Connection) -> bool:
    """Make the index if the database can have one; returns whether it has."""
    if exists(connection):
        return True
    try:
        with connection.begin_nested():
            for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
                connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError:
        return False
    return True


def is_whole(connection: sa.Connection) -> bool:
    """Whether SQLite's index is that of the texts; PostgreSQL keeps its own. Takes a write transaction."""
    if connection.dialect.name != "sqlite" or not exists(connection):
        return True
    try:
        connection.exec_driver_sql(_COMPARE)
    except sa.exc.OperationalError:
        raise
    except sa.exc.DatabaseError:  # a corrupt virtual table
        return False
    return True


def rebuild(connection: sa.Connection) -> None:
    """Make SQLite's index anew from the texts."""
    if connection.dialect.name == "sqlite" and exists(connection):
        connection.exec_driver_sql(_REBUILD)


def containing(kind: Kind) -> list[sa.ColumnElement[bool]]:
    """The conditions on texts to contain the one that `values` binds."""
    if kind == "like":
        return [RunText.text.like(sa.bindparam("text_like"), escape="/")]
    conditions = [sa.func.instr(RunText.text, sa.bindparam("text_contained", type_=sa.Text())) > 0]
    if kind == "fts5":
        matching = sa.literal_column(TABLE).op("MATCH")(sa.bindparam("text_match", type_=sa.Text()))
        index = sa.table(TABLE, sa.column("rowid", sa.Integer()))
        conditions.append(RunText.id.in_(sa.select(index.c.rowid).where(matching)))
    return conditions


def values(text: str) -> statements.Values:
    """What is bound for a text of at least three characters."""
    pattern = text
    for special in "/%_":
        pattern = pattern.replace(special, f"/{special}")
    return {"text_contained": text, "text_like": f"%{pattern}%", "text_match": _match(text)}


def _match(text: str) -> str:
    """The query of FTS5: trigrams that every text has which contains this one."""
    starts = [*range(0, len(text) - 2, 3), len(text) - 3]
    step = -(-len(starts) // MOST_TRIGRAMS)
    trigrams = dict.fromkeys(text[start : start + 3].replace('"', '""') for start in starts[::step])
    return " AND ".join(f'"{trigram}"' for trigram in trigrams)


_SQLITE_HAS = sa.text("SELECT 1 FROM sqlite_master WHERE name = :name")
_POSTGRES_HAS = sa.text("SELECT 1 WHERE to_regclass(:name) IS NOT NULL")
