"""How many runs may be under way at once: by person, by workspace, and in the queue."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.config import EngineSettings
from portal.database.models import OCCUPYING, Person, Run, User, Workflow
from portal.engine.queue import dbos_queue
from portal.errors import Conflict, Unavailable

_OCCUPYING = (Run.by_engine, Run.status.in_(OCCUPYING))


def refuse_beyond(session: Session, settings: EngineSettings, workspace_id: UUID, user_id: UUID) -> None:
    """Refuse one more pending or running run; the workspace is locked. Raises Conflict."""
    if settings.runs_per_person:
        # Starts in other workspaces of the same person wait here.
        session.execute(sa.select(User.id).where(User.id == user_id).with_for_update(key_share=True))
        own = (
            sa.select(sa.func.count())
            .select_from(Run)
            .join(Person, Person.id == Run.person_id)
            .where(Person.user_id == user_id, *_OCCUPYING)
        )
        _refuse(session, own, settings.runs_per_person, "You have")
    if settings.runs_per_workspace:
        all_runs = (
            sa.select(sa.func.count())
            .select_from(Run)
            .join(Workflow, Workflow.id == Run.workflow_id)
            .where(Workflow.workspace_id == workspace_id, *_OCCUPYING)
        )
        _refuse(session, all_runs, settings.runs_per_workspace, "This workspace has")


def refuse_if_full(session: Session, settings: EngineSettings) -> None:
    """Refuse while the queue is full. Raises Unavailable."""
    if dbos_queue.waiting(session) >= settings.max_queued:
        raise Unavailable("The queue of steps is full; try again later.")


def _refuse(session: Session, counted: sa.Select[int], most: int, who: str) -> None:
    number = session.scalar(counted) or 0
    if number >= most:
        raise Conflict(f"{who} {number} pending or running runs, and {most} are allowed at once.")
