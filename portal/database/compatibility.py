"""Which states a database can be in for this release, and how they are told.

The newest migration that the database has says whether it is older or newer than the code. A newer one says
itself, in `schema_state`, which releases may still write to it.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa
from flask import has_request_context

from portal.database import outages, postgresql, sqlite
from portal.database.engine import db, engine_options
from portal.database.refusals import ReadOnlyDatabase, UnfitDatabase, WriteRefused
from portal.database.transactions import try_to_write

NEWEST = max(file.name for file in (Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))[:4]
"""The newest migration of this release. Found when the code is loaded: an upgrade puts newer files there."""

_VERSION = "(SELECT max(version_num) FROM alembic_version)"

_WRITES_NOTHING = "DELETE FROM alembic_version WHERE 0"
"""What SQLite refuses where the file is read-only; there BEGIN IMMEDIATE begins a read transaction."""


class MigrationStatus(StrEnum):
    """How the database's migrations stand to those of this release."""

    OLDER = "older"
    NEWEST = "newest"
    NEWER = "newer"
    """Of a later release that lets this one go on writing."""
    TOO_NEW = "too new"


@dataclass(frozen=True)
class Schema:
    """The newest migration of a database, and the newest that a release must know to write to it."""

    version: str | None
    oldest_writer: str | None = None

    @property
    def status(self) -> MigrationStatus:
        if self.version is None or self.version < NEWEST:
            return MigrationStatus.OLDER
        if self.version == NEWEST:
            return MigrationStatus.NEWEST
        too_new = self.oldest_writer is not None and self.oldest_writer > NEWEST
        return MigrationStatus.TOO_NEW if too_new else MigrationStatus.NEWER

    @property
    def description(self) -> str:
        if self.status == MigrationStatus.OLDER:
            return "run: flask db upgrade"
        if self.status == MigrationStatus.NEWEST:
            return "at the newest"
        return f"the database is of a newer release: at migration {self.version}, this release knows {NEWEST}"


@dataclass(frozen=True)
class DatabaseState:
    """What a database that can be read is good for."""

    schema: Schema
    read_only: str | None
    """Why nothing can be changed at the moment."""

    @property
    def write_refusal(self) -> str | None:
        """Why a server of this release does not write."""
        return _too_new(self.schema) if self.schema.status == MigrationStatus.TOO_NEW else self.read_only


def read_state() -> DatabaseState:
    """Look at the database. Raises UnfitDatabase, or SQLAlchemyError where it cannot be read."""
    with db.engine.connect() as connection:
        schema = read_schema(connection)
    return DatabaseState(schema, _why_read_only() if schema.version else None)


def _why_read_only() -> str | None:
    try:
        try_to_write()
    except ReadOnlyDatabase as error:
        return str(error)
    except sa.exc.OperationalError as error:
        if outages.cause_of(error) != outages.LOCKED:  # who holds the lock writes
            raise
    return None


def read_schema(connection: sa.Connection) -> Schema:
    """The migrations of a database, which may have none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return Schema(None)
    return _complete(connection, connection.exec_driver_sql(f"SELECT {_VERSION}").scalar())


def _complete(connection: sa.Connection, version: str | None) -> Schema:
    """Ask a newer database which releases may write; one that does not say restricts none."""
    if version is None or version <= NEWEST or not sa.inspect(connection).has_table("schema_state"):
        return Schema(version)
    oldest = connection.exec_driver_sql("SELECT max(oldest_writer) FROM schema_state").scalar()
    return Schema(version, oldest)


def refuse_newer(schema: Schema) -> None:
    """Refuse to change a database of a newer release, as commands do. Raises WriteRefused."""
    if schema.status in (MigrationStatus.NEWER, MigrationStatus.TOO_NEW):
        raise WriteRefused(
            f"{schema.description[0].upper()}{schema.description[1:]}. Use the commands of the newer release."
        )


def _too_new(schema: Schema) -> str:
    return (
        f"The database is at migration {schema.version} and takes changes of releases that know "
        f"{schema.oldest_writer}; this one knows {NEWEST}. Start the newer release."
    )


def prepare_engine(engine: sa.Engine) -> None:
    """Look at the database whenever a write transaction begins."""

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        checks = connection.get_execution_options().get("portal_writes")
        if checks in ("all", "read-only"):
            _check(connection, of_schema=checks == "all")


def _check(connection: sa.Connection, of_schema: bool) -> None:
    """One small read. Raises WriteRefused.

    A command writes only to a database of its own release; a server goes on for as long as it may.
    """
    columns = [_VERSION if of_schema else "NULL"]
    if connection.dialect.name == "postgresql":
        columns.append("current_setting('transaction_read_only') = 'on'")
    else:
        connection.exec_driver_sql(_WRITES_NOTHING)
    version, *read_only = connection.exec_driver_sql(f"SELECT {', '.join(columns)}").one()
    if read_only:
        postgresql.refuse_read_only(connection, *read_only)
    if version is None or version <= NEWEST:
        return
    schema = _complete(connection, version)
    if not has_request_context():
        refuse_newer(schema)
    if schema.status == MigrationStatus.TOO_NEW:
        raise WriteRefused(_too_new(schema))


def why_unfit(url: sa.URL) -> str | None:
    """Why a server must not start on this database; None where it may, also where the database is away."""
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return None
    engine = sa.create_engine(url, **engine_options(url))
    sqlite.prepare_engine(engine)
    postgresql.prepare_engine(engine)
    try:
        engine.connect().close()
    except UnfitDatabase as error:
        return str(error)
    except sa.exc.SQLAlchemyError:
        return None
    finally:
        engine.dispose()
    return None
