"""The tables: columns, states, constraints and indexes. No queries."""

from portal.models.accounts import (
    ApiKey,
    BrowserSession,
    Identity,
    Invitation,
    Member,
    SigninLink,
    User,
    Workspace,
)
from portal.models.audit import AuditEntry
from portal.models.rollup import DayRuns, PersonRuns, RunTotals
from portal.models.runs import Person, Run, RunDetail, Step, Workflow
from portal.models.states import ACTIVE, OCCUPYING, TERMINAL, PauseReason, Role, RunStatus

__all__ = [
    "ACTIVE",
    "OCCUPYING",
    "TERMINAL",
    "ApiKey",
    "AuditEntry",
    "BrowserSession",
    "DayRuns",
    "Identity",
    "Invitation",
    "Member",
    "PauseReason",
    "Person",
    "PersonRuns",
    "Role",
    "Run",
    "RunDetail",
    "RunStatus",
    "RunTotals",
    "SigninLink",
    "Step",
    "User",
    "Workflow",
    "Workspace",
]
