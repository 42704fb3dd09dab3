"""Reading the versions of a workflow: who saved which definition when, and what changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.columns import JsonObject
from portal.database.models import ApiKey, Workflow, WorkflowVersion
from portal.database.sql import statements
from portal.database.sql.excerpts import small_json
from portal.database.transactions import read
from portal.definitions.changes import Change, changes_of
from portal.errors import NotFound
from portal.input.bounds import MAX_BIGINT
from portal.paging import Page, Slice

MAX_COMPARED = 100_000
"""A list compares definitions whose JSON has at most this many characters."""

FIRST_CHANGES = 3


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    """A version of a workflow, without its definition."""

    number: int
    created_at: datetime
    user_id: UUID | None
    """Who saved it; None if it was imported."""
    user_name: str | None
    api_key_id: UUID | None
    """The key with which they saved it, while that exists."""
    key_name: str | None
    is_current: bool
    """Whether its definition is the one that the workflow has now."""


@dataclass(frozen=True, kw_only=True)
class ListedVersion(VersionRow):
    changes: Sequence[Change] | None
    """The first changes against the version before, and how many others; None if too long to compare here."""


@dataclass(frozen=True, kw_only=True)
class Version(VersionRow):
    definition: JsonObject


_mine = WorkflowVersion.workflow_id == sa.bindparam("workflow_id")
_COLUMNS = (
    WorkflowVersion.number,
    WorkflowVersion.created_at,
    WorkflowVersion.user_id,
    WorkflowVersion.user_name,
    WorkflowVersion.api_key_id,
    ApiKey.name.label("key_name"),
    sa.func.coalesce(Workflow.current_version == WorkflowVersion.number, sa.false()).label("is_current"),
)


def _select(definition: sa.ColumnElement[Any]) -> statements.Columns:
    return (
        sa.select(*_COLUMNS, definition.label("definition"))
        .join(Workflow, Workflow.id == WorkflowVersion.workflow_id)
        .outerjoin(ApiKey, ApiKey.id == WorkflowVersion.api_key_id)
        .where(_mine)
    )


_COUNT = sa.select(sa.func.count()).select_from(WorkflowVersion).where(_mine)
_PAGE = (
    _select(small_json(WorkflowVersion.definition, MAX_COMPARED))
    .order_by(WorkflowVersion.number.desc())
    .limit(sa.bindparam("limit"))
    .offset(sa.bindparam("offset"))
)
_ONE = _select(WorkflowVersion.definition.expression).where(WorkflowVersion.number == sa.bindparam("number"))


def list_versions(workflow: SeenWorkflow, slice_: Slice) -> Page[ListedVersion]:
    """The versions of a workflow, newest first.

    There are none if it was imported and its definition was never saved here.
    """
    total = count_versions(workflow)
    # One more than the page: what the last version of the page is compared with.
    found = read(_PAGE, workflow_id=workflow.id, limit=slice_.limit + 1, offset=slice_.sql_offset).all()
    rows = [dict(row._mapping) for row in found]
    definitions = [row.pop("definition") for row in rows]
    listed = [
        ListedVersion(**row, changes=() if row["number"] == 1 else _first_changes(old, new))
        for row, old, new in zip(rows, [*definitions[1:], None], definitions, strict=False)
    ]
    return Page(listed[: slice_.limit], total, slice_)


def count_versions(workflow: SeenWorkflow) -> int:
    """How many versions a workflow has; this is the number of the newest."""
    total: int = read(_COUNT, workflow_id=workflow.id).scalar_one()
    return total


def get_version(workflow: SeenWorkflow, number: int) -> Version:
    """A version with its definition. Raises NotFound."""
    row = None
    if 1 <= number <= MAX_BIGINT:
        row = read(_ONE, workflow_id=workflow.id, number=number).first()
    if row is None:
        raise NotFound("This workflow has no such version.")
    return Version(**row._mapping)


def _first_changes(old: JsonObject | None, new: JsonObject | None) -> Sequence[Change] | None:
    return None if old is None or new is None else changes_of(old, new, FIRST_CHANGES)
