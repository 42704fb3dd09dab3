"""The results of imported runs: lines of output, takes, scores, artifacts and results of steps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.columns import Base
from portal.database.models import (
    Artifact,
    OutputLine,
    RunLanguage,
    RunResult,
    StepResult,
    Take,
    Validation,
)
from portal.database.sql import bulk
from portal.database.sql.bulk import Row
from portal.database.sql.in_lists import chunks
from portal.runs.counts import Counted
from portal.runs.recording.languages import language_rows


@dataclass(frozen=True, kw_only=True)
class ResultRows:
    """Rows of the tables of results, parents before their children."""

    run_results: Sequence[Row]
    step_results: Sequence[Row]
    output_lines: Sequence[Row]
    artifacts: Sequence[Row]
    takes: Sequence[Row]
    validations: Sequence[Row]

    @property
    def number(self) -> int:
        return sum(len(rows) for _, rows in self.by_table())

    def by_table(self) -> Sequence[tuple[sa.Table, Sequence[Row]]]:
        return (
            (_table(RunResult), self.run_results),
            (_table(StepResult), self.step_results),
            (_table(OutputLine), self.output_lines),
            (_table(Artifact), self.artifacts),
            (_table(Take), self.takes),
            (_table(Validation), self.validations),
        )


def store_results(
    session: Session, rows: ResultRows, runs: Iterable[Counted], replaced: Sequence[UUID]
) -> None:
    """Insert the results of these runs, after deleting those of the runs that are replaced.

    Takes are deleted by cascade from their lines, results of steps from the steps, replaced before.
    """
    connection = session.connection()
    for chunk in chunks(replaced):
        for table in map(_table, (OutputLine, Artifact, RunResult, RunLanguage)):
            connection.execute(sa.delete(table).where(table.c.run_id.in_(chunk)))
    for table, values in rows.by_table():
        bulk.insert_rows(connection, table, values)
    languages = language_rows(runs, rows.output_lines, rows.takes)
    bulk.insert_rows(connection, _table(RunLanguage), languages)


def _table(model: type[Base]) -> sa.Table:
    return cast(sa.Table, model.__table__)
