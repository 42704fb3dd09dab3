"""The only writer of what runs gave: results, lines, takes, scores and artifacts."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Artifact, OutputLine, RunResult, StepResult, Take, Validation
from portal.database.sql import bulk
from portal.database.sql.in_lists import chunks


def _table(model: Any) -> sa.Table:
    return cast(sa.Table, model.__table__)


# In this order, what points at another comes after it.
TABLES = tuple(_table(model) for model in (RunResult, StepResult, OutputLine, Artifact, Take, Validation))


def store_results(
    session: Session, rows: Sequence[Sequence[dict[str, Any]]], replaced: Sequence[UUID]
) -> None:
    """Store rows of each of TABLES; runs that are replaced lose what they gave before.

    Takes go with their lines and results of steps with their steps, which are replaced before.
    """
    connection = session.connection()
    for chunk in chunks(replaced):
        for table in map(_table, (OutputLine, Artifact, RunResult)):
            connection.execute(sa.delete(table).where(table.c.run_id.in_(chunk)))
    for table, values in zip(TABLES, rows, strict=True):
        bulk.insert_rows(connection, table, values)
