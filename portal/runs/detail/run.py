"""One run: its status, its details for the API, or an excerpt for pages. Steps are in `steps`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow, refuse_deleted
from portal.auth.principals import Principal
from portal.database.engine import db
from portal.database.models import (
    Artifact,
    Person,
    Run,
    RunDetail,
    RunResult,
    RunStatus,
    Take,
    TakeStatus,
    Workflow,
)
from portal.database.sql.excerpts import json_excerpt, json_members, json_text, small_json
from portal.errors import NotFound
from portal.runs.detail.columns import SelectColumn, columns_of
from portal.runs.facts.facts import RunFacts, person_kind
from portal.runs.listing.rows import RunRow, TriggeredBy

MAX_ERROR = 4_000
MAX_TITLE = 200
"""Characters of an excerpt's errors and title."""

MAX_FACTS = 100_000
"""Characters of the source's JSON from which a page's facts are read."""

MAX_FOLLOWED_USAGE = 100_000
"""Characters of JSON up to which `read_small_usage` reads it."""

MAX_DEFINITION = 500_000
"""An excerpt includes the definition if its JSON has at most this many characters."""

_NOT_FOUND = "There is no such run here."


@dataclass(kw_only=True)
class RunView(RunRow):
    """A run without its large JSON (the run object of contract 3.2)."""

    workflow_id: UUID
    updated_at: datetime
    imported: bool
    duration_ms: int | None
    """None while it is active, and where it is not known."""
    source_system: str | None
    as_of: datetime | None
    parent_id: UUID | None
    rerun_of_id: UUID | None
    token_cost: int
    """In units, not credits; 0 if none was recorded."""
    held_nodes: list[dict[str, object]] | None
    """The nodes before which a paused run waits; None if unknown."""
    has_export: bool
    """Whether the run is completed and has files to download."""


@dataclass(kw_only=True)
class RunDetailView(RunView):
    """A run with its definition and the source's own data (contract 3.3)."""

    definition_snapshot: dict[str, object] | None
    source: dict[str, object] | None
    credits_absorbed: float
    """0 if the run is not settled or the source did not say."""


@dataclass(kw_only=True)
class RunExcerpt(RunDetailView):
    """A run of bounded size, for pages.

    Errors are excerpts. `source` has only the title and `created_at_from`. The definition is None if it is
    long. Usage and held nodes are not read.
    """

    workflow_version: int | None
    """The version of the workflow whose definition it ran; None if unknown."""
    current_version: int | None
    """The version that the workflow has now; None if its definition was imported."""


@dataclass(frozen=True)
class RunJson:
    """The JSON documents of a run, complete."""

    usage: dict[str, object]
    source: dict[str, object]
    definition: dict[str, object] | None


_UNDELIVERED = sa.exists().where(Take.artifact_id == Artifact.id, Take.status != TakeStatus.DELIVERED)
_HAS_FILES = sa.exists().where(Artifact.run_id == Run.id, ~_UNDELIVERED)
"""Whether a run's archive has content: delivered audio or other files."""

_STATUS = (
    *columns_of(Run, RunView).values(),
    RunResult.held_nodes,
    sa.func.coalesce(RunResult.token_cost, 0).label("token_cost"),
    _HAS_FILES.label("has_export"),
)
_CREDITS_ABSORBED = sa.func.coalesce(RunResult.credits_absorbed, 0.0).label("credits_absorbed")
_DETAIL = (*_STATUS, RunDetail.definition_snapshot, RunDetail.source, _CREDITS_ABSORBED)
_SHORT = columns_of(Run, RunView, error=MAX_ERROR, pause_error=MAX_ERROR)
_SHORT["usage_summary"] = sa.null().label("usage_summary")
_EXCERPT = (
    *_SHORT.values(),
    sa.null().label("held_nodes"),
    *_STATUS[-2:],
    json_text(RunDetail.source, "title", MAX_TITLE).label("title"),
    json_text(RunDetail.source, "created_at_from", 20).label("created_at_from"),
    small_json(RunDetail.definition_snapshot, MAX_DEFINITION).label("definition_snapshot"),
    _CREDITS_ABSORBED,
    Run.workflow_version,
    sa.select(Workflow.current_version)
    .where(Workflow.id == Run.workflow_id)
    .scalar_subquery()
    .label("current_version"),
)


