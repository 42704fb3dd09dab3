"""Whether failed runs have causes, and the counts of the causes are those of their runs."""

from collections.abc import Iterable
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Cause, CauseDay, CauseWorkflow, Run, RunStatus, Workflow
from portal.runs.causes.counting import days_of, workflows_of
from portal.runs.causes.rules import VERSION

Rows = set[tuple[Any, ...]]


def find_drift(session: Session) -> list[str]:
    """What is wrong, in words; empty if nothing is."""
    found = _runs(session) + _older(session)
    for name, stored, counted in (
        ("cause_days", _rows(session, _columns(CauseDay)), _rows(session, days_of(session))),
        ("cause_workflows", _rows(session, _columns(CauseWorkflow)), _rows(session, workflows_of())),
        ("causes", _rows(session, _stored_summaries()), _rows(session, _summaries())),
    ):
        causes = {row[0] for row in stored ^ counted}
        if causes:
            found.append(f"{name} is wrong for {_number(len(causes), 'cause')}")
    return found


def _runs(session: Session) -> list[str]:
    failed = Run.status == RunStatus.FAILED
    known = sa.exists().where(Cause.id == Run.cause_id)
    without = session.execute(sa.select(sa.func.count()).where(failed, ~known)).scalar_one()
    other = sa.select(sa.func.count()).where(~failed, Run.cause_id.is_not(None))
    with_one = session.execute(other).scalar_one()
    found = [f"{_number(without, 'failed run')} without a cause"] if without else []
    return [*found, f"{_number(with_one, 'run')} with a cause, but not failed"] if with_one else found


def _older(session: Session) -> list[str]:
    older = sa.select(sa.func.count()).where(Cause.version != VERSION, Cause.failed > 0)
    number = session.execute(older).scalar_one()
    return [f"{_number(number, 'cause')} of other rules than those of this release"] if number else []


def _columns(model: type[CauseDay | CauseWorkflow]) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(*cast(sa.Table, model.__table__).columns)


def _stored_summaries() -> sa.Select[*tuple[Any, ...]]:
    return sa.select(Cause.id, Cause.failed, Cause.first_at, Cause.last_at).where(
        sa.or_(Cause.failed != 0, Cause.first_at.is_not(None), Cause.last_at.is_not(None))
    )


def _summaries() -> sa.Select[*tuple[Any, ...]]:
    columns = (Run.cause_id, sa.func.count(), sa.func.min(Run.created_at), sa.func.max(Run.created_at))
    live = sa.select(*columns).join(Workflow, Workflow.id == Run.workflow_id)
    live = live.where(Workflow.deleted_at.is_(None), Run.cause_id.is_not(None))
    return live.group_by(Run.cause_id)


def _rows(session: Session, select: sa.Select[*tuple[Any, ...]]) -> Rows:
    rows: Iterable[sa.Row[*tuple[Any, ...]]] = session.execute(select)
    return {tuple(row) for row in rows}


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
