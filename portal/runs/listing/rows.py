"""Rows of lists of runs: read with a page of ids, in one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import cast
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Person, Run, RunDetail
from portal.database.sql import statements
from portal.database.sql.excerpts import cut, excerpt, json_excerpt, json_members
from portal.database.transactions import read

MOST_TEXT = 240
"""Characters of an error that a brief row has."""
MOST_USAGE = 1000
"""Characters of the usage, as JSON, that a brief row is read from."""
MOST_TITLE = 500
MOST_LABELS = 1000
"""Characters of the title, and of the labels as JSON, that a brief row is read from."""


class Texts(Enum):
    """How much is read of what may be long."""

    WHOLE = "whole"
    LISTED = "listed"
    """Whole, but for the error, which the API's lists leave out (contract 3.1)."""
    BRIEF = "brief"
    """The first characters, for pages: each of a hundred errors may have a megabyte. Title and labels too."""


@dataclass(frozen=True)
class TriggeredBy:
    user_id: UUID
    user_name: str


@dataclass
class RunRow:
    """One run as lists show it (contract 3.1); of a brief one, texts end in an ellipsis where they go on."""

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
    usage_summary: dict[str, object] | None
    credits: int | None
    pause_requested_at: datetime | None
    paused_at: datetime | None
    paused_ms: int | None
    pause_reason: str | None
    pause_error: str | None
    output_line_count: int | None
    delivered_audio_ms: int | None
    error: str | None
    by_engine: bool
    """Whether the portal's own engine drives it."""
    title: str | None = None
    labels: Mapping[str, object] | None = None
    """Title and first labels, as the source gave them: of a brief row only."""
    usage_cut: bool = False
    """Whether the usage has more members than a brief row tells."""


_APART = ("triggered_by", "title", "labels", "usage_cut")
_NAMES = tuple(name for name in RunRow.__dataclass_fields__ if name not in _APART)
_OTHERWISE: dict[Texts, dict[str, sa.Label[str] | sa.Label[None]]] = {
    Texts.WHOLE: {},
    Texts.LISTED: {"error": sa.null().label("error")},
    Texts.BRIEF: {
        "error": excerpt(Run.error, MOST_TEXT).label("error"),
        "pause_error": excerpt(Run.pause_error, MOST_TEXT).label("pause_error"),
        "usage_summary": json_excerpt(Run.usage_summary, MOST_USAGE).label("usage_summary"),
    },
}
"""The columns that are read in another way than whole."""
_SUBJECT = (
    excerpt(RunDetail.source["title"].as_string(), MOST_TITLE).label("title"),
    excerpt(RunDetail.source["labels"].as_string(), MOST_LABELS).label("labels"),
)
_COLUMNS = {
    texts: (
        Person.user_id,
        Person.display_name,
        *(otherwise.get(name, getattr(Run, name)) for name in _NAMES),
        *(_SUBJECT if texts is Texts.BRIEF else ()),
    )
    for texts, otherwise in _OTHERWISE.items()
}


def rows_of(page: sa.FromClause, texts: Texts) -> statements.Columns:
    """The rows of a page, a subquery with a column `id`; in no order."""
    return _rows(page.join(Run, Run.id == page.c.id), texts)


def _rows(runs: sa.FromClause, texts: Texts) -> statements.Columns:
    rows = runs.outerjoin(Person, Run.person_id == Person.id)
    if texts is Texts.BRIEF:
        rows = rows.outerjoin(RunDetail, RunDetail.run_id == Run.id)
    return sa.select(*_COLUMNS[texts]).select_from(rows)


def run_rows(statement: statements.Columns, values: statements.Values, texts: Texts) -> list[RunRow]:
    """The rows that a statement of `rows_of` reads."""
    rows = [
        RunRow(TriggeredBy(user_id, user_name) if user_id else None, *columns)
        for user_id, user_name, *columns in read(statement, **values).all()
    ]
    return [_shorten(row) for row in rows] if texts is Texts.BRIEF else rows


_BY_IDS = {
    texts: _rows(sa.inspect(Run).local_table, texts).where(
        Run.id.in_(sa.bindparam("ids", expanding=True)),
        # Compared so, or SQLite reads all runs of the workflow in an index.
        (Run.workflow_id == sa.bindparam("workflow_id")).is_(True),
    )
    for texts in Texts
}


def read_rows(workflow_id: UUID, ids: Sequence[UUID], texts: Texts) -> list[RunRow]:
    """The rows of those runs that are of this workflow, in the order of `ids`."""
    if not ids:
        return []
    rows = run_rows(_BY_IDS[texts], {"workflow_id": workflow_id, "ids": list(ids)}, texts)
    found = {row.id: row for row in rows}
    return [found[run_id] for run_id in ids if run_id in found]


def _shorten(row: RunRow) -> RunRow:
    """Make of the excerpts that were read what a brief row has."""
    row.error = row.error and cut(row.error, MOST_TEXT)
    row.pause_error = row.pause_error and cut(row.pause_error, MOST_TEXT)
    row.title = row.title and cut(row.title, MOST_TITLE)
    usage, labels = cast(str | None, row.usage_summary), cast(str | None, row.labels)  # the excerpts
    row.usage_summary, whole = json_members(usage, MOST_USAGE)
    row.usage_cut = not whole
    row.labels, _ = json_members(labels, MOST_LABELS)
    return row
