"""The steps of one run for the API, in order of execution, with complete texts (contract 3.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID, uuid5

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Step, StepResult
from portal.definitions.catalog import CATALOG
from portal.input import parameters
from portal.moments import elapsed_ms
from portal.runs.address import RunAddress, reader_of
from portal.runs.detail.columns import columns_of
from portal.runs.detail.run import RunView


@dataclass(frozen=True, kw_only=True)
class StepsQuery:
    """The run and the filters of its step list."""

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
            node_type=reader.read("node_type", parameters.one_of(CATALOG), None),
            node_id=reader.read("node_id", parameters.text, None),
        )
        reader.finish()
        return query


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """One attempt at one node."""

    id: UUID
    """Derived from the run and the position, so that it is stable."""
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
    source: dict[str, object] | None
    """What history says of it beyond its columns."""
    active_ports: list[str] | None
    locales: list[str] | None
    pause_reason: str | None
    pause_error: str | None
    has_result: bool
    result: dict[str, object] | None
    """None unless requested."""

    @property
    def duration_ms(self) -> int | None:
        """None if a time is missing."""
        return elapsed_ms(self.started_at, self.completed_at)


_COLUMNS = (
    *columns_of(Step, StepRow).values(),
    StepResult.active_ports,
    StepResult.locales,
    StepResult.pause_reason,
    StepResult.pause_error,
    StepResult.result.is_not(None).label("has_result"),
)


def list_steps(
    run: RunView,
    *,
    include_result: bool = False,
    node_type: str | None = None,
    node_id: str | None = None,
) -> list[StepRow]:
    """The steps of a run in one query. Results are large and only read on request."""
    result = StepResult.result if include_result else sa.null().label("result")
    select = sa.select(*_COLUMNS, result).outerjoin(
        StepResult, sa.and_(StepResult.run_id == Step.run_id, StepResult.position == Step.position)
    )
    select = select.where(Step.run_id == run.id)
    if node_type is not None:
        select = select.where(Step.node_type == node_type)
    if node_id is not None:
        select = select.where(Step.node_id == node_id)
    rows = db.session.execute(select.order_by(Step.position))
    return [StepRow(id=uuid5(run.id, f"step:{row.position}"), **row._mapping) for row in rows]
