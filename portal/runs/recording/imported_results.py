"""The results of imported runs: lines of output, takes, scores, artifacts and results of steps."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
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
from portal.runs.recording.languages import Spoken, language_rows


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
    session: Session,
    rows: ResultRows,
    runs: Sequence[Counted],
    replaced: Mapping[UUID, Collection[str]],
) -> None:
    """Insert the results of these runs, after deleting those of the runs that are replaced.

    `replaced` says which lists of each run stay as they are stored: `output_lines`, `files`. Takes are
    deleted by cascade from their lines, results of steps from the steps, replaced before.
    """
    connection = session.connection()
    spoken = _spoken_before(session, [each for each, kept in replaced.items() if "output_lines" in kept])
    _delete(connection, replaced)
    for table, values in rows.by_table():
        bulk.insert_rows(connection, table, values)
    languages = language_rows(runs, rows.output_lines, rows.takes, spoken)
    bulk.insert_rows(connection, _table(RunLanguage), languages)


def _delete(connection: sa.Connection, replaced: Mapping[UUID, Collection[str]]) -> None:
    artifacts, takes = _table(Artifact), _table(Take)
    for chunk in chunks(list(replaced)):
        for table in map(_table, (RunResult, RunLanguage)):
            connection.execute(sa.delete(table).where(table.c.run_id.in_(chunk)))
    for name in ("output_lines", "files"):
        for chunk in chunks([run_id for run_id, kept in replaced.items() if name not in kept]):
            of_takes = sa.select(takes.c.artifact_id).where(
                takes.c.run_id.in_(chunk), takes.c.artifact_id.is_not(None)
            )
            spoken = artifacts.c.id.in_(of_takes)
            wanted = spoken if name == "output_lines" else ~spoken
            connection.execute(sa.delete(artifacts).where(artifacts.c.run_id.in_(chunk), wanted))
            if name == "output_lines":
                lines = _table(OutputLine)
                connection.execute(sa.delete(lines).where(lines.c.run_id.in_(chunk)))


def _spoken_before(session: Session, run_ids: Sequence[UUID]) -> Spoken:
    """What runs whose lines of output stay spoke in each language."""
    found: Spoken = defaultdict(dict)
    for chunk in chunks(run_ids):
        rows = sa.select(RunLanguage).where(RunLanguage.run_id.in_(chunk))
        for row in session.scalars(rows):
            found[row.run_id][row.locale_code] = (row.lines, row.characters)
    session.expire_all()
    return found


def _table(model: type[Base]) -> sa.Table:
    return cast(sa.Table, model.__table__)
