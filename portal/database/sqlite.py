"""Connections to SQLite: set up for the portal, and dropped where the file is not the one they opened."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from portal.database.engine import SQLITE_BUSY_SECONDS, SQLITE_CACHE_KIB
from portal.database.refusals import ReadOnlyDatabase, UnfitDatabase

READ_ONLY = "The database file cannot be written"

_Identity = tuple[int, int]


def prepare_engine(engine: sa.Engine) -> None:
    """Make a SQLite engine behave: WAL, foreign keys, transactions begun by us and not by the driver."""
    if engine.dialect.name != "sqlite":
        return
    _set_up(engine)
    _watch_the_file(engine, Path(engine.url.database or ""))

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("portal_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    @sa.event.listens_for(engine, "handle_error")
    def tell(context: sa.engine.ExceptionContext) -> None:
        """A connection that was opened while the file was read-only stays so for its life: drop it.

        The cursor would keep it open, and the next one would share its read-only index of the log.
        """
        error = context.original_exception
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_READONLY"):
            context.is_disconnect = True
            if context.execution_context is not None and context.execution_context.cursor is not None:
                context.execution_context.cursor.close()
            raise ReadOnlyDatabase(f"{READ_ONLY} ({error}).") from error


def _set_up(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
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


def _watch_the_file(engine: sa.Engine, file: Path) -> None:
    """Look before a connection is used again whether the file is still the one that it opened.

    A backup that is moved over the file of a running portal is another file with the same name.
    """
    log = Path(f"{file}-wal")

    @sa.event.listens_for(engine, "connect")
    def remember(_connection: Any, record: Any) -> None:
        record.info["file"] = _identity(file)

    @sa.event.listens_for(engine, "checkin")
    def remember_log(_connection: Any, record: Any) -> None:
        record.info["log"] = _identity(log)

    @sa.event.listens_for(engine, "checkout")
    def look(_connection: Any, record: Any, _proxy: Any) -> None:
        found = _identity(file)
        if found == record.info.get("file"):
            return
        if found is None:
            gone = sqlite3.OperationalError("the database file is not there any more")
            raise sa.exc.OperationalError("", None, gone)
        if _identity(log) == record.info.get("log"):
            _remove_log(file)
        raise sa.exc.InvalidatePoolError


def _identity(file: Path) -> _Identity | None:
    """Which file this is, whatever its name; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _remove_log(file: Path) -> None:
    """Take away the log of the file before: SQLite would write its pages over those of the new one."""
    for ending in ("-wal", "-shm"):
        with suppress(OSError):
            Path(f"{file}{ending}").unlink()
