"""The logs of a run's steps: a part of one for a page, or the whole as text. Writers keep them bounded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from portal import moments
from portal.database.engine import db
from portal.database.models import StepLogLine
from portal.errors import NotFound
from portal.paging import Page
from portal.runs.detail.run import RunView
from portal.runs.detail.step_excerpts import StepExcerpt
from portal.runs.detail.step_table import StepTableQuery

LINES_SHOWN = 100


@dataclass(frozen=True)
class LogLine:
    number: int
    """From 1 within the step."""
    at: datetime
    message: str


@dataclass(frozen=True)
class LogPart:
    """Successive lines of the open log."""

    lines: Sequence[LogLine]
    before: int | None
    """The first line of the part before this one."""
    after: int | None
    """The same of the part after it."""


@dataclass(frozen=True, kw_only=True)
class StepLogs:
    """The logs of a page of steps."""

    lengths: Mapping[int, int] = field(default_factory=dict)
    """How many lines there are, by the positions of the steps that have any."""
    opened: LogPart | None = None


def read_step_logs(run: RunView, steps: Page[StepExcerpt], query: StepTableQuery) -> StepLogs:
    """Which of these steps have a log, and a part of the open one: its end, unless the query names another.

    Imported runs have none, which costs no statement. The caller has checked access.
    """
    if run.imported or not steps.rows:
        return StepLogs()
    counted = sa.select(StepLogLine.position, sa.func.max(StepLogLine.number)).where(
        StepLogLine.run_id == run.id, StepLogLine.position.in_([step.position for step in steps.rows])
    )
    lengths = {row[0]: row[1] for row in db.session.execute(counted.group_by(StepLogLine.position))}
    if query.log not in lengths:
        return StepLogs(lengths=lengths)
    return StepLogs(lengths=lengths, opened=_part(run.id, query.log, query.log_from, lengths[query.log]))


def _part(run_id: UUID, position: int, wanted: int | None, length: int) -> LogPart:
    last_part = max(length - LINES_SHOWN + 1, 1)
    first = last_part if wanted is None else min(wanted, length)
    lines = _lines(run_id, position).where(StepLogLine.number >= first).limit(LINES_SHOWN)
    after = first + LINES_SHOWN
    return LogPart(
        [LogLine(*row) for row in db.session.execute(lines)],
        before=max(first - LINES_SHOWN, 1) if first > 1 else None,
        after=after if after <= length else None,
    )


def read_whole_log(run_id: UUID, position: int) -> str:
    """The log of a step, each line with its moment. Raises NotFound. The caller has checked access."""
    lines = db.session.execute(_lines(run_id, position)).all()
    if not lines:
        raise NotFound("This step has no log.")
    return "".join(f"{moments.format_moment(at)}  {message}\n" for _, at, message in lines)


def _lines(run_id: UUID, position: int) -> sa.Select[*tuple[int, datetime, str]]:
    columns = StepLogLine.number, StepLogLine.at, StepLogLine.message
    of_step = sa.select(*columns).where(StepLogLine.run_id == run_id, StepLogLine.position == position)
    return of_step.order_by(StepLogLine.number)
