"""Runs as rows of a spreadsheet: CSV as RFC 4180 has it, in UTF-8, with a header.

A text that a spreadsheet would take for a formula gets an apostrophe in front (CSV injection).
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from portal.database.sql.excerpts import cut
from portal.history.export.stored import Row, StoredRun
from portal.runs.facts.facts import RunFacts, person_kind
from portal.web.cells import safe_cell

MOST_TEXT = 2000
"""Characters of a cell of free text, ellipsis included."""

Cell = str | int | datetime | UUID | None


class _Run(NamedTuple):
    row: Row
    person: Row | None
    facts: RunFacts
    workflow_name: str


def _column(name: str) -> Callable[[_Run], Cell]:
    return lambda run: run.row[name]


def _fact(name: str) -> Callable[[_Run], Cell]:
    return lambda run: getattr(run.facts, name)


def _of_ref(name: str) -> Callable[[_Run], Cell]:
    return lambda run: getattr(run.facts.ref, name) if run.facts.ref else None


def _text(name: str) -> Callable[[_Run], Cell]:
    """The beginning of a column's text."""
    return lambda run: cut(run.row[name], MOST_TEXT) if run.row[name] else None


def _json(members: Mapping[str, object] | None) -> str | None:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")) if members else None


COLUMNS: Mapping[str, Callable[[_Run], Cell]] = {
    "workflow_id": _column("workflow_id"),
    "workflow_name": lambda run: run.workflow_name,
    "id": _column("id"),
    "run_number": _column("run_number"),
    "status": _column("status"),
    "outcome": _column("outcome"),
    "title": lambda run: cut(run.facts.title, MOST_TEXT) if run.facts.title else None,
    "triggered_by": lambda run: run.person["display_name"] if run.person else None,
    "triggered_by_kind": lambda run: person_kind(run.person["kind"]) if run.person else None,
    "trigger": _column("trigger"),
    "trigger_name": _fact("trigger_name"),
    "created_at": _column("created_at"),
    "started_at": _column("started_at"),
    "completed_at": _column("completed_at"),
    "duration_ms": _column("duration_ms"),
    "paused_ms": _column("paused_ms"),
    "total_steps": _column("total_steps"),
    "finished_steps": _column("finished_steps"),
    "output_line_count": _column("output_line_count"),
    "delivered_audio_ms": _column("delivered_audio_ms"),
    "credits": _column("credits"),
    "pause_reason": _column("pause_reason"),
    "error": _text("error"),
    "source": _column("source_system"),
    "external_id": _fact("external_id"),
    "attempt": _fact("attempt"),
    "source_status": _fact("source_status"),
    "environment": _fact("environment"),
    "branch": _of_ref("branch"),
    "tag": _of_ref("tag"),
    "commit": _of_ref("commit"),
    "pull_request": _of_ref("pull_request"),
    "url": _fact("url"),
    "labels": lambda run: _json(run.facts.labels),
    "usage_summary": lambda run: _json(run.row["usage_summary"]),
}
"""What each column holds."""


def header() -> bytes:
    """The first row."""
    return _rows([list(COLUMNS)])


def rows(runs: Sequence[StoredRun], workflow_names: Mapping[UUID, str]) -> bytes:
    """A row for each run."""
    found = [
        _Run(
            each.run, each.person, RunFacts.read(each.run["source"]), workflow_names[each.run["workflow_id"]]
        )
        for each in runs
    ]
    return _rows([[safe_cell(read(run)) for read in COLUMNS.values()] for run in found])


def _rows(cells: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(cells)
    return text.getvalue().encode()
