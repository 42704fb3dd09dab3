"""Groups the failed runs of a workspace anew: after an upgrade, new rules, or where counts are wrong.

What people noted stays with a cause whose fingerprint is the same. Where all runs of a cause go to others,
it is merged into that to which most of them went, and so is what was noted of it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Cause, CauseWorkflow, Run, RunStatus, Workflow, Workspace
from portal.database.sql import upserts
from portal.database.sql.excerpts import excerpt
from portal.database.sql.in_lists import chunks
from portal.database.transactions import writing
from portal.runs import counts
from portal.runs.causes import counting
from portal.runs.causes.fingerprints import MOST_READ, cause_id, fingerprint
from portal.runs.causes.lasting import NONE, read_lasting
from portal.runs.causes.rules import VERSION
from portal.runs.causes.why import is_told, why
from portal.runs.recording.workflow_rows import lock_workflows, touch_workflows

RUNS_AT_ONCE = 500

_NOTE = ("note", "noted_at", "noted_by")
_STATE = ("resolved_at", "resolved_by", "muted_at", "muted_until", "muted_by")


@dataclass
class Regrouped:
    """What came of it."""

    runs: int = 0
    """Failed runs."""
    changed: int = 0
    """Those whose cause or line changed."""
    causes: int = 0
    """Causes that have runs."""
    merged: int = 0
    """Causes merged into others."""


class _Failed(NamedTuple):
    id: UUID
    error: str | None
    why: str | None
    cause_id: UUID | None


def regroup_all() -> Regrouped:
    """Every workspace, each in one transaction, during which its workflows are locked."""
    total = Regrouped()
    with writing() as session:
        workspace_ids = session.scalars(sa.select(Workspace.id).order_by(Workspace.id)).all()
    for workspace_id in workspace_ids:
        with writing(bulk=True) as session:
            done = _regroup(session, workspace_id)
        for name, number in vars(done).items():
            setattr(total, name, getattr(total, name) + number)
    return total


def _regroup(session: Session, workspace_id: UUID) -> Regrouped:
    workspace = sa.select(Workspace.id).where(Workspace.id == workspace_id)
    session.execute(workspace.with_for_update(key_share=True))  # as imports do
    workflow_ids = session.scalars(sa.select(Workflow.id).where(Workflow.workspace_id == workspace_id)).all()
    lock_workflows(session, workflow_ids)
    counts.lock_workspaces(session, [workspace_id])
    known = sa.select(Cause.id).where(Cause.workspace_id == workspace_id)
    before = set(session.scalars(known))
    done, moved = Regrouped(), Counter[tuple[UUID, UUID]]()
    for failed in _failed_runs(session, workflow_ids):
        _explain(session, workspace_id, failed, done, moved)
    _forget_others(session, workflow_ids)
    causes = list(session.scalars(known))
    counting.recount(session, causes)
    done.causes = _mark_current(session, workspace_id)
    done.merged = _merge(session, moved, before)
    if done.changed:
        touch_workflows(session, workflow_ids)
    return done


def _failed_runs(session: Session, workflow_ids: Sequence[UUID]) -> Iterator[list[_Failed]]:
    """The failed runs of these workflows, RUNS_AT_ONCE at a time in the order of their ids."""
    columns = (Run.id, excerpt(Run.error, MOST_READ), Run.why, Run.cause_id)
    for workflow_id in workflow_ids:
        last: UUID | None = None
        while True:
            page = sa.select(*columns).where(Run.workflow_id == workflow_id, Run.status == RunStatus.FAILED)
            page = page if last is None else page.where(Run.id > last)
            rows = session.execute(page.order_by(Run.id).limit(RUNS_AT_ONCE)).all()
            if not rows:
                break
            yield [_Failed(*row) for row in rows]
            last = rows[-1].id


def _explain(
    session: Session,
    workspace_id: UUID,
    runs: Sequence[_Failed],
    done: Regrouped,
    moved: Counter[tuple[UUID, UUID]],
) -> None:
    """Write the line and the cause of these runs where they are others than before."""
    silent = [run.id for run in runs if not is_told(run.error)]
    failures = read_lasting(session, silent) if silent else {}
    causes: dict[UUID, dict[str, Any]] = {}
    changes = []
    for run in runs:
        lasting = failures.get(run.id, NONE)
        text, line = fingerprint(run.error, lasting), why(run.error, lasting)
        cause = cause_id(workspace_id, text)
        values = {"workspace_id": workspace_id, "version": VERSION, "text": text, "failed": 0}
        causes[cause] = {"id": cause, **values}
        if (line, cause) != (run.why, run.cause_id):
            changes.append({"id": run.id, "why": line, "cause_id": cause})
        if run.cause_id is not None and run.cause_id != cause:
            moved[run.cause_id, cause] += 1
    upserts.insert_those_missing(session, Cause, [causes[cause] for cause in sorted(causes)])
    if changes:
        session.execute(sa.update(Run), changes)
    done.runs += len(runs)
    done.changed += len(changes)


def _forget_others(session: Session, workflow_ids: Sequence[UUID]) -> None:
    """Take causes and lines from runs that have not failed."""
    for chunk in chunks(workflow_ids):
        others = (Run.workflow_id.in_(chunk), Run.cause_id.is_not(None), Run.status != RunStatus.FAILED)
        update = sa.update(Run).where(*others).values(why=None, cause_id=None)
        session.execute(update.execution_options(synchronize_session=False))


def _mark_current(session: Session, workspace_id: UUID) -> int:
    """Note that causes with runs are of the present rules; returns their number."""
    has_runs = sa.exists().where(CauseWorkflow.cause_id == Cause.id)
    current = sa.update(Cause).where(Cause.workspace_id == workspace_id, has_runs)
    current = current.values(version=VERSION, merged_into=None).returning(Cause.id)
    return len(session.execute(current.execution_options(synchronize_session=False)).all())


def _merge(session: Session, moved: Counter[tuple[UUID, UUID]], before: set[UUID]) -> int:
    """Merge causes without runs into those to which most of their runs went; returns their number."""
    session.expire_all()
    merged: set[UUID] = set()
    for (old_id, new_id), _ in sorted(moved.items(), key=lambda each: (-each[1], each[0])):
        old = session.get(Cause, old_id)
        if old is None or old_id in merged or _has_runs(session, old_id):
            continue
        merged.add(old_id)
        old.merged_into = new_id
        earlier = sa.update(Cause).where(Cause.merged_into == old_id).values(merged_into=new_id)
        session.execute(earlier)
        _hand_on(old, session.get_one(Cause, new_id), is_new=new_id not in before)
    return len(merged)


def _has_runs(session: Session, cause_id: UUID) -> bool:
    rows = sa.select(CauseWorkflow.workflow_id).where(CauseWorkflow.cause_id == cause_id).limit(1)
    return session.scalar(rows) is not None


def _hand_on(old: Cause, new: Cause, *, is_new: bool) -> None:
    """Hand on what was noted of a cause; that it is resolved or muted to a new one only."""
    fields = (*((_NOTE,) if new.note is None else ()), *((_STATE,) if is_new and not _is_set(new) else ()))
    for name in (name for group in fields for name in group):
        setattr(new, name, getattr(old, name))


def _is_set(cause: Cause) -> bool:
    return cause.resolved_at is not None or cause.muted_at is not None
