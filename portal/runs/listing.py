"""Lists of runs: filters, order, exact totals.

Ids first, rows second: a page's ids come from a covering index, then just those rows are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.db import db
from portal.models import Person, Run
from portal.paging import Page
from portal.runs.counts import count_by_status
from portal.runs.page_ids import find_ids
from portal.runs.query import RunQuery
from portal.workflows.access import SeenWorkflow


@dataclass(frozen=True)
class TriggeredBy:
    user_id: UUID
    user_name: str


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One run as lists show it (contract 3.1)."""

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
    triggered_by: TriggeredBy | None
    credits: int | None
    pause_requested_at: datetime | None
    paused_at: datetime | None
    paused_ms: int | None
    pause_reason: str | None
    pause_error: str | None
    output_line_count: int | None
    delivered_audio_ms: int | None
    error: str | None


_COLUMNS = tuple(getattr(Run, name) for name in RunRow.__dataclass_fields__ if name != "triggered_by")


def list_runs(workflow: SeenWorkflow, query: RunQuery) -> Page[RunRow]:
    """One page of a workflow's runs and the exact number of all that match."""
    counts = count_by_status(workflow, query)
    total = sum(number for status, number in counts.items() if not query.status or status in query.status)
    count = min(query.slice.limit, total - query.slice.offset)
    ids = find_ids(workflow, query, counts, count) if count > 0 else ()
    return Page(read_rows(ids), total, query.slice)


def read_rows(ids: Sequence[UUID]) -> list[RunRow]:
    """The rows of these runs, in the order of `ids`."""
    if not ids:
        return []
    select = sa.select(*_COLUMNS, Person.user_id, Person.display_name)
    select = select.outerjoin(Person, Run.person_id == Person.id)
    found = {row.id: row for row in db.session.execute(select.where(Run.id.in_(ids)))}
    return [_row(found[run_id]) for run_id in ids]


def _row(row: Any) -> RunRow:
    values = dict(row._mapping)
    user_id, user_name = values.pop("user_id"), values.pop("display_name")
    return RunRow(**values, triggered_by=TriggeredBy(user_id, user_name) if user_id else None)
