"""The order of locks: a workspace before its workflows, and these before their runs."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import EngineRun, Run, Workspace
from portal.engine import pricing
from portal.errors import NotFound
from portal.runs.recording.run_rows import lock_run


def lock_workspace(session: Session, workspace_id: UUID) -> None:
    """Lock a workspace, before its workflows: its limits and its balance are decided one by one."""
    session.execute(
        sa.select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True)
    )


def lock_to_end(session: Session, run_id: UUID) -> Run:
    """Lock a run that may end now, and its workspace first if it may be charged. Raises NotFound."""
    if pricing.prices():
        workspace_id = session.scalar(sa.select(EngineRun.workspace_id).where(EngineRun.run_id == run_id))
        if workspace_id is None:
            raise NotFound("There is no such run here.")
        lock_workspace(session, workspace_id)
    return lock_run(session, run_id)
