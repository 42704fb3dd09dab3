"""Read and write transactions.

Reading goes through `db.session`; writing through `writing()`, one transaction a use case.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.engine import SQLITE_BUSY_SECONDS, db
from portal.database.refusals import ReadOnlyDatabase, UnfitDatabase, WriteRefused

BEST_EFFORT_BUSY_SECONDS = 0.1
"""How long a mark that nobody waits for may wait for a lock."""

SQLITE_BULK_CACHE_KIB = 192 * 1024
"""Pages that a connection may keep: while importing, enough for the indexes, whose keys come in any order."""
SQLITE_BULK_CHECKPOINT_PAGES = 100_000
"""How far the log may grow then: pages that change again and again are copied once."""

log = logging.getLogger(__name__)

Checks = Literal["all", "read-only", "none"]
"""What is looked at when a write transaction begins: may it write at all, and may this release write here?"""

_sqlite_writers = threading.Lock()  # SQLite's busy handler is not fair; a queue in front of it is


def read(statement: sa.Executable, **parameters: Any) -> sa.CursorResult[*tuple[Any, ...]]:
    """Rows of columns in the request's read transaction, below the ORM, which costs more than most queries.

    Statements that every request asks are made once, as constants with `sa.bindparam`.
    """
    return db.session.connection().execute(statement, parameters)


@contextmanager
def writing(*, bulk: bool = False) -> Iterator[Session]:
    """One write transaction: committed at the end, rolled back on any error.

    What `db.session` was reading is given up first: a request never holds two connections, or many
    at once would wait for each other's.

    On SQLite it begins with BEGIN IMMEDIATE, because a read transaction that turns into a write
    one fails at once instead of waiting, and writers of this process queue. `bulk` lets it keep many
    pages in memory, for transactions of thousands of rows.
    """
    db.session.rollback()
    engine = writing_engine()
    queue: AbstractContextManager[Any] = nullcontext()
    if engine.dialect.name == "sqlite":
        queue = _sqlite_writers
    with queue, _begin(engine) as session:
        if bulk and engine.dialect.name == "sqlite":
            session.execute(sa.text(f"PRAGMA cache_size = -{SQLITE_BULK_CACHE_KIB}"))
            session.execute(sa.text(f"PRAGMA wal_autocheckpoint = {SQLITE_BULK_CHECKPOINT_PAGES}"))
        yield session
        session.commit()


def _begin(engine: sa.Engine) -> Session:
    """A session in a write transaction; connections opened while the database was read-only are replaced."""
    session = Session(engine, expire_on_commit=False)
    try:
        session.connection()
    except ReadOnlyDatabase:
        engine.dispose()
        session.connection()
    return session


def write_best_effort(statement: sa.Update) -> None:
    """Write what nobody waits for, such as a last use; left out while the database is busy or fails."""
    db.session.rollback()
    try:
        _write_unless_busy(writing_engine(), statement)
    except (sa.exc.SQLAlchemyError, WriteRefused, UnfitDatabase) as error:
        log.warning("a mark was not written: %s", type(error).__name__)


def try_to_write() -> None:
    """Begin a write transaction and end it. Raises ReadOnlyDatabase, or whatever else stands in the way."""
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
    """The engine whose connections begin write transactions."""
    engine = db.engine
    if engine.dialect.name == "postgresql":
        return engine.execution_options(portal_writes=checks, isolation_level="READ COMMITTED")
    return engine.execution_options(portal_writes=checks)


def _set_busy_timeout(connection: sa.Connection, seconds: float) -> None:
    """Say, before a transaction begins, how long a SQLite connection waits for a lock."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        driver.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
