"""What writing runs changes in the row of their workflow: its lock, its version and its run counter."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Workflow
from portal.database.sql import versions
from portal.database.sql.in_lists import chunks
from portal.errors import NotFound


class Taken(NamedTuple):
    """What a new run gets of its workflow."""

    run_number: int
    version: int
    workspace_id: UUID


def take_run_number(session: Session, workflow_id: UUID) -> Taken:
    """The next run number and the new version; locks the workflow. Raises NotFound."""
    row = session.execute(
        sa.update(Workflow)
        .where(Workflow.id == workflow_id, Workflow.deleted_at.is_(None))
        .values(
            next_run_number=Workflow.next_run_number + 1,
            version=versions.next_version_in_sql(Workflow.version),
            change_stamp=Workflow.change_stamp + 1,
        )
        .returning(Workflow.next_run_number, Workflow.version, Workflow.workspace_id)
        .execution_options(synchronize_session=False)
    ).first()
    if row is None:
        raise NotFound("There is no such workflow here.")
    return Taken(row.next_run_number - 1, row.version, row.workspace_id)


def lock_workflows(session: Session, workflow_ids: Iterable[UUID]) -> list[Workflow]:
    """Lock those of these workflows that exist, in the order of their ids, until the transaction ends."""
    return _find_workflows(session, workflow_ids, lock=True)


def find_workflows(session: Session, workflow_ids: Iterable[UUID]) -> list[Workflow]:
    """Those of these workflows that exist, unlocked."""
    return _find_workflows(session, workflow_ids, lock=False)


def _find_workflows(session: Session, workflow_ids: Iterable[UUID], *, lock: bool) -> list[Workflow]:
    found: list[Workflow] = []
    for chunk in chunks(sorted(set(workflow_ids))):
        rows = sa.select(Workflow).where(Workflow.id.in_(chunk)).order_by(Workflow.id)
        found += session.scalars(rows.with_for_update(key_share=True) if lock else rows)
    return found


def touch_workflows(session: Session, workflow_ids: Iterable[UUID]) -> None:
    """Give these workflows a new version: they or their runs have changed."""
    for chunk in chunks(sorted(set(workflow_ids))):
        session.execute(
            sa.update(Workflow)
            .where(Workflow.id.in_(chunk))
            .values(
                version=versions.next_version_in_sql(Workflow.version), change_stamp=Workflow.change_stamp + 1
            )
            .execution_options(synchronize_session=False)
        )


def set_versions(session: Session, versions_of: Mapping[UUID, int]) -> None:
    """Give locked workflows these versions, in which runs have arrived."""
    for workflow_id, version in sorted(versions_of.items()):
        session.execute(
            sa.update(Workflow)
            .where(Workflow.id == workflow_id)
            .values(version=version, change_stamp=Workflow.change_stamp + 1)
            .execution_options(synchronize_session=False)
        )


def raise_run_numbers(session: Session, next_numbers: Mapping[UUID, int]) -> None:
    """Raise the counters of locked workflows to at least these next run numbers."""
    for workflow_id, number in sorted(next_numbers.items()):
        session.execute(
            sa.update(Workflow)
            .where(Workflow.id == workflow_id, Workflow.next_run_number < number)
            .values(next_run_number=number)
            .execution_options(synchronize_session=False)
        )
