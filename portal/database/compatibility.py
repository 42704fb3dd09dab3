"""Compatibility of the database's schema with this release.

The latest migration applied tells whether the schema is older or newer than the code. A newer schema states,
in `schema_state`, which releases may still write to it.
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
"""The latest migration of this release, read at import: an upgrade puts newer files into the folder."""

_VERSION = "(SELECT max(version_num) FROM alembic_version)"

_EMPTY_WRITE = "DELETE FROM alembic_version WHERE 0"
"""Fails on a read-only SQLite file, where BEGIN IMMEDIATE only begins a read transaction."""


class MigrationStatus(StrEnum):
    """The database's latest migration compared with this release's."""

    OLDER = "older"
    NEWEST = "newest"
    NEWER = "newer"
    """Newer, and this release may still write."""
    TOO_NEW = "too new"


@dataclass(frozen=True)
class Schema:
    """The latest migration of a database, and the one a release must know to write to it."""

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
            return "up to date"
        return f"the database is of a newer release: at migration {self.version}, this release knows {NEWEST}"


@dataclass(frozen=True)
class DatabaseState:
    """The schema of a readable database, and whether it accepts writes."""

    schema: Schema
    read_only: str | None
    """Why it is read-only at the moment."""

    @property
    def write_refusal(self) -> str | None:
        """Why a server of this release cannot write; None if it can."""
        return _too_new(self.schema) if self.schema.status == MigrationStatus.TOO_NEW else self.read_only


def read_state() -> DatabaseState:
    """Examine the database. Raises UnfitDatabase, or SQLAlchemyError if it cannot be read."""
    with db.engine.connect() as connection:
        schema = read_schema(connection)
    return DatabaseState(schema, _why_read_only() if schema.version else None)


def _why_read_only() -> str | None:
    try:
        try_to_write()
    except ReadOnlyDatabase as error:
        return str(error)
    except sa.exc.OperationalError as error:
        if outages.cause_of(error) != outages.LOCKED:  # whoever holds the lock can write
            raise
    return None


def read_schema(connection: sa.Connection) -> Schema:
    """The schema of a database, which may be empty."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return Schema(None)
    return _with_oldest_writer(connection, connection.exec_driver_sql(f"SELECT {_VERSION}").scalar())


def _with_oldest_writer(connection: sa.Connection, version: str | None) -> Schema:
    """Read which releases may write to a newer database; without `schema_state`, all may."""
    if version is None or version <= NEWEST or not sa.inspect(connection).has_table("schema_state"):
        return Schema(version)
    oldest = connection.exec_driver_sql("SELECT max(oldest_writer) FROM schema_state").scalar()
    return Schema(version, oldest)


def refuse_newer(schema: Schema) -> None:
    """Commands do not write to the database of a newer release. Raises WriteRefused."""
    if schema.status in (MigrationStatus.NEWER, MigrationStatus.TOO_NEW):
        raise WriteRefused(
            f"{schema.description[0].upper()}{schema.description[1:]}. Use the commands of the newer release."
        )


def _too_new(schema: Schema) -> str:
    return (
        f"The database is at migration {schema.version} and accepts writes only from releases that know "
        f"{schema.oldest_writer}; this one knows {NEWEST}. Start the newer release."
    )


def prepare_engine(engine: sa.Engine) -> None:
    """Check compatibility whenever a write transaction begins."""

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        checks = connection.get_execution_options().get("portal_writes")
        if checks in ("all", "read-only"):
            _check(connection, schema=checks == "all")


def _check(connection: sa.Connection, schema: bool) -> None:
    """Refuse a write that the database does not accept, in one small read. Raises WriteRefused.

    A command writes only to a schema of its own release; a server as long as the schema permits it.
    """
    columns = [_VERSION if schema else "NULL"]
    if connection.dialect.name == "postgresql":
        columns.append("current_setting('transaction_read_only') = 'on'")
    else:
        connection.exec_driver_sql(_EMPTY_WRITE)
    version, *read_only = connection.exec_driver_sql(f"SELECT {', '.join(columns)}").one()
    if read_only:
        postgresql.refuse_read_only(connection, *read_only)
    if version is None or version <= NEWEST:
        return
    found = _with_oldest_writer(connection, version)
    if not has_request_context():
        refuse_newer(found)
    if found.status == MigrationStatus.TOO_NEW:
        raise WriteRefused(_too_new(found))


def why_unfit(url: sa.URL) -> str | None:
    """Why a server must not start on this database; None if it may or the database is unreachable."""
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
