"""Read and write transactions: reads use `db.session`, writes `writing()`, one transaction per use case."""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.engine import SQLITE_BUSY_SECONDS, db
from portal.database.refusals import ReadOnlyDatabase, UnfitDatabase, WriteRefused

BEST_EFFORT_BUSY_SECONDS = 0.1
"""How long a best-effort write may wait for a lock."""

SQLITE_BULK_CACHE_KIB = 192 * 1024
"""Page cache for bulk writes: large enough for the indexes, whose keys arrive in any order."""
SQLITE_BULK_CHECKPOINT_PAGES = 100_000
"""WAL size for bulk writes: a page that changes often is checkpointed once."""

log = logging.getLogger(__name__)

Checks = Literal["all", "read-only", "none"]
"""Checks when a write transaction begins: read-only database, and schema of another release."""

_sqlite_writers = threading.Lock()  # a fair queue in front of SQLite's unfair busy handler


def read(statement: sa.Executable, **parameters: object) -> sa.CursorResult[*tuple[Any, ...]]:  # columns
    """Execute a Core statement in the request's read transaction: the ORM costs more than most queries.

    Statements of every request are built once, as constants with `sa.bindparam`.
    """
    return db.session.connection().execute(statement, parameters)


@contextmanager
def snapshot() -> Iterator[None]:
    """A short read transaction in which all statements see the same state; it ends with the block."""
    db.session.rollback()
    if db.engine.dialect.name == "postgresql":
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    try:
        yield
    finally:
        db.session.rollback()


@contextmanager
def writing(*, bulk: bool = False) -> Iterator[Session]:
    """A write transaction: committed at the end, rolled back on any error.

    It first ends the read transaction of `db.session`: a request never holds two connections, which could
    deadlock the pool. On SQLite it uses BEGIN IMMEDIATE, since upgrading a read transaction fails instead of
    waiting, and writers of this process queue. `bulk` enlarges the page cache, for thousands of rows.
    """
    db.session.rollback()
    engine = writing_engine()
    queue: AbstractContextManager[object] = nullcontext()
    if engine.dialect.name == "sqlite":
        queue = _sqlite_writers
    with queue, _begin(engine) as session:
        if bulk and engine.dialect.name == "sqlite":
            session.execute(sa.text(f"PRAGMA cache_size = -{SQLITE_BULK_CACHE_KIB}"))
            session.execute(sa.text(f"PRAGMA wal_autocheckpoint = {SQLITE_BULK_CHECKPOINT_PAGES}"))
        yield session
        session.commit()


def _begin(engine: sa.Engine) -> Session:
    """A session in a write transaction; connections opened on a read-only database are replaced."""
    session = Session(engine, expire_on_commit=False)
    try:
        session.connection()
    except ReadOnlyDatabase:
        engine.dispose()
        session.connection()
    return session


def write_best_effort(statement: sa.Update) -> None:
    """Write something dispensable, such as a last use; skipped while the database is busy or fails."""
    db.session.rollback()
    try:
        _write_unless_busy(writing_engine(), statement)
    except (sa.exc.SQLAlchemyError, WriteRefused, UnfitDatabase) as error:
        log.warning("a best-effort write was skipped: %s", type(error).__name__)


def try_to_write() -> None:
    """Begin and end a write transaction. Raises ReadOnlyDatabase or another database error."""
    engine = writing_engine("read-only")
    try:
        _write_unless_busy(engine)
    except ReadOnlyDatabase:
        engine.dispose()
        _write_unless_busy(engine)


def _write_unless_busy(engine: sa.Engine, statement: sa.Update | None = None) -> None:
    sqlite = engine.dialect.name == "sqlite"
    if sqlite and not _sqlite_writers.acquire(blocking=False):
        return
    try:
        with engine.connect() as connection:
            _set_busy_timeout(connection, BEST_EFFORT_BUSY_SECONDS)
            try:
                with connection.begin():
                    if statement is not None:
                        connection.execute(statement)
            finally:
                if not connection.invalidated:
                    _set_busy_timeout(connection, SQLITE_BUSY_SECONDS)
    finally:
        if sqlite:
            _sqlite_writers.release()


def writing_engine(checks: Checks = "all") -> sa.Engine:
    """The engine, with options that make its transactions write transactions."""
    engine = db.engine
    if engine.dialect.name == "postgresql":
        return engine.execution_options(portal_writes=checks, isolation_level="READ COMMITTED")
    return engine.execution_options(portal_writes=checks)


def _set_busy_timeout(connection: sa.Connection, seconds: float) -> None:
    """Set SQLite's busy timeout, outside of a transaction."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        driver.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
