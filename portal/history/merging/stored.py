"""Reads what is stored of runs as the state that lines made of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.columns import Base
from portal.database.models import Person, Run, RunDetail, RunResult, Step, StepResult
from portal.database.sql.in_lists import chunks
from portal.history.merging.rows import state_of_row
from portal.history.merging.state import RunState

Row = Mapping[str, object]


def read_states(session: Session, run_ids: Iterable[UUID]) -> dict[UUID, RunState]:
    """The states of these imported runs."""
    states: dict[UUID, RunState] = {}
    for chunk in chunks(list(run_ids)):
        rows = {cast(UUID, row["id"]): row for row in _rows(session, Run, "id", chunk)}
        details = {row["run_id"]: row for row in _rows(session, RunDetail, "run_id", chunk)}
        results = {row["run_id"]: row for row in _rows(session, RunResult, "run_id", chunk)}
        steps, gave = _by_run(session, Step, chunk), _by_run(session, StepResult, chunk)
        people = {
            person_id: (str(user_id), person_id)
            for person_id, user_id in session.execute(
                sa.select(Person.id, Person.user_id).where(
                    Person.id.in_({row["person_id"] for row in rows.values()} - {None})
                )
            )
        }
        for run_id, row in rows.items():
            states[run_id] = state_of_row(
                row,
                details.get(run_id, {}),
                results.get(run_id),
                steps[run_id],
                {cast(int, each["position"]): each for each in gave[run_id]},
                people.get(cast(int, row["person_id"])),
            )
    return states


def _rows(session: Session, model: type[Base], key: str, ids: Sequence[UUID], *order: str) -> list[Row]:
    table = cast(sa.Table, model.__table__)
    select = sa.select(table).where(table.c[key].in_(ids)).order_by(*(table.c[name] for name in order))
    return [cast(Row, row) for row in session.execute(select).mappings()]


def _by_run(session: Session, model: type[Base], ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    found: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in _rows(session, model, "run_id", ids, "run_id", "position"):
        found[cast(UUID, row["run_id"])].append(row)
    return found
