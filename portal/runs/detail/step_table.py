"""The steps of a run as a table: in order of execution, by pages."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import RunStatus, Step, StepResult
from portal.database.sql.excerpts import excerpt, small_json
from portal.input import parameters
from portal.input.parameters import Reader
from portal.paging import Page, Slice
from portal.runs.detail.timeline import page_number, step_columns

STEPS_A_PAGE = 50
MAX_NAME, MAX_ERROR = 120, 300
"""Characters of a step's name and error in the table."""

MAX_RESULT, MAX_BEGINNING = 200_000, 4_000
"""Characters of JSON up to which a result is read as a whole, and what is shown of a longer one."""

_STATUSES = tuple(status.value for status in RunStatus)
_COLUMNS = (*step_columns(MAX_NAME), excerpt(Step.error, MAX_ERROR).label("error"))


@dataclass(frozen=True, kw_only=True)
class StepQuery:
    """Which steps to list."""

    page: int = 1
    status: str = ""
    node_type: str = ""
    result: int | None = None
    """The position of the step whose result is shown."""

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Raises InvalidQuery."""
        reader = Reader(args)
        query = cls(
            page=reader.read("step_page", page_number, 1),
            status=reader.read("step_status", parameters.one_of(_STATUSES), ""),
            node_type=reader.read("node_type", parameters.linked_text, ""),
            result=reader.read("step_result", _position, None),
        )
        reader.finish()
        return query

    def at(self, slice_: Slice) -> Self:
        """The same steps, another page."""
        return replace(self, page=slice_.number, result=None)

    def of_status(self, status: str) -> Self:
        return replace(self, status=status, page=1, result=None)

    def with_result(self, position: int | None) -> Self:
        """The same steps with the result of this one, or with none."""
        return replace(self, result=position)

    def to_args(self) -> dict[str, str]:
        """The shortest parameters that give these steps."""
        page = str(self.page) if self.page > 1 else ""
        texts = {"step_page": page, "step_status": self.status, "node_type": self.node_type}
        texts["step_result"] = "" if self.result is None else str(self.result)
        return {name: text for name, text in texts.items() if text}


@dataclass(frozen=True, kw_only=True)
class ListedStep:
    """A row of the table."""

    position: int
    node_id: str
    node_type: str
    name: str | None
    """Long ids, types and names are cut, and so is the error."""
    status: str
    iteration: int
    started_at: datetime | None
    completed_at: datetime | None
    error: str | None
    duration_seconds: str | None
    """As it stands in JSON, whatever the source gave: its beginning where it is long."""


def list_steps(run_id: UUID, query: StepQuery) -> Page[ListedStep]:
    """One page of the steps of a run that the caller may see."""
    conditions = [Step.run_id == run_id]
    if query.status:
        conditions.append(Step.status == query.status)
    if query.node_type:
        conditions.append(Step.node_type == query.node_type)
    slice_ = Slice.of_page(query.page, STEPS_A_PAGE)
    total = db.session.scalar(sa.select(sa.func.count()).select_from(Step).where(*conditions)) or 0
    page = sa.select(*_COLUMNS).where(*conditions).order_by(Step.position)
    rows = db.session.execute(page.offset(slice_.offset).limit(slice_.limit))
    return Page([ListedStep(**row._mapping) for row in rows], total, slice_)


@dataclass(frozen=True)
class StepResults:
    """What steps of a page of the table gave: results are wide, so one at a time is read."""

    known: frozenset[int]
    """Positions of the steps that have a result."""
    shown: dict[str, Any] | None
    beginning: str | None
    """Of the JSON, where the result that is shown is too long to be read as a whole."""


def read_step_results(run_id: UUID, steps: Page[ListedStep], query: StepQuery) -> StepResults:
    """The results of these steps of a run that the caller may see."""
    positions = [step.position for step in steps.rows]
    mine = sa.and_(StepResult.run_id == run_id, StepResult.position.in_(positions))
    asked = StepResult.position == query.result
    whole = sa.case((asked, small_json(StepResult.result, MAX_RESULT)))
    beginning = sa.case((asked, excerpt(sa.cast(StepResult.result, sa.Text()), MAX_BEGINNING)))
    found = sa.select(StepResult.position, whole, beginning).where(mine, StepResult.result.is_not(None))
    results = {row[0]: row[1:] for row in db.session.execute(found)}
    shown, begins = results.get(-1 if query.result is None else query.result, (None, None))
    return StepResults(frozenset(results), shown, begins if shown is None else None)


def count_steps(run_id: UUID) -> dict[str, int]:
    """How many steps of the run have each status; statuses that none has are left out."""
    counted = sa.select(Step.status, sa.func.count()).where(Step.run_id == run_id).group_by(Step.status)
    found = {row[0]: row[1] for row in db.session.execute(counted)}
    return {status: found[status] for status in _STATUSES if status in found}


def _position(text: str) -> int:
    return parameters.whole_number(text, 0, 2**31 - 1, "must be the position of a step.")
