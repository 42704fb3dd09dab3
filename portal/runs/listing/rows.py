"""Rows of lists of runs: read with a page of ids, in one statement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from itertools import product
from typing import NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Person, Run, RunDetail, Workflow
from portal.database.sql import statements
from portal.database.sql.excerpts import cut, excerpt, json_excerpt, json_members
from portal.database.sql.versions import Version
from portal.database.transactions import read
from portal.input.addresses import MAX_LINK, is_link
from portal.runs.facts.facts import LabelValue, labels_in, person_kind
from portal.runs.scope import Kind, Scope, in_scope

MOST_TEXT = 240
"""Characters of an error that a brief row has."""
MOST_USAGE = 1000
"""Characters of the usage, as JSON, that a brief row is read from."""
MOST_TITLE, MOST_LABELS = 1000, 10_000
"""Characters of the title, and of the labels as JSON, that a row of the API's lists is read from."""
BRIEF_TITLE, BRIEF_LABELS = 500, 1000
"""The same of a brief row."""
MOST_DIGITS, MOST_REF = 20, 200


class Texts(Enum):
    """How much is read of what may be long."""

    WHOLE = "whole"
    LISTED = "listed"
    """Whole, but for the error, which the API's lists leave out (contract 3.1)."""
    BRIEF = "brief"
    """The first characters, for pages: each of a hundred errors may have a megabyte."""


@dataclass(frozen=True)
class TriggeredBy:
    user_id: UUID
    user_name: str
    kind: str | None = None
    """Person, bot or system, where history says it."""


@dataclass
class ListFacts:
    """What history says of a run in a list, of bounded size."""

    title: str | None = None
    labels: Mapping[str, LabelValue] = field(default_factory=dict)
    """The first ones, where they are long."""
    attempt: int | None = None
    duration_ms: int | None = None
    url: str | None = None
    branch: str | None = None
    """Of a brief row only."""
    trigger_name: str | None = None
    """Of a brief row only."""


@dataclass
class RunRow:
    """One run as lists show it (contract 3.1); of a brief one, texts end in an ellipsis where they go on."""

    triggered_by: TriggeredBy | None
    id: UUID
    workflow_id: UUID
    status: str
    run_number: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: int | None
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
    why: str | None
    """Of a failed run without an error: which steps failed."""
    by_engine: bool
    """Whether the portal's own engine drives it."""
    outcome: str | None
    trigger: str | None
    about: ListFacts | None = None
    """None where nothing is stored, or it was not read."""
    usage_cut: bool = False
    """Whether the usage has more members than a brief row tells."""


_APART = ("triggered_by", "about", "usage_cut")
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


def _about(title: int, labels: int) -> tuple[sa.ColumnElement[str], ...]:
    """Excerpts of the members of a run's source that a list has, as text."""
    most = {
        "title": title, "labels": labels, "attempt": MOST_DIGITS, "duration_ms": MOST_DIGITS, "url": MAX_LINK,
    }  # fmt: skip
    return tuple(excerpt(RunDetail.source[name].as_string(), size) for name, size in most.items())


_ABOUT: Mapping[Texts, tuple[sa.ColumnElement[str], ...]] = {
    Texts.WHOLE: (),
    Texts.LISTED: _about(MOST_TITLE, MOST_LABELS),
    Texts.BRIEF: (
        *_about(BRIEF_TITLE, BRIEF_LABELS),
        excerpt(RunDetail.source[("ref", "branch")].as_string(), MOST_REF),
        excerpt(RunDetail.source["trigger_name"].as_string(), MOST_REF),
    ),
}
_COLUMNS = {
    texts: (
        Person.user_id,
        Person.display_name,
        Person.kind,
        *(otherwise.get(name, getattr(Run, name)) for name in _NAMES),
        *_ABOUT[texts],
    )
    for texts, otherwise in _OTHERWISE.items()
}


def rows_of(page: sa.FromClause, texts: Texts) -> statements.Columns:
    """The rows of a page, a subquery with a column `id`; in no order."""
    return _rows(page.join(Run, Run.id == page.c.id), texts, page.c.id)


