"""SQLite connections: PRAGMAs, transactions, and invalidation when the database file is replaced."""

import sqlite3
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from portal.database.engine import SQLITE_BUSY_SECONDS, SQLITE_CACHE_KIB
from portal.database.refusals import ReadOnlyDatabase, UnfitDatabase

READ_ONLY = "The database file cannot be written"


def prepare_engine(engine: sa.Engine) -> None:
    """Configure the engine: WAL, foreign keys, explicit transactions instead of the driver's."""
    if engine.dialect.name != "sqlite":
        return
    _set_up(engine)
    _invalidate_on_replacement(engine, Path(engine.url.database or ""))

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("portal_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    @sa.event.listens_for(engine, "handle_error")
    def translate(context: sa.engine.ExceptionContext) -> None:
        """Drop a connection opened while the file was read-only: it stays read-only for good.

        An open cursor would keep it alive, and the next connection would share its read-only WAL index.
        """
        error = context.original_exception
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_READONLY"):
            context.is_disconnect = True
            if context.execution_context is not None and context.execution_context.cursor is not None:
                context.execution_context.cursor.close()
            raise ReadOnlyDatabase(f"{READ_ONLY} ({error}).") from error


def _set_up(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA cache_size = -{SQLITE_CACHE_KIB}")
        [encoding] = cursor.execute("PRAGMA encoding").fetchone()
        cursor.close()
        if encoding != "UTF-8":
            raise UnfitDatabase(f"The database's encoding is {encoding}; the portal needs UTF-8.")


def _invalidate_on_replacement(engine: sa.Engine, file: Path) -> None:
    """At checkout, invalidate a connection whose file was replaced, for instance by restoring a backup."""
    wal = Path(f"{file}-wal")

    @sa.event.listens_for(engine, "connect")
    def remember_file(_connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        record.info["file"] = _identity(file)

    @sa.event.listens_for(engine, "checkin")
    def remember_wal(_connection: sqlite3.Connection | None, record: ConnectionPoolEntry) -> None:
        record.info["wal"] = _identity(wal)

    @sa.event.listens_for(engine, "checkout")
    def check(_connection: sqlite3.Connection, record: ConnectionPoolEntry, _proxy: object) -> None:
        found = _identity(file)
        if found == record.info.get("file"):
            return
        if found is None:
            gone = sqlite3.OperationalError("the database file is not there any more")
            raise sa.exc.OperationalError("", None, gone)
        if _identity(wal) == record.info.get("wal"):
            _remove_wal(file)
        raise sa.exc.InvalidatePoolError


def _identity(file: Path) -> tuple[int, int] | None:
    """Device and inode of the file; None if it does not exist."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _remove_wal(file: Path) -> None:
    """Remove the WAL of the replaced file: SQLite would apply its pages to the new one."""
    for ending in ("-wal", "-shm"):
        with suppress(OSError):
            Path(f"{file}{ending}").unlink()
