"""A run as pages show it: long texts cut in the database, structures read only where all are wanted."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.engine import db
from portal.database.models import Person, Run, RunDetail, RunResult, RunStatus
from portal.database.sql.excerpts import excerpt, json_text, small_json
from portal.errors import NotFound
from portal.runs.detail.full_run import HAS_FILES, RunDetailView
from portal.runs.listing.rows import TriggeredBy

MAX_ERROR = 4_000
MAX_TITLE = 200
MAX_DEFINITION = 500_000
"""Characters of JSON up to which a definition is read to name output nodes and validators."""


@dataclass(kw_only=True)
class ShownRun(RunDetailView):
    """A run without what takes long to read.

    Its errors are excerpts, its source has the title and what stands in for the creation, its usage and held
    nodes are not read, and its definition only where it is short.
    """


@dataclass(frozen=True)
class Structures:
    """What a run says in JSON, whole."""

    usage: dict[str, Any]
    source: dict[str, Any]
    definition: dict[str, Any] | None


_CUT = ("error", "pause_error")
_PLAIN = (
    "id", "workflow_id", "status", "run_number", "imported", "created_at", "started_at", "completed_at",
    "updated_at", "total_nodes", "finished_nodes", "total_steps", "finished_steps", "credits",
    "pause_requested_at", "paused_at", "paused_ms", "pause_reason", "output_line_count", "delivered_audio_ms",
)  # fmt: skip
_COLUMNS = (
    *(getattr(Run, name) for name in _PLAIN),
    *(excerpt(getattr(Run, name), MAX_ERROR).label(name) for name in _CUT),
    Person.user_id,
    Person.display_name,
    json_text(RunDetail.source, "title", MAX_TITLE).label("title"),
    json_text(RunDetail.source, "created_at_from", 20).label("created_at_from"),
    small_json(RunDetail.definition_snapshot, MAX_DEFINITION).label("definition_snapshot"),
    sa.func.coalesce(RunResult.token_cost, 0).label("token_cost"),
    sa.func.coalesce(RunResult.credits_absorbed, 0.0).label("credits_absorbed"),
    HAS_FILES,
)


def show_run(workflow: SeenWorkflow, run_id: UUID) -> ShownRun:
    """The run of this workflow, in one query that reads little whatever is stored. Raises NotFound."""
    row = db.session.execute(
        sa.select(*_COLUMNS)
        .select_from(Run)
        .outerjoin(Person, Person.id == Run.person_id)
        .outerjoin(RunDetail, RunDetail.run_id == Run.id)
        .outerjoin(RunResult, RunResult.run_id == Run.id)
        .where(Run.id == run_id, Run.workflow_id == workflow.id)
    ).first()
    if row is None:
        raise NotFound("There is no such run here.")
    known = {"title": row.title, "created_at_from": row.created_at_from}
    kept = (*_PLAIN, *_CUT, "definition_snapshot", "token_cost", "credits_absorbed")
    return ShownRun(
        **{name: getattr(row, name) for name in kept},
        triggered_by=TriggeredBy(row.user_id, row.display_name) if row.user_id else None,
        usage_summary=None,
        held_nodes=None,
        source={name: text for name, text in known.items() if text is not None},
        has_export=row.has_files and row.status == RunStatus.COMPLETED,
    )


def read_structures(run_id: UUID) -> Structures:
    """What a run that the caller may see says in JSON."""
    row = db.session.execute(
        sa.select(Run.usage_summary, RunDetail.source, RunDetail.definition_snapshot)
        .outerjoin(RunDetail, RunDetail.run_id == Run.id)
        .where(Run.id == run_id)
    ).one()
    return Structures(row[0] or {}, row[1] or {}, row[2])
