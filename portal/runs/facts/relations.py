"""Which runs belong together: parent and children, re-runs and attempts, each only if it can be seen here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.database.models import Run, RunDetail, Workflow
from portal.database.sql import statements
from portal.database.sql.excerpts import excerpt
from portal.database.transactions import read

MOST_CHILDREN = 100
MOST_ATTEMPTS = 20
"""How many are named, and how far a chain of re-runs is followed in each direction."""

_DIGITS = 10


class RelatedRun(NamedTuple):
    """A run that belongs to another."""

    id: UUID
    workflow_id: UUID
    workflow_name: str
    run_number: int
    status: str
    outcome: str | None
    attempt: int | None


@dataclass(frozen=True)
class Relations:
    """The runs that belong to one."""

    parent: RelatedRun | None
    earlier: Sequence[RelatedRun]
    """The run that it repeats, the one that that repeats, and so on."""
    later: Sequence[RelatedRun]
    """The runs that repeat it, and those that repeat these, in the order of creation."""
    children: Sequence[RelatedRun]
    children_total: int


_THIS = sa.bindparam("run_id", type_=Run.id.type)
_HERE = (
    Workflow.workspace_id == sa.bindparam("workspace_id", type_=Workflow.workspace_id.type),
    Workflow.deleted_at.is_(None),
)
"""The conditions on the workflow of a run to be one of this workspace."""


_FIRST: sa.Label[int] = sa.literal_column("1").label("distance")


def _earlier() -> sa.CTE:
    first: statements.Columns = sa.select(Run.rerun_of_id.label("id"), _FIRST)
    chain = first.where(Run.id == _THIS, Run.rerun_of_id.is_not(None)).cte("earlier", recursive=True)
    more = sa.select(Run.rerun_of_id, chain.c.distance + 1).join(chain, Run.id == chain.c.id)
    return chain.union(more.where(Run.rerun_of_id.is_not(None), chain.c.distance < MOST_ATTEMPTS))


def _later() -> sa.CTE:
    first: statements.Columns = sa.select(Run.id.label("id"), _FIRST)
    first = first.join(Workflow, Workflow.id == Run.workflow_id)
    tree = first.where(Run.rerun_of_id == _THIS, *_HERE).cte("later", recursive=True)
    more = sa.select(Run.id, tree.c.distance + 1).join(tree, Run.rerun_of_id == tree.c.id)
    more = more.join(Workflow, Workflow.id == Run.workflow_id)
    return tree.union(more.where(tree.c.distance < MOST_ATTEMPTS, *_HERE))


_PARENT, _EARLIER, _LATER, _CHILD = range(4)


def _statement() -> sa.Select[*tuple[object, ...]]:
    this = aliased(Run)
    earlier, later = _earlier(), _later()
    number = sa.literal_column
    zero: sa.ColumnElement[int] = sa.literal_column("0")
    children = sa.select(Run.id).join(Workflow, Workflow.id == Run.workflow_id)
    children = children.where(Run.parent_id == _THIS, Run.id != _THIS, *_HERE)
    children = children.order_by(Run.created_at, Run.run_number, Run.id).limit(MOST_CHILDREN)
    few = sa.select(later.c.id, later.c.distance).limit(MOST_ATTEMPTS * 5).subquery()
    linked = sa.union_all(
        sa.select(
            number(str(_PARENT)).label("kind"), this.parent_id.label("id"), zero.label("distance")
        ).where(this.id == _THIS, this.parent_id.is_not(None)),
        sa.select(number(str(_EARLIER)), earlier.c.id, earlier.c.distance),
        sa.select(number(str(_LATER)), few.c.id, few.c.distance),
        sa.select(number(str(_CHILD)), children.subquery().c.id, zero),
    ).subquery("linked")
    columns = (linked.c.kind, Run.id, Run.workflow_id, Workflow.name, Run.run_number, Run.status, Run.outcome)
    attempt = excerpt(RunDetail.source["attempt"].as_string(), _DIGITS)
    return (
        sa.select(*columns, attempt)
        .select_from(linked)
        .join(Run, Run.id == linked.c.id)
        .join(Workflow, Workflow.id == Run.workflow_id)
        .outerjoin(RunDetail, RunDetail.run_id == Run.id)
        .where(*_HERE, Run.id != _THIS)
        .order_by(linked.c.kind, linked.c.distance, Run.created_at, Run.run_number, Run.id)
    )


_RELATED = _statement()
_COUNT = (
    sa.select(sa.func.count())
    .select_from(Run)
    .join(Workflow, Workflow.id == Run.workflow_id)
    .where(Run.parent_id == _THIS, Run.id != _THIS, *_HERE)
)


def read_relations(workspace_id: UUID, run_id: UUID) -> Relations:
    """The runs that belong to this one. The caller has checked access to it."""
    bound = {"workspace_id": workspace_id, "run_id": run_id}
    found: dict[int, dict[UUID, RelatedRun]] = {kind: {} for kind in range(4)}
    for kind, *columns, attempt in read(_RELATED, **bound):
        number = int(attempt) if attempt and attempt.isdecimal() else None
        related = RelatedRun._make([*columns, number])
        found[kind].setdefault(related.id, related)
    children = list(found[_CHILD].values())
    total = len(children)
    if total >= MOST_CHILDREN:
        total = int(read(_COUNT, **bound).scalar_one())
    later = [run for run in found[_LATER].values() if run.id not in found[_EARLIER]]
    return Relations(
        next(iter(found[_PARENT].values()), None),
        list(found[_EARLIER].values()),
        later[:MOST_ATTEMPTS],
        children,
        total,
    )
