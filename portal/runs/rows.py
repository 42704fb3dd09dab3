"""Rows of lists of runs: read with a page of ids, in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.db import read
from portal.models import Person, Run


@dataclass(frozen=True)
class TriggeredBy:
    user_id: UUID
    user_name: str


@dataclass
class RunRow:
    """One run as lists show it (contract 3.1)."""

    triggered_by: TriggeredBy | None
    id: UUID
    status: str
    run_number: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    total_nodes: int | None
    finished_nodes: int | None
    total_steps: int
    finished_steps: int
    usage_summary: dict[str, Any] | None
    credits: int | None
    pause_requested_at: datetime | None
    paused_at: datetime | None
    paused_ms: int | None
    pause_reason: str | None
    pause_error: str | None
    output_line_count: int | None
    delivered_audio_ms: int | None
    error: str | None


_NAMES = tuple(name for name in RunRow.__dataclass_fields__ if name != "triggered_by")
_COLUMNS = (Person.user_id, Person.display_name, *(getattr(Run, name) for name in _NAMES))


def rows_of(page: sa.FromClause) -> sa.Select[Any]:
    """The rows of a page, a subquery with a column `id`; in no order."""
    runs = page.join(Run, Run.id == page.c.id).outerjoin(Person, Run.person_id == Person.id)
    return sa.select(*_COLUMNS).select_from(runs)


def run_rows(statement: sa.Select[Any], values: dict[str, Any]) -> list[RunRow]:
    return [_row(*found) for found in read(statement, **values)]


_BY_IDS = (
    sa.select(*_COLUMNS)
    .select_from(Run)
    .outerjoin(Person, Run.person_id == Person.id)
    .where(Run.id.in_(sa.bindparam("ids", expanding=True)))
)


def read_rows(ids: Sequence[UUID]) -> list[RunRow]:
    """The rows of these runs, in the order of `ids`."""
    if not ids:
        return []
    found = {row.id: row for row in run_rows(_BY_IDS, {"ids": list(ids)})}
    return [found[run_id] for run_id in ids]


def _row(user_id: UUID | None, user_name: str, *columns: Any) -> RunRow:
    return RunRow(TriggeredBy(user_id, user_name) if user_id else None, *columns)
