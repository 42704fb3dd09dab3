"""Principals: who makes a request, what they may see and what they may do."""

from dataclasses import dataclass, replace
from typing import Literal, Self
from uuid import UUID

from portal.errors import Forbidden, NotFound

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
"""Every scope of a key (contract 2.2)."""

MANAGING = ("keys:manage", "members:manage", "workspace:manage", "audit:read")
"""Permissions of admins that no key can have: a stolen key cannot create keys (contract 2.6)."""

PERSON = "person"
"""The permission for views about the signed-in user: any user, no key."""
PERSONAL = frozenset({"workspace:read", PERSON})
"""Permissions of every signed-in user, even without a workspace."""

_READING = frozenset(scope for scope in SCOPES if scope.endswith(":read"))
_EDITING = frozenset(SCOPES)
ROLE_ALLOWS = {"viewer": _READING, "editor": _EDITING, "admin": frozenset(SCOPES + MANAGING)}


@dataclass(frozen=True)
class PrincipalUser:
    id: UUID
    email: str
    display_name: str
    time_zone: str | None = None
    """None where it is not known, or does not matter."""


@dataclass(frozen=True)
class Membership:
    """A workspace that the principal has access to."""

    id: UUID
    name: str
    slug: str
    role: str | None
    """None for an API key, which has scopes instead."""

    def allows(self, permission: str) -> bool:
        return permission in ROLE_ALLOWS.get(self.role or "", frozenset())


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who makes the request: an API key in one workspace, or a user by session or token."""

    kind: Literal["api_key", "session", "jwt"]
    user: PrincipalUser
    workspaces: tuple[Membership, ...]
    """One for a key; may be empty for a user."""
    chosen: UUID | None = None
    """The workspace that the key is bound to, the request names or the browser selected."""
    scopes: frozenset[str] = frozenset()
    api_key_id: UUID | None = None
    rate_limit_per_min: int | None = None
    """The key's own limit; None means the portal's default."""

    @property
    def workspace(self) -> Membership | None:
        """The current workspace, when the path names none."""
        return self.membership(self.chosen)

    @property
    def workspace_ids(self) -> tuple[UUID, ...]:
        return tuple(workspace.id for workspace in self.workspaces)

    def membership(self, workspace_id: UUID | None) -> Membership | None:
        return next((found for found in self.workspaces if found.id == workspace_id), None)

    def in_workspace(self, workspace_id: UUID) -> Self:
        """The principal restricted to one of its workspaces. Raises NotFound."""
        found = self.membership(workspace_id)
        if found is None:
            raise NotFound("There is no such workspace here.")
        return replace(self, workspaces=(found,), chosen=found.id)

    def allows(self, permission: str) -> bool:
        """Whether the key has this scope, or the user a role that includes it in any workspace."""
        if self.kind == "api_key":
            return permission in self.scopes
        return permission in PERSONAL or any(found.allows(permission) for found in self.workspaces)

    def restricted_to(self, permission: str) -> Self:
        """The principal restricted to the workspaces where it has this permission. Raises Forbidden if none.

        An admin of one workspace thus cannot change another in which they are a viewer.
        """
        if not self.allows(permission):
            raise Forbidden(self._refusal(permission))
        if self.kind == "api_key" or permission in PERSONAL:
            return self
        return replace(self, workspaces=tuple(found for found in self.workspaces if found.allows(permission)))

    def _refusal(self, permission: str) -> str:
        if self.kind != "api_key":
            return "Your role in this workspace does not allow this. Ask an admin of the workspace."
        if permission in SCOPES:
            return f"This needs the scope {permission}."
        return "An API key cannot do this. Use the session token of a person."
