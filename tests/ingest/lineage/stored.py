"""Sends events of OpenLineage to a workspace, and reads what history they made."""

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import LineageEvent, LineageRun, Run, RunDetail, Step, Workflow
from portal.database.transactions import writing
from portal.ingest.lineage.store import take_event
from portal.moments import format_moment
from portal.runs.counts import find_drift
from tests.factories import NOON
from tests.history.lines import empty_counts
from tests.ingest.lineage.makers import events

History = dict[tuple[str, str], dict[str, Any]]
_RUN = ("status", "outcome", "trigger", "started_at", "completed_at", "created_at", "error", "total_steps")
_STEP = ("status", "started_at", "completed_at", "created_at", "error", "node_type", "name")
_APART = ("external_id", "source")


def send(
    workspace_id: UUID, *bodies: dict[str, Any], source: str | None = None, now: datetime = NOON
) -> list[bool]:
    """Which of these events were new."""
    return [take_event(workspace_id, event, None, now) for event in events(*bodies, source=source)]


def stored() -> History:
    """Every run of history by source and external id: its workflow, its fields and those of its steps."""
    db.session.rollback()
    assert not find_drift(db.session())
    rows = db.session.execute(
        sa.select(Run, RunDetail.source, Workflow.name)
        .join(Workflow, Workflow.id == Run.workflow_id)
        .outerjoin(RunDetail, RunDetail.run_id == Run.id)
    ).all()
    found: History = {}
    for run, source, workflow in rows:
        facts = {name: each for name, each in (source or {}).items() if name not in _APART}
        steps = db.session.scalars(sa.select(Step).where(Step.run_id == run.id).order_by(Step.position))
        found[run.source_system, source["external_id"]] = {
            "workflow": workflow,
            **_said(run, _RUN),
            **facts,
            "steps": [_step(step) for step in steps],
        }
    return found


def steps_of(history: History) -> dict[tuple[Any, ...], tuple[str, str | None]]:
    """Of the only run: how each step stands, by node, index and attempt, in their order."""
    [run] = history.values()
    return {step["key"]: (step["status"], step.get("outcome")) for step in run["steps"]}


def workflows() -> list[str]:
    db.session.rollback()
    return sorted(db.session.scalars(sa.select(Workflow.name)))


def rows_left() -> Counter[str]:
    """How many events and named runs are stored."""
    db.session.rollback()
    count = sa.func.count()
    return Counter(
        {
            model.__tablename__: db.session.scalar(sa.select(count).select_from(model)) or 0
            for model in (LineageEvent, LineageRun)
        }
    )


def empty() -> None:
    with writing() as session:
        for model in (LineageEvent, LineageRun, Run, Workflow):
            session.execute(sa.delete(model))
        empty_counts(session)


def _step(step: Step) -> dict[str, Any]:
    source = dict(step.source or {})
    key = (step.node_id, source.pop("map_index", None), step.iteration)
    return {"key": key, **_said(step, _STEP), **source}


def _said(row: object, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in names}
    return {
        name: format_moment(value) if isinstance(value, datetime) else value
        for name, value in values.items()
        if value is not None
    }
