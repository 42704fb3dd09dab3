"""Principals: the one who asks, what they may see and what they may do."""

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
"""Every scope that a key may have (contract 2.2)."""

MANAGING = ("keys:manage", "members:manage", "workspace:manage", "audit:read")
"""What admins may do and no key ever may: a stolen key makes no keys (contract 2.6)."""

PERSON = "person"
"""What a view asks for that is about who signed in: every person, and no key."""
PERSONAL = frozenset({"workspace:read", PERSON})
"""What everybody may do who signed in, members of nothing included."""

_READING = frozenset({"workflows:read", "workspace:read"})
_EDITING = _READING | {"workflows:run", "workflows:write"}
ROLE_ALLOWS = {"viewer": _READING, "editor": _EDITING, "admin": frozenset(SCOPES + MANAGING)}


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

    def allows(self, permission: str) -> bool:
        return permission in ROLE_ALLOWS.get(self.role or "", frozenset())


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who asks: a key in one workspace, a token in the one it names, a browser in all of its user's."""

    kind: Literal["api_key", "session", "jwt"]
    user: PrincipalUser
    workspaces: tuple[Membership, ...]
    """Never empty for a key; empty for a user who is a member of nothing yet."""
    chosen: UUID | None = None
    """The workspace that the key is bound to, the token's request names or the browser chose."""
    scopes: frozenset[str] = frozenset()
    api_key_id: UUID | None = None
    rate_limit_per_min: int | None = None
    """The limit of this very key; None is the portal's default."""

    @property
    def workspace(self) -> Membership | None:
        """The workspace that counts where an address names none."""
        return self.membership(self.chosen)

    @property
    def workspace_ids(self) -> tuple[UUID, ...]:
        return tuple(workspace.id for workspace in self.workspaces)

    def membership(self, workspace_id: UUID | None) -> Membership | None:
        return next((found for found in self.workspaces if found.id == workspace_id), None)

    def in_workspace(self, workspace_id: UUID) -> Self:
        """The same one, in this workspace of theirs and no other. Raises NotFound."""
        found = self.membership(workspace_id)
        if found is None:
            raise NotFound("There is no such workspace here.")
        return replace(self, workspaces=(found,), chosen=found.id)

    def allows(self, permission: str) -> bool:
        """Whether the key has this scope, or the user a role that includes it in some workspace."""
        if self.kind == "api_key":
            return permission in self.scopes
        return permission in PERSONAL or any(found.allows(permission) for found in self.workspaces)

    def restricted_to(self, permission: str) -> Self:
        """The same one, where they may do this and nowhere else. Raises Forbidden where that is nowhere.

        So a viewer of one workspace who is an admin of another finds nothing to change in the first.
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
