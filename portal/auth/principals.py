"""Principals: the one who asks, what they may see and what they may do."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

SCOPES = (
    "workflows:read",
    "workflows:run",
    "workflows:write",
    "voices:read",
    "voices:write",
    "dictionary:read",
    "dictionary:write",
    "uploads:write",
    "workspace:read",
    "templates:read",
    "catalog:read",
)
"""Every scope that a key may have (contract 2.2)."""

_READING = frozenset({"workflows:read", "workspace:read"})
_EDITING = _READING | {"workflows:run", "workflows:write"}
ROLE_ALLOWS = {"viewer": _READING, "editor": _EDITING, "admin": frozenset(SCOPES)}


@dataclass(frozen=True)
class PrincipalUser:
    id: UUID
    email: str
    display_name: str


@dataclass(frozen=True)
class Membership:
    """A workspace that the principal may look into."""

    id: UUID
    name: str
    slug: str
    role: str | None
    """None for an API key: its scopes stand in for a role."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    kind: Literal["api_key", "session"]
    user: PrincipalUser
    workspaces: tuple[Membership, ...]
    """Never empty for a key; empty for a user who is a member of nothing yet."""
    scopes: frozenset[str] = frozenset()
    api_key_id: UUID | None = None

    @property
    def workspace(self) -> Membership | None:
        """The workspace of the key, or the first of the user's."""
        return self.workspaces[0] if self.workspaces else None

    @property
    def workspace_ids(self) -> tuple[UUID, ...]:
        return tuple(workspace.id for workspace in self.workspaces)

    def allows(self, scope: str) -> bool:
        """Whether the key has this scope, or the user a role that includes it in some workspace."""
        if self.kind == "api_key":
            return scope in self.scopes
        return any(scope in ROLE_ALLOWS[workspace.role or "viewer"] for workspace in self.workspaces)
