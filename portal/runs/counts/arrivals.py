"""Which runs came into a workspace since a list was read, in the order in which transactions end.

The versions of workflows do not tell: one that an import chose before a list was read is committed after it,
and may be smaller than what the list has seen of another workflow.
"""

from collections.abc import Mapping
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import RunArrival, WorkspaceRunTotals
from portal.database.sql import versions

KEPT_MS = 7 * 86_400_000
"""For how long arrivals are kept: open lists are read anew at least that often."""


def note(session: Session, arrivals: Mapping[UUID, int], workspace_of: Mapping[UUID, UUID]) -> None:
    """Note that runs came into workflows, with these versions. Hold the counts of their workspaces."""
    for workspace_id in sorted({workspace_of[each] for each in arrivals.keys() & workspace_of.keys()}):
        number = session.scalars(
            sa.update(WorkspaceRunTotals)
            .where(WorkspaceRunTotals.workspace_id == workspace_id)
            .values(arrived_in=versions.next_version_in_sql(WorkspaceRunTotals.arrived_in))
            .returning(WorkspaceRunTotals.arrived_in)
        ).one()
        rows = [
            {"workspace_id": workspace_id, "number": number, "workflow_id": workflow_id, "version": version}
            for workflow_id, version in sorted(arrivals.items())
            if workspace_of.get(workflow_id) == workspace_id
        ]
        session.execute(sa.insert(RunArrival), rows)
        old = RunArrival.number < number - KEPT_MS * versions.STEP
        session.execute(sa.delete(RunArrival).where(RunArrival.workspace_id == workspace_id, old))
