"""Whether what runs are found by is what they say, and making it anew where it is not."""

from collections.abc import Collection, Iterator
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Run, RunDetail, RunTerm, RunText, Workflow
from portal.runs.facts.terms import branch_of
from portal.runs.recording.found_by import terms, texts


def find_drift(session: Session) -> dict[UUID, list[str]]:
    """For each workflow whose runs are not found by what they say: which tables or columns are wrong."""
    drifted: dict[UUID, list[str]] = {}
    for workflow_id in sorted(session.scalars(sa.select(Workflow.id))):
        if terms.stored(session, workflow_id) != terms.counted_anew(session, workflow_id):
            drifted.setdefault(workflow_id, []).append(RunTerm.__tablename__)
        if any(texts.find_wrong(session, workflow_id)):
            drifted.setdefault(workflow_id, []).append(RunText.__tablename__)
        if next(_wrong_branches(session, workflow_id), None):
            drifted.setdefault(workflow_id, []).append("runs.branch")
    return drifted


def repair(session: Session, workflow_ids: Collection[UUID]) -> None:
    """Make what the runs of these workflows are found by anew. Hold the workflows."""
    for workflow_id in sorted(workflow_ids):
        terms.repair(session, workflow_id)
        texts.repair(session, workflow_id)
        for run_id, branch in list(_wrong_branches(session, workflow_id)):
            renewed = sa.update(Run).where(Run.id == run_id).values(branch=branch)
            session.execute(renewed, execution_options={"synchronize_session": False})


def _wrong_branches(session: Session, workflow_id: UUID) -> Iterator[tuple[UUID, str | None]]:
    """The runs whose branch is not the one in their detail, each with that one."""
    rows = sa.select(Run.id, Run.branch, RunDetail.source["ref"])
    rows = rows.outerjoin(RunDetail, RunDetail.run_id == Run.id).where(Run.workflow_id == workflow_id)
    for run_id, branch, ref in session.execute(rows):
        told = branch_of({"ref": ref})
        if told != branch:
            yield run_id, told
