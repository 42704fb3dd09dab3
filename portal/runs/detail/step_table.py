"""The steps of a run as a page lists them: filtered, paginated, as excerpts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Step, StepResult
from portal.database.sql.excerpts import (
    cut,
    excerpt,
    json_excerpt,
    json_members,
    json_text,
    short_key,
    short_key_of,
    small_json,
)
from portal.input import parameters
from portal.input.parameters import Reader
from portal.paging import Page, Slice
from portal.runs.detail.step_excerpts import MAX_LABEL, MAX_STEPS, StepExcerpt, error_excerpt, step_columns
from portal.runs.facts.facts import StepFacts
from portal.runs.statuses import STATUSES

STEPS_A_PAGE = 50
MAX_NAME, MAX_ERROR = 120, 160
"""Characters of a step's name and error in the table."""

MAX_RESULT, MAX_BEGINNING = 200_000, 4_000
"""A result is read in full up to MAX_RESULT characters of JSON; of a longer one, only its beginning."""

MAX_FACTS = 10_000
"""Characters of the source's JSON from which a step's facts are read."""

MOST_DEPTH = 4
"""Steps above a step that are named."""

_COLUMNS = (
    *step_columns(MAX_NAME),
    error_excerpt(MAX_ERROR),
    json_excerpt(Step.source, MAX_FACTS).label("source"),
)


@dataclass(frozen=True, kw_only=True)
class StepTableQuery:
    """The filters, page and opened result of a step table."""

    page: int = 1
    status: str = ""
    node_type: str = ""
    result: int | None = None
    """The position of the step whose result is open."""
    log: int | None = None
    """The position of the step whose log is open; of result and log, only one is."""
    log_from: int | None = None
    """The first line of the log that is shown; None: its last lines."""

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Read a page's parameters. Raises InvalidQuery."""
        reader = Reader(args)
        query = cls(
            page=reader.read("step_page", parameters.page_number, 1),
            status=reader.read("step_status", parameters.one_of(STATUSES), ""),
            node_type=reader.read("node_type", parameters.linked_text, ""),
            result=reader.read("step_result", step_position, None),
            log=reader.read("step_log", step_position, None),
            log_from=reader.read("log_from", _line, None),
        )
        reader.finish()
        return query

    def at(self, slice_: Slice) -> Self:
        """Another page of the same steps."""
        return replace(self.closed(), page=slice_.number)

    def of_status(self, status: str) -> Self:
        return replace(self.closed(), status=status, page=1)

    def with_result(self, position: int | None) -> Self:
        """The same page with the result of one step open, or none."""
        return replace(self.closed(), result=position)

    def with_log(self, position: int, first: int | None = None) -> Self:
        """The same page with the log of one step open."""
        return replace(self.closed(), log=position, log_from=first)

    def closed(self) -> Self:
        """The same page with nothing open."""
        return replace(self, result=None, log=None, log_from=None)

    def to_args(self) -> dict[str, str]:
        """The parameters that differ from the defaults."""
        page = str(self.page) if self.page > 1 else ""
        texts = {"step_page": page, "step_status": self.status, "node_type": self.node_type}
        opened = {"step_result": self.result, "step_log": self.log, "log_from": self.log_from}
        texts |= {name: "" if number is None else str(number) for name, number in opened.items()}
        return {name: text for name, text in texts.items() if text}


def list_step_excerpts(run_id: UUID, query: StepTableQuery) -> Page[StepExcerpt]:
    """One page of a run's steps. The caller has checked access."""
    conditions = [Step.run_id == run_id]
    if query.status:
        conditions.append(Step.status == query.status)
    if query.node_type:
        conditions.append(Step.node_type == query.node_type)
    slice_ = Slice.of_page(query.page, STEPS_A_PAGE)
    total = db.session.scalar(sa.select(sa.func.count()).select_from(Step).where(*conditions)) or 0
    page = sa.select(*_COLUMNS).where(*conditions).order_by(Step.position)
    rows = db.session.execute(page.offset(slice_.offset).limit(slice_.limit))
    return Page([_excerpt(dict(row._mapping)) for row in rows], total, slice_)


