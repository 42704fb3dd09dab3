"""The failed step that explains a run's failure: the earliest that no later attempt made good."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Step
from portal.database.sql.excerpts import json_text
from portal.runs.causes.lasting import IN_TIME, failed_at, lasting_failures
from portal.runs.detail.step_excerpts import StepExcerpt, error_excerpt, step_columns

MAX_ERROR = 2_000


@dataclass(frozen=True, kw_only=True)
class FailedStep(StepExcerpt):
    """A failed step with what it last did."""

    last_command: str | None
    failed_at: datetime | None
    failed_nodes: int
    """The nodes at which the run failed, that of this step among them."""


_COLUMNS = (
    *step_columns(),
    error_excerpt(MAX_ERROR),
    json_text(Step.source, "last_command", MAX_ERROR).label("last_command"),
)


def first_failed_step(run_id: UUID) -> FailedStep | None:
    """The earliest lasting failure of a run, with excerpts of its texts; None if none is recorded."""
    lasting = lasting_failures([run_id])
    nodes = lasting.with_only_columns(sa.func.count(sa.distinct(Step.node_id)), maintain_column_froms=True)
    columns = (*_COLUMNS, failed_at.label("failed_at"), nodes.scalar_subquery().label("failed_nodes"))
    failed = lasting.with_only_columns(*columns, maintain_column_froms=True)
    row = db.session.execute(failed.order_by(*IN_TIME).limit(1)).first()
    return FailedStep(**row._asdict()) if row else None
