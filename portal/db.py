"""The database: engine set-up, read and write transactions, and the column types of our own.

Reading goes through `db.session`; writing through `writing()`, one transaction a use case.
"""

import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, SafeUUID

import orjson
import sqlalchemy as sa
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator, TypeEngine

SQLITE_BUSY_SECONDS = 30
"""How long a SQLite connection waits for another one's lock before it gives up."""

CONNECT_SECONDS = 3
"""How long PostgreSQL may take to accept a connection."""

MARK_BUSY_SECONDS = 0.1
"""How long a mark that nobody waits for may wait for a lock."""

CONNECTIONS = 8
"""How many connections a process keeps open: one for each thread that serves (gunicorn.conf.py)."""

SQLITE_CACHE_KIB = 16 * 1024
SQLITE_BULK_CACHE_KIB = 192 * 1024
"""Pages that a connection may keep: while importing, enough for the indexes, whose keys come in any order."""
SQLITE_BULK_CHECKPOINT_PAGES = 100_000
"""How far the log may grow then: pages that change again and again are copied once."""

log = logging.getLogger(__name__)


class TakesNoChanges(Exception):
    """The database takes no changes from here; the text says why."""


class ReadOnlyDatabase(TakesNoChanges):
    """The database takes no changes from anybody, at least on this connection."""


class UnfitDatabase(Exception):
    """A database that cannot keep what the portal stores; the text says why."""


Checks = Literal["all", "read-only", "none"]
"""What is looked at when a write transaction begins: may it write at all, and may this release write here?"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONG_NUMBER = re.compile("[0-9]{19}")
_sqlite_writers = threading.Lock()  # SQLite's busy handler is not fair; a queue in front of it is


class UTCDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC: `timestamptz` on PostgreSQL, microseconds since 1970 on SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.BigInteger())
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        if dialect.name == "sqlite":
            return (value - _EPOCH) // _MICROSECOND
        return value.astimezone(UTC)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        if dialect.name == "sqlite":
            return _from_microseconds
        return _in_utc


def _from_microseconds(value: int | None) -> datetime | None:
    return None if value is None else _EPOCH + timedelta(microseconds=value)


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


class Id(TypeDecorator[UUID]):
    """A UUID: native on PostgreSQL, its 16 bytes on SQLite. Both sort like the lower-case text."""

    impl = sa.Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.LargeBinary(16))
        return dialect.type_descriptor(sa.Uuid())

    def process_bind_param(self, value: UUID | None, dialect: sa.Dialect) -> Any:
        return value.bytes if value is not None and dialect.name == "sqlite" else value

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], UUID | None] | None:
        return _from_bytes if dialect.name == "sqlite" else None


def _from_bytes(value: bytes | None) -> UUID | None:
    """What UUID(bytes=value) gives, without its checks of other ways to write one: lists are full of them."""
    if value is None:
        return None
    found = UUID.__new__(UUID)
    object.__setattr__(found, "int", int.from_bytes(value))
    object.__setattr__(found, "is_safe", SafeUUID.unknown)
    return found


class Base(DeclarativeBase):
    type_annotation_map = {UUID: Id, datetime: UTCDateTime}  # noqa: RUF012
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(metadata=Base.metadata, disable_autonaming=True)
migrate = Migrate()


FoldedText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text in code point order on both databases, whatever the installation's locale."""


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


def leave_mark(statement: sa.Update) -> None:
    """Write what nobody waits for, such as a last use; left out while the database is busy or fails."""
    db.session.rollback()
    try:
        _write_unless_busy(writing_engine(), statement)
    except (sa.exc.SQLAlchemyError, TakesNoChanges, UnfitDatabase) as error:
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
            _set_busy_timeout(connection, MARK_BUSY_SECONDS)
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


def _to_json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # whole numbers of more than 64 bits
        return json.dumps(value)


def _from_json(text: str | bytes) -> Any:
    """Read what the database keeps; whole numbers of more than 64 bits by the library's own reader."""
    written = text if isinstance(text, str) else text.decode()
    return json.loads(written) if _LONG_NUMBER.search(written) else orjson.loads(written)


PINNED = {
    "timezone": "UTC",
    "client_encoding": "UTF8",
    "datestyle": "ISO,MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "extra_float_digits": "1",
    "transform_null_equals": "off",
    "default_transaction_isolation": r"read\ committed",
    "jit": "off",
}
"""Settings of PostgreSQL on which what is read and written depends; a role or a database may have others."""


def engine_options(url: sa.URL) -> dict[str, Any]:
    """Options for the engine of this URL (`SQLALCHEMY_ENGINE_OPTIONS`).

    On PostgreSQL reading needs no transaction: each statement of one would see the newest all the same.
    """
    kept = {"json_serializer": _to_json, "json_deserializer": _from_json, "pool_size": CONNECTIONS}
    if url.get_backend_name() == "sqlite":
        return kept | {"connect_args": {"timeout": SQLITE_BUSY_SECONDS}}
    wanted = url.query.get("options", ())
    options = [wanted] if isinstance(wanted, str) else [*wanted]
    options += [f"-c {name}={value}" for name, value in PINNED.items()]
    return kept | {
        "isolation_level": "AUTOCOMMIT",
        "pool_timeout": 5,
        "connect_args": {"connect_timeout": CONNECT_SECONDS, "options": " ".join(options)},
    }
