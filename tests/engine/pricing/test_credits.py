"""Credits: granted by operators, charged once a run, and never below zero."""

from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import AuditEntry, CreditEntry, Run, Workspace
from portal.database.transactions import writing
from portal.engine.pricing.credits import MAX_BALANCE, charge, grant, metered_balance, refuse_beyond_balance
from portal.errors import InvalidQuery, NotFound, PaymentRequired
from tests.factories import NOON, make_run, make_workflow, make_workspace


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


def charged(run: Run, cost: str) -> tuple[int, int]:
    with writing() as session:
        return charge(session, run, Decimal(cost), NOON)


def balance(workspace: Workspace) -> int | None:
    db.session.rollback()
    return metered_balance(db.session(), workspace.id)


def entries() -> list[tuple[str, int]]:
    found = db.session.execute(sa.select(CreditEntry.kind, CreditEntry.amount).order_by(CreditEntry.kind))
    return [(kind, amount) for kind, amount in found]


def test_without_a_grant_nothing_is_metered(workspace: Workspace) -> None:
    assert balance(workspace) is None
    assert charged(make_run(make_workflow(workspace)), "12.5") == (0, 0)
    assert balance(workspace) is None
    assert entries() == []


def test_grants_add_up_and_are_recorded(workspace: Workspace) -> None:
    assert grant("acme", 5, "root", NOON) == 5
    assert grant("acme", 7, "root", NOON) == 12
    assert balance(workspace) == 12
    assert sorted(entries()) == [("grant", 5), ("grant", 7)]
    assert set(db.session.scalars(sa.select(CreditEntry.granted_by))) == {"root"}
    recorded = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.kind == "credits.granted"))
    assert sorted(entry.details["amount"] for entry in recorded) == [5, 7]


@pytest.mark.parametrize("amount", [0, -1, MAX_BALANCE + 1])
def test_what_is_no_amount_is_refused(workspace: Workspace, amount: int) -> None:
    with pytest.raises(InvalidQuery, match="amount"):
        grant("acme", amount, "root", NOON)
    assert balance(workspace) is None


def test_a_balance_has_an_upper_end(workspace: Workspace) -> None:
    grant("acme", MAX_BALANCE, "root", NOON)
    with pytest.raises(InvalidQuery, match="amount"):
        grant("acme", 1, "root", NOON)
    assert balance(workspace) == MAX_BALANCE
    with pytest.raises(NotFound):
        grant("nowhere", 1, "root", NOON)


def test_a_cost_is_rounded_up_and_taken_once(workspace: Workspace) -> None:
    grant("acme", 10, "root", NOON)
    run = make_run(make_workflow(workspace))
    assert charged(run, "2.000001") == (3, 0)
    assert charged(run, "2.000001") == (3, 0)
    assert balance(workspace) == 7
    assert entries() == [("charge", 3), ("grant", 10)]


def test_a_run_that_cost_nothing_is_not_charged(workspace: Workspace) -> None:
    grant("acme", 10, "root", NOON)
    assert charged(make_run(make_workflow(workspace)), "0") == (0, 0)
    assert entries() == [("grant", 10)]


def test_what_the_balance_lacks_is_absorbed(workspace: Workspace) -> None:
    grant("acme", 2, "root", NOON)
    workflow = make_workflow(workspace)
    first, second = make_run(workflow), make_run(workflow)
    assert charged(first, "5") == (2, 3)
    assert charged(second, "1.5") == (0, 2)
    assert charged(second, "1.5") == (0, 2)
    assert balance(workspace) == 0


@pytest.mark.slow
def test_a_charge_that_is_rolled_back_took_nothing(workspace: Workspace) -> None:
    grant("acme", 10, "root", NOON)
    run = make_run(make_workflow(workspace))
    with writing() as session:
        charge(session, run, Decimal(4), NOON)
        session.rollback()
    assert balance(workspace) == 10
    assert entries() == [("grant", 10)]


def test_a_run_that_costs_more_than_the_balance_is_refused(workspace: Workspace) -> None:
    grant("acme", 10, "root", NOON)
    refuse_beyond_balance(db.session(), workspace.id, 10)
    with pytest.raises(PaymentRequired, match="11 credits"):
        refuse_beyond_balance(db.session(), workspace.id, 11)
