"""The steps of one run, in the order of execution (contract 3.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID, uuid5

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Step, StepResult
from portal.definitions.graph import NODE_TYPES
from portal.input import parameters
from portal.moments import elapsed_ms
from portal.runs.address import RunAddress, reader_of
from portal.runs.detail.full_run import RunView

_LIGHT = (
    Step.position,
    Step.node_id,
    Step.node_type,
    Step.name,
    Step.status,
    Step.iteration,
    Step.created_at,
    Step.started_at,
    Step.completed_at,
    Step.error,
    StepResult.active_ports,
    StepResult.locales,
    StepResult.pause_reason,
    StepResult.pause_error,
    StepResult.result.is_not(None).label("has_result"),
)


@dataclass(frozen=True, kw_only=True)
class StepsQuery:
    """Which steps of which run to show."""

    address: RunAddress
    include_result: bool = False
    node_type: str | None = None
    node_id: str | None = None

    @classmethod
    def parse(cls, args: Mapping[str, str], *, workflow_id: str, run_id: str) -> Self:
        """Read a request's parameters. Raises InvalidQuery with an error for each bad field."""
        reader = reader_of(args, workflow_id, run_id)
        query = cls(
            address=RunAddress.read(reader),
            include_result=reader.read("include_result", parameters.boolean, False),
            node_type=reader.read("node_type", parameters.one_of(NODE_TYPES), None),
            node_id=reader.read("node_id", parameters.text, None),
        )
        reader.finish()
        return query


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """One attempt at one node."""

    id: UUID
    """Made of the run and the position: the same as long as the run's history is."""
    position: int
    node_id: str
    node_type: str
    name: str | None
    status: str
    iteration: int
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    error: str | None
    active_ports: list[str] | None
    locales: list[str] | None
    pause_reason: str | None
    pause_error: str | None
    has_result: bool
    result: dict[str, Any] | None
    """None unless it was asked for, and where there is none."""

    @property
    def duration_ms(self) -> int | None:
        """How long it took; None where that cannot be said."""
        return elapsed_ms(self.started_at, self.completed_at)


def list_steps(
    run: RunView,
    *,
    include_result: bool = False,
    node_type: str | None = None,
    node_id: str | None = None,
) -> list[StepRow]:
    """The steps of a run in the order of execution, in one query; the filters combine with AND.

    Results are wide and left out unless asked for; `has_result` says whether there is one.
    """
    result = StepResult.result if include_result else sa.null().label("result")
    select = sa.select(*_LIGHT, result).outerjoin(
        StepResult, sa.and_(StepResult.run_id == Step.run_id, StepResult.position == Step.position)
    )
    select = select.where(Step.run_id == run.id)
    if node_type is not None:
        select = select.where(Step.node_type == node_type)
    if node_id is not None:
        select = select.where(Step.node_id == node_id)
    return [_row(run, row) for row in db.session.execute(select.order_by(Step.position))]


def _row(run: RunView, row: Any) -> StepRow:
    return StepRow(id=uuid5(run.id, f"step:{row.position}"), **row._mapping)