def _select(columns: Iterable[SelectColumn]) -> sa.Select[*tuple[object, ...]]:
    return (
        sa.select(Person.user_id, Person.display_name, Person.kind.label("person_kind"), *columns)
        .select_from(Run)
        .outerjoin(Person, Person.id == Run.person_id)
        .outerjoin(RunDetail, RunDetail.run_id == Run.id)
        .outerjoin(RunResult, RunResult.run_id == Run.id)
        .where(Run.id == sa.bindparam("run_id"), Run.workflow_id == sa.bindparam("workflow_id"))
    )


_SELECT_STATUS, _SELECT_DETAIL, _SELECT_EXCERPT = map(_select, (_STATUS, _DETAIL, _EXCERPT))


def get_run_status(workflow: SeenWorkflow, run_id: UUID) -> RunView:
    """The run of this workflow without its large JSON, in one query. Raises NotFound."""
    return RunView(**_read(workflow, run_id, _SELECT_STATUS))


def get_run(workflow: SeenWorkflow, run_id: UUID) -> RunDetailView:
    """The run of this workflow with its definition and source, in one query. Raises NotFound."""
    return RunDetailView(**_read(workflow, run_id, _SELECT_DETAIL))


def get_run_excerpt(workflow: SeenWorkflow, run_id: UUID) -> RunExcerpt:
    """The run of this workflow for a page, in one query that reads a bounded amount. Raises NotFound."""
    values = _read(workflow, run_id, _SELECT_EXCERPT)
    source = {name: values.pop(name) for name in ("title", "created_at_from")}
    return RunExcerpt(**values, source={name: text for name, text in source.items() if text is not None})


def _read(workflow: SeenWorkflow, run_id: UUID, select: sa.Select[*tuple[object, ...]]) -> dict[str, Any]:
    row = db.session.execute(select, {"run_id": run_id, "workflow_id": workflow.id}).first()
    if row is None:
        raise NotFound(_NOT_FOUND)
    values = row._asdict()
    user_id, user_name = values.pop("user_id"), values.pop("display_name")
    kind = person_kind(values.pop("person_kind"))
    values["triggered_by"] = TriggeredBy(user_id, user_name, kind) if user_id else None
    values["has_export"] = values["has_export"] and values["status"] == RunStatus.COMPLETED
    return values


def read_run_facts(run_id: UUID) -> RunFacts:
    """What history says of a run, among the first MAX_FACTS characters. The caller has checked access."""
    beginning = sa.select(json_excerpt(RunDetail.source, MAX_FACTS)).where(RunDetail.run_id == run_id)
    members, _ = json_members(db.session.scalar(beginning), MAX_FACTS)
    return RunFacts.read(members)


def read_run_json(run_id: UUID) -> RunJson:
    """The JSON documents of a run. The caller has checked access."""
    usage, source, definition = db.session.execute(
        sa.select(Run.usage_summary, RunDetail.source, RunDetail.definition_snapshot)
        .outerjoin(RunDetail, RunDetail.run_id == Run.id)
        .where(Run.id == run_id)
    ).one()
    return RunJson(usage or {}, source or {}, definition)


def read_small_usage(run_id: UUID) -> dict[str, object] | None:
    """What a run has used; None if nothing is recorded, or more than a browser that follows it should cost.

    The caller has checked access.
    """
    small = small_json(Run.usage_summary, MAX_FOLLOWED_USAGE)
    usage: dict[str, object] | None = db.session.scalar(sa.select(small).where(Run.id == run_id))
    return usage


def find_run(principal: Principal, run_id: UUID) -> tuple[UUID, UUID]:
    """Ids of the workflow and the run, if the principal may see it. Raises NotFound, Deleted."""
    workflow_id = db.session.scalar(
        sa.select(Run.workflow_id)
        .join(Workflow, Run.workflow_id == Workflow.id)
        .where(
            Run.id == run_id,
            Workflow.workspace_id.in_(principal.workspace_ids),
            Workflow.deleted_at.is_(None),
        )
    )
    if workflow_id is None:
        its_workflow = db.session.scalar(sa.select(Run.workflow_id).where(Run.id == run_id))
        if its_workflow is not None:
            refuse_deleted(principal, its_workflow, _NOT_FOUND)
        raise NotFound(_NOT_FOUND)
    return workflow_id, run_id
