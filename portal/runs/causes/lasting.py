"""The failures of steps that last: those at whose node no later attempt succeeded, in the order of time.

Copies of one node, which a map index tells apart, are nodes of their own here. Of attempts at a node the
later one is that of the higher iteration, then that recorded later. A failure is of
the moment at which its step ended; where that is not known, of the moment at which it began.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import RunStatus, Step
from portal.database.sql.excerpts import excerpt

MOST_STEPS = 50
"""Lasting failures that describe a run."""
MOST_ERROR, MOST_NAME = 200, 200
"""Characters of the error and of the name of each."""

_NEVER = datetime.max.replace(tzinfo=UTC)


class StepFailure(NamedTuple):
    """A lasting failure of a step."""

    node_id: str
    name: str
    """Its name, or the id of its node; an excerpt."""
    error: str
    """An excerpt, empty for none."""


class LastingFailures(NamedTuple):
    """Those of one run."""

    first: Sequence[StepFailure]
    """The first MOST_STEPS in the order of time."""
    nodes: int
    """The nodes at which they happened."""


NONE = LastingFailures((), 0)

failed_at: sa.SQLColumnExpression[datetime | None] = sa.func.coalesce(
    Step.completed_at, Step.started_at, Step.created_at
)
"""When a failed step failed."""
IN_TIME = (failed_at.asc().nulls_last(), Step.position.asc())
"""The order of failures in time."""


def lasting_failures(run_ids: Sequence[UUID]) -> sa.Select[Step]:
    """Selects the lasting failures of these runs."""
    completed = sa.select(Step.run_id, Step.node_id, Step.iteration, Step.position, _copy_of().label("copy"))
    good = completed.where(Step.run_id.in_(run_ids), Step.status == RunStatus.COMPLETED).subquery().c
    node = (good.run_id, good.node_id, good.copy)
    later = sa.select(*node, sa.func.max(good.iteration).label("last")).group_by(*node).subquery()
    again = sa.select(*node, good.iteration, sa.func.max(good.position).label("last"))
    again_there = again.group_by(*node, good.iteration).subquery()
    return (
        sa.select(Step)
        .outerjoin(later, sa.and_(_same_node(later), later.c.last > Step.iteration))
        .outerjoin(
            again_there,
            sa.and_(
                _same_node(again_there),
                again_there.c.iteration == Step.iteration,
                again_there.c.last > Step.position,
            ),
        )
        .where(Step.run_id.in_(run_ids), Step.status == RunStatus.FAILED)
        .where(later.c.last.is_(None), again_there.c.last.is_(None))
    )


def _same_node(completed: sa.Subquery) -> sa.ColumnElement[bool]:
    return sa.and_(
        completed.c.run_id == Step.run_id,
        completed.c.node_id == Step.node_id,
        completed.c.copy == _copy_of(),
    )


def _copy_of() -> sa.ColumnElement[str]:
    """The map index of a step as text, empty for none."""
    return sa.func.coalesce(Step.source["map_index"].as_string(), "")


def read_lasting(session: Session, run_ids: Sequence[UUID]) -> dict[UUID, LastingFailures]:
    """Those of stored runs."""
    name = excerpt(sa.func.coalesce(sa.func.nullif(Step.name, ""), Step.node_id), MOST_NAME)
    columns = (Step.run_id, Step.node_id, name, excerpt(sa.func.coalesce(Step.error, ""), MOST_ERROR))
    failed = lasting_failures(run_ids).with_only_columns(*columns, maintain_column_froms=True)
    first: defaultdict[UUID, list[StepFailure]] = defaultdict(list)
    nodes: defaultdict[UUID, set[str]] = defaultdict(set)
    for run_id, node_id, its_name, error in session.execute(failed.order_by(*IN_TIME)):
        nodes[run_id].add(node_id)
        if len(first[run_id]) < MOST_STEPS:
            first[run_id].append(StepFailure(node_id, its_name[:MOST_NAME], error[:MOST_ERROR]))
    return {
        run_id: LastingFailures(first[run_id], len(nodes[run_id])) if run_id in first else NONE
        for run_id in run_ids
    }


def lasting_of(steps: Iterable[Mapping[str, Any]]) -> LastingFailures:
    """The same of a run whose steps are these rows."""
    lasting = lasting_rows(steps)
    first = [
        StepFailure(
            step["node_id"],
            (step["name"] or step["node_id"])[:MOST_NAME],
            (step["error"] or "")[:MOST_ERROR],
        )
        for step in sorted(lasting, key=_in_time)[:MOST_STEPS]
    ]
    return LastingFailures(first, len({step["node_id"] for step in lasting})) if first else NONE


def lasting_rows(steps: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of a run's steps whose failures last."""
    failed: list[Mapping[str, Any]] = []
    good: dict[tuple[str, str], tuple[int, int]] = {}
    for step in steps:
        if step["status"] == RunStatus.FAILED:
            failed.append(step)
        elif step["status"] == RunStatus.COMPLETED:
            node, attempt = _node(step), _attempt(step)
            good[node] = max(attempt, good.get(node, attempt))
    return [step for step in failed if _node(step) not in good or _attempt(step) > good[_node(step)]]


def _node(step: Mapping[str, Any]) -> tuple[str, str]:
    index = (step["source"] or {}).get("map_index")
    return step["node_id"], "" if index is None else str(index)


def _attempt(step: Mapping[str, Any]) -> tuple[int, int]:
    return step["iteration"], step["position"]


def _in_time(step: Mapping[str, Any]) -> tuple[datetime, int]:
    return step["completed_at"] or step["started_at"] or step["created_at"] or _NEVER, step["position"]