def _rows(runs: sa.FromClause, texts: Texts, run_id: sa.ColumnElement[UUID]) -> statements.Columns:
    rows = runs.outerjoin(Person, Run.person_id == Person.id)
    if texts is not Texts.WHOLE:
        rows = rows.outerjoin(RunDetail, RunDetail.run_id == run_id)
    return sa.select(*_COLUMNS[texts]).select_from(rows)


def run_rows(statement: statements.Columns, values: statements.Values, texts: Texts) -> list[RunRow]:
    """The rows that a statement of `rows_of` reads."""
    rows = []
    for user_id, user_name, kind, *columns in read(statement, **values).all():
        person = TriggeredBy(user_id, user_name, person_kind(kind)) if user_id else None
        row, about = RunRow(person, *columns[:_OWN]), columns[_OWN:]
        if any(about):
            row.about = _facts(about, texts)
        rows.append(row)
    return [_shorten(row) for row in rows] if texts is Texts.BRIEF else rows


_OWN = len(_NAMES)


def _facts(about: Sequence[str | None], texts: Texts) -> ListFacts:
    """What the excerpts of `_ABOUT` say."""
    title, labels, attempt, duration_ms, url, *rest = about
    brief = texts is Texts.BRIEF
    members, _ = json_members(labels, BRIEF_LABELS if brief else MOST_LABELS)
    facts = ListFacts(
        title=cut(title, BRIEF_TITLE if brief else MOST_TITLE) if title else None,
        labels=labels_in(members or {}),
        attempt=_count(attempt) or None,
        duration_ms=_count(duration_ms),
        url=url if url and is_link(url) else None,
    )
    if rest:
        facts.branch, facts.trigger_name = (cut(text, MOST_REF) if text else None for text in rest)
    return facts


def _count(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < MOST_DIGITS else None


_BY_IDS = {
    (kind, texts): _rows(sa.inspect(Run).local_table, texts, Run.id.expression).where(
        Run.id.in_(sa.bindparam("ids", expanding=True)),
        # Compared so, or SQLite reads all runs of the workflow in an index.
        *(condition.is_(True) for condition in in_scope(kind, "created_at")),
    )
    for kind, texts in product((Kind.WORKFLOW, Kind.WORKSPACE), Texts)
}


def read_rows(scope: Scope, ids: Sequence[UUID], texts: Texts) -> list[RunRow]:
    """The rows of those runs that are of this workflow or workspace, in the order of `ids`."""
    if not ids:
        return []
    rows = run_rows(_BY_IDS[scope.kind, texts], scope.values | {"ids": list(ids)}, texts)
    found = {row.id: row for row in rows}
    return [found[run_id] for run_id in ids if run_id in found]


class RowWorkflow(NamedTuple):
    """The workflow of a row in a list of several workflows."""

    name: str
    version: Version


_WORKFLOWS = sa.select(Workflow.id, Workflow.name, Workflow.version, Workflow.change_stamp).where(
    Workflow.id.in_(sa.bindparam("ids", expanding=True))
)


def read_workflows(rows: Iterable[RunRow]) -> dict[UUID, RowWorkflow]:
    """The workflows of rows by their ids."""
    wanted = {row.workflow_id for row in rows}
    if not wanted:
        return {}
    found = read(_WORKFLOWS, ids=list(wanted))
    return {row.id: RowWorkflow(row.name, Version(row.id, row.version, row.change_stamp)) for row in found}


def _shorten(row: RunRow) -> RunRow:
    """Make of the excerpts that were read what a brief row has."""
    row.error = row.error and cut(row.error, MOST_TEXT)
    row.pause_error = row.pause_error and cut(row.pause_error, MOST_TEXT)
    usage = cast(str | None, row.usage_summary)  # the excerpt
    row.usage_summary, whole = json_members(usage, MOST_USAGE)
    row.usage_cut = not whole
    return row