def _excerpt(columns: dict[str, Any]) -> StepExcerpt:  # of columns chosen by name
    members, _ = json_members(columns.pop("source"), MAX_FACTS)
    return StepExcerpt(**columns, facts=StepFacts.read(members))


@dataclass(frozen=True)
class Nesting:
    """Where a step stands among the steps of its run."""

    inside: Sequence[str]
    """The names of what it is part of, the outermost first."""

    @property
    def depth(self) -> int:
        return min(len(self.inside), MOST_DEPTH)


def read_nesting(run_id: UUID, steps: Page[StepExcerpt]) -> Mapping[int, Nesting]:
    """The nesting of those of these steps that are part of others, by position."""
    found = {
        step.position: Nesting([cut(name, MAX_LABEL) for name in step.facts.path[-MOST_DEPTH:]])
        for step in steps.rows
        if step.facts.path
    }
    parts = {step.position: step.facts.parent_node_id for step in steps.rows if step.position not in found}
    if not any(parts.values()):
        return found
    above = _nodes_above(run_id)
    for position, parent in parts.items():
        inside: list[str] = []
        node = short_key_of(parent) if parent else None
        while node is not None and len(inside) < MOST_DEPTH:
            name, node = above.get(node, (node, None))
            inside.insert(0, cut(name, MAX_LABEL))
        if inside:
            found[position] = Nesting(inside)
    return found


def _nodes_above(run_id: UUID) -> Mapping[str, tuple[str, str | None]]:
    """The name of each node and the node that it is part of, from the first MAX_STEPS steps."""
    parent = short_key(json_text(Step.source, "parent_node_id"))
    rows = sa.select(short_key(Step.node_id), excerpt(Step.name, MAX_LABEL), parent)
    rows = rows.where(Step.run_id == run_id).order_by(Step.position).limit(MAX_STEPS)
    return {node_id: (name or node_id, above) for node_id, name, above in db.session.execute(rows)}


@dataclass(frozen=True)
class StepResults:
    """The results of a page of steps. Results are large, so only the open one is read."""

    known: frozenset[int]
    """Positions of the steps that have a result."""
    opened: dict[str, object] | None
    """The open result, if it is short enough."""
    beginning: str | None
    """The beginning of the open result's JSON, if it is too long."""


def read_step_results(run_id: UUID, steps: Page[StepExcerpt], query: StepTableQuery) -> StepResults:
    """Which of these steps have a result, and the open result. The caller has checked access."""
    positions = [step.position for step in steps.rows]
    of_steps = sa.and_(StepResult.run_id == run_id, StepResult.position.in_(positions))
    is_open = StepResult.position == query.result
    result = sa.case((is_open, small_json(StepResult.result, MAX_RESULT)))
    beginning = sa.case((is_open, excerpt(sa.cast(StepResult.result, sa.Text()), MAX_BEGINNING)))
    select = sa.select(StepResult.position, result, beginning).where(of_steps, StepResult.result.is_not(None))
    results = {row[0]: row[1:] for row in db.session.execute(select)}
    opened, begins = results.get(-1 if query.result is None else query.result, (None, None))
    return StepResults(frozenset(results), opened, begins if opened is None else None)


def count_steps(run_id: UUID) -> dict[str, int]:
    """The number of steps by status, without zeros."""
    counted = sa.select(Step.status, sa.func.count()).where(Step.run_id == run_id).group_by(Step.status)
    found = {row[0]: row[1] for row in db.session.execute(counted)}
    return {status: found[status] for status in STATUSES if status in found}


def step_position(text: str) -> int:
    """The position of a step. Raises Refused."""
    return parameters.whole_number(text, 0, 2**31 - 1, "must be the position of a step.")


def _line(text: str) -> int:
    return parameters.whole_number(text, 1, 2**31 - 1, "must be the number of a line.")
