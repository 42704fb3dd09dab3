"""Credits: what operators grant to workspaces, and what runs are charged.

A workspace is metered from its first grant on. Before that its runs cost nothing.
"""

import math
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.audit import trail
from portal.auth.principals import Principal
from portal.database.engine import db
from portal.database.models import CreditEntry, CreditKind, Run, Workflow, Workspace
from portal.database.transactions import writing
from portal.errors import FieldError, InvalidQuery, PaymentRequired
from portal.input.bodies import Body, Whole
from portal.workspaces.accounts import workspace_by_slug

MAX_BALANCE = 2**53 - 1
"""What JSON can say to every client."""


class GrantSpec(Body):
    """What is granted."""

    amount: Annotated[int, Whole(1, MAX_BALANCE)]


def grant(slug: str, amount: int, by: str, now: datetime) -> int:
    """Add credits to a workspace, for an operator; returns its balance. Raises InvalidQuery, NotFound."""
    amount = GrantSpec.read({"amount": amount}).amount
    workspace_id = workspace_by_slug(slug).id
    with writing() as session:
        balance = (_lock_balance(session, workspace_id) or 0) + amount
        if balance > MAX_BALANCE:
            said = f"must not bring the balance above {MAX_BALANCE:,}."
            raise InvalidQuery([FieldError("amount", said)])
        _set_balance(session, workspace_id, balance)
        session.add(_entry(workspace_id, CreditKind.GRANT, amount, now, granted_by=by))
        trail.record(
            session,
            "credits.granted",
            trail.OPERATOR,
            now,
            workspace_id=workspace_id,
            amount=amount,
            account=by,
        )
    return balance


def charge(session: Session, run: Run, cost: Decimal, now: datetime) -> tuple[int, int]:
    """Charge a run that ends, within that transaction: credits that were taken, and those that were lacking.

    The cost is rounded up. A run is charged once: the second time it is told what it was charged. The caller
    has locked the workspace before the workflow (`lock_workspace`), as whoever starts a run does.
    """
    credits = math.ceil(cost)
    if credits == 0:
        return 0, 0
    workspace_id = session.scalars(
        sa.select(Workflow.workspace_id).where(Workflow.id == run.workflow_id)
    ).one()
    if metered_balance(session, workspace_id) is None:
        return 0, 0
    balance = _lock_balance(session, workspace_id) or 0
    taken = session.scalar(sa.select(CreditEntry.amount).where(CreditEntry.run_id == run.id))
    if taken is None:
        taken = min(credits, balance)
        _set_balance(session, workspace_id, balance - taken)
        session.add(_entry(workspace_id, CreditKind.CHARGE, taken, now, run_id=run.id))
        session.flush()
    return taken, credits - taken


def refuse_beyond_balance(session: Session, workspace_id: UUID, least: int) -> None:
    """Refuse a run that costs at least so much, if the workspace does not have it. Raises PaymentRequired."""
    balance = metered_balance(session, workspace_id) or 0
    if least > balance:
        raise PaymentRequired(
            f"This run costs at least {least:,} credits, and the workspace has {balance:,}."
        )


def metered_balance(session: Session, workspace_id: UUID) -> int | None:
    """The credits of a workspace; None if it is not metered."""
    return session.scalar(sa.select(Workspace.credit_balance).where(Workspace.id == workspace_id))


def balance_of(principal: Principal) -> int:
    """What the principal's workspace has; 0 without metering, and without a workspace."""
    workspace = principal.workspace
    return (metered_balance(db.session(), workspace.id) if workspace is not None else None) or 0


def _lock_balance(session: Session, workspace_id: UUID) -> int | None:
    found = sa.select(Workspace.credit_balance).where(Workspace.id == workspace_id)
    return session.scalar(found.with_for_update(key_share=True))


def _set_balance(session: Session, workspace_id: UUID, balance: int) -> None:
    session.execute(sa.update(Workspace).where(Workspace.id == workspace_id).values(credit_balance=balance))


def _entry(
    workspace_id: UUID,
    kind: CreditKind,
    amount: int,
    now: datetime,
    *,
    run_id: UUID | None = None,
    granted_by: str | None = None,
) -> CreditEntry:
    return CreditEntry(
        id=uuid4(),
        workspace_id=workspace_id,
        kind=kind,
        run_id=run_id,
        amount=amount,
        at=now,
        granted_by=granted_by,
    )
