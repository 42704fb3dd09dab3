"""The clock that all processes share: the database's, so that no machine's own decides who is alive."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal import moments


def shared_now(session: Session) -> datetime:
    """Now, by PostgreSQL's clock; SQLite has none of its own, and one machine."""
    if session.get_bind().dialect.name == "postgresql":
        now: datetime = session.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return now
    return moments.now()
