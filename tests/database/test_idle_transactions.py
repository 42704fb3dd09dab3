"""A process that is frozen within a transaction: its locks do not outlive its lease."""

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database import outages, postgresql
from portal.database.engine import db
from tests.factories import make_workspace

LOCK = sa.text("SELECT id FROM workspaces FOR UPDATE")


def test_postgresql_releases_the_locks_of_a_transaction_that_stands_still(app: Flask) -> None:
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite knows no clients")
    make_workspace()
    db.session.remove()
    frozen = sa.create_engine(db.engine.url)
    postgresql.end_idle_transactions(frozen, 0.1)
    with frozen.connect() as connection:
        connection.execute(LOCK)
        with db.engine.begin() as other:  # gets the lock when the server has taken it from the first
            other.execute(LOCK)
        with pytest.raises(sa.exc.DBAPIError) as error:
            connection.execute(LOCK)
    assert outages.cause_of(error.value) is outages.NO_ANSWER
    frozen.dispose()
