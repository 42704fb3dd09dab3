"""Steps of bounded size, for pages: ids, names and errors are excerpts, results are left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, cast
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Step
from portal.database.sql.excerpts import excerpt, short_key
from portal.moments import elapsed_ms
from portal.runs.detail.attempts import Attempt
from portal.runs.detail.columns import SelectColumn
from portal.runs.facts.facts import StepFacts

MAX_STEPS = 5_000
"""Steps of a run that a timeline or a comparison reads; the table lists all."""

MAX_LABEL = 80
"""Characters of a step's name on a timeline."""

MAX_DIGITS = 40
"""Characters of a source's duration in seconds; a longer text is no duration."""

MAX_MS = 10**15
"""More milliseconds than from year 1 to year 9999."""


class StepTimes(Attempt, Protocol):
    """A row with the columns of `step_columns`."""

    @property
    def node_type(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def status(self) -> str: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def completed_at(self) -> datetime | None: ...
    @property
    def duration_seconds(self) -> str | None: ...


class ComparedStep(StepTimes, Protocol):
    """The same with an excerpt of the error and the error's full length."""

    @property
    def error(self) -> str | None: ...
    @property
    def error_length(self) -> int | None: ...


@dataclass(frozen=True, kw_only=True)
class StepExcerpt:
    """One step with an excerpt of its error."""

    position: int
    node_id: str
    """A long id or type is shortened by `excerpts.short_key`."""
    node_type: str
    name: str | None
    status: str
    iteration: int
    started_at: datetime | None
    completed_at: datetime | None
    duration_seconds: str | None
    """JSON text as the source wrote it."""
    error: str | None
    facts: StepFacts = field(default_factory=StepFacts)
    """What history says of it, where that is read."""


def _number(name: str) -> sa.ColumnElement[str]:
    """A member of the source as JSON text; SQLite writes null for a missing one."""
    return sa.func.nullif(sa.cast(Step.source[name], sa.Text()), "null", type_=sa.Text())


_DURATION = sa.func.coalesce(_number("duration_ms").concat("e-3"), _number("duration_seconds"))
"""The duration in seconds."""


def step_columns(max_name: int = MAX_LABEL) -> tuple[SelectColumn, ...]:
    """The columns of StepTimes. They are short: a live page reads them for thousands of steps."""
    return (
        Step.position,
        short_key(Step.node_id).label("node_id"),
        short_key(Step.node_type).label("node_type"),
        excerpt(Step.name, max_name).label("name"),
        Step.status,
        Step.iteration,
        Step.started_at,
        Step.completed_at,
        excerpt(_DURATION, MAX_DIGITS).label("duration_seconds"),
    )


_TIMES = step_columns()


def error_excerpt(max_length: int) -> sa.Label[str]:
    """The beginning of a step's error, as the column `error`."""
    return excerpt(Step.error, max_length).label("error")


def read_step_times(run_id: UUID) -> Sequence[StepTimes]:
    """The first MAX_STEPS steps of a run, in order of execution."""
    return cast(Sequence[StepTimes], _first_steps(run_id))


def read_compared_steps(run_id: UUID, max_error: int) -> Sequence[ComparedStep]:
    """The same steps with their errors."""
    length = sa.func.length(Step.error).label("error_length")
    return cast(Sequence[ComparedStep], _first_steps(run_id, error_excerpt(max_error), length))


def _first_steps(run_id: UUID, *more: SelectColumn) -> object:
    select = sa.select(*_TIMES, *more).where(Step.run_id == run_id).order_by(Step.position)
    return db.session.execute(select.limit(MAX_STEPS)).all()


def step_duration_ms(step: StepTimes | StepExcerpt) -> int | None:
    """The duration of a step: from its times, or else from the source of imported history."""
    if step.started_at and step.completed_at:
        return elapsed_ms(step.started_at, step.completed_at)
    try:
        milliseconds = float(step.duration_seconds or "") * 1000
    except ValueError:
        return None
    return round(milliseconds) if 0 <= milliseconds < MAX_MS else None
