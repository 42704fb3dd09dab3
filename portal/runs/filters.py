"""What a run query asks for, as conditions on the table of runs; their values are bound when it is asked.

So a statement is made once for all lists of the same shape: from one request to another only values differ.
"""

from typing import Any, NamedTuple, Self

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.models import Person, Run
from portal.input.folding import fold
from portal.runs.query import RunQuery


class Filters(NamedTuple):
    """Which filters a list has, and how many statuses (0: any)."""

    statuses: int = 0
    searched: bool = False
    created_from: bool = False
    created_to: bool = False

    @classmethod
    def of(cls, query: RunQuery) -> Self:
        window = (query.created_from is not None, query.created_to is not None)
        return cls(len(query.status), bool(query.search), *window)

    @property
    def windowed(self) -> bool:
        return self.created_from or self.created_to


def matching(filters: Filters) -> list[sa.ColumnElement[bool]]:
    """The conditions on runs to be in the list."""
    conditions = [OF_WORKFLOW, *created_within(filters)]
    if filters.statuses:
        conditions.append(of_statuses(filters.statuses))
    if filters.searched:
        conditions.append(Run.person_id.in_(PEOPLE_NAMED))
    return conditions


def checked(filters: Filters) -> list[sa.ColumnElement[bool]]:
    """The same, to be held against runs while an index of an order is walked.

    So written that no planner reads another index for their sake.
    """
    conditions = [OF_WORKFLOW, *created_within(filters, sa.func.coalesce(Run.created_at, Run.created_at))]
    if filters.statuses:
        conditions.append(of_statuses(filters.statuses))
    if filters.searched:
        conditions.append((Run.person_id + 0).in_(PEOPLE_NAMED))
    return conditions


def values(
    workflow: SeenWorkflow, query: RunQuery, statuses: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """What is to be bound in statements of these conditions; of other statuses than the query's if given."""
    bound = {"workflow_id": workflow.id} | status_values(query.status if statuses is None else statuses)
    if query.search:
        bound |= {"workspace_id": workflow.workspace_id, "named": _containing(fold(query.search))}
    if query.created_from:
        bound["created_from"] = query.created_from
    if query.created_to:
        bound["created_to"] = query.created_to
    return bound


OF_WORKFLOW: sa.ColumnElement[bool] = Run.workflow_id == sa.bindparam("workflow_id")

PEOPLE_NAMED = sa.select(Person.id).where(
    Person.workspace_id == sa.bindparam("workspace_id"),
    Person.display_name_folded.like(sa.bindparam("named"), escape="/")
    | Person.email_folded.like(sa.bindparam("named"), escape="/"),
)
"""Those whose display name or e-mail contains the folded search text (contract 3.1, search)."""


def of_statuses(number: int, prefix: str = "statuses") -> sa.ColumnElement[bool]:
    """The condition to have one of so many statuses."""
    bound = [sa.bindparam(f"{prefix}_{place}", type_=sa.String()) for place in range(number)]
    return Run.status == bound[0] if number == 1 else Run.status.in_(bound)


def status_values(statuses: tuple[str, ...], prefix: str = "statuses") -> dict[str, Any]:
    return {f"{prefix}_{place}": status for place, status in enumerate(statuses)}


def created_within(filters: Filters, created_at: Any = Run.created_at) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if filters.created_from:
        conditions.append(created_at >= sa.bindparam("created_from"))
    if filters.created_to:
        conditions.append(created_at <= sa.bindparam("created_to"))
    return conditions


def _containing(text: str) -> str:
    """The pattern of texts that contain this one."""
    for special in "/%_":
        text = text.replace(special, f"/{special}")
    return f"%{text}%"
