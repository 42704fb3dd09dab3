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
from portal.models.runs import Person, Run, RunDetail, Step, Workflow
from portal.models.states import ACTIVE, OCCUPYING, TERMINAL, PauseReason, Role, RunStatus

__all__ = [
    "ACTIVE",
    "OCCUPYING",
    "TERMINAL",
    "ApiKey",
    "AuditEntry",
    "BrowserSession",
    "Identity",
    "Invitation",
    "Member",
    "PauseReason",
    "Person",
    "Role",
    "Run",
    "RunDetail",
    "RunStatus",
    "SigninLink",
    "Step",
    "User",
    "Workflow",
    "Workspace",
]
