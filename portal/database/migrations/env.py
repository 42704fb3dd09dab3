"""Alembic environment: migrations run on the application's engine."""

from typing import Any

from alembic import context

from portal.cli.failures import report_failures
from portal.database import compatibility
from portal.database.columns import Base
from portal.database.engine import db
from portal.database.sql import text_index
from portal.database.transactions import writing_engine
from portal.engine.queue import dbos_queue


def is_modelled(*named: Any) -> bool:
    """Whether a table or index is one that models know."""
    return dbos_queue.is_not_its_own(*named) and text_index.is_modelled(*named)


def run() -> None:
    # SQLite's batch mode rebuilds tables, which must not cascade through foreign keys.
    with writing_engine(checks="none").connect() as connection:
        compatibility.refuse_newer(compatibility.read_schema(connection))
        connection.rollback()
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            connection.connection.execute("PRAGMA foreign_keys = OFF")
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            compare_type=True,
            user_module_prefix="portal.database.columns.",
            include_object=is_modelled,
        )
        with context.begin_transaction():
            context.run_migrations()
        if sqlite:
            connection.connection.execute("PRAGMA foreign_keys = ON")
        schema = compatibility.read_schema(connection)
    if schema.status == compatibility.MigrationStatus.NEWEST:
        dbos_queue.migrate(db.engine.url)


if context.is_offline_mode():
    raise SystemExit("Migrations run on a live database only.")
with report_failures():
    run()
