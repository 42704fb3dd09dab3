"""Workspaces, users, members, their credentials, and hooks of other systems."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, Id, UTCDateTime
from portal.database.models.states import Role, check_one_of
from portal.input.time_zones import MAX_ZONE


def _at_creation(context: DefaultExecutionContext) -> datetime:
    """The default of `updated_at` is `created_at`."""
    created_at: datetime = context.get_current_parameters()["created_at"]  # type: ignore[no-untyped-call]
    return created_at


class Workspace(Base):
    __tablename__ = "workspaces"
    __table_args__ = (
        sa.Index(
            "ix_workspaces_slug",
            "slug",
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    slug: Mapped[str] = mapped_column(sa.String(50))
    version: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0")
    """Changes with what the pages of all its workflows show: names of people (`sql.versions`)."""
    change_stamp: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0")
    """Counts the same changes, for servers of the previous release, which write no version."""
    color_idx: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    """None if an operator created it."""
    organization_id: Mapped[UUID | None] = mapped_column(Id)
    routing_price_sensitivity: Mapped[float] = mapped_column(sa.Float, default=0.5)
    routing_llm_fit: Mapped[bool] = mapped_column(default=False)
    default_language: Mapped[str | None] = mapped_column(sa.String(35))
    """A locale; None if nobody chose one."""
    theme: Mapped[str | None] = mapped_column(sa.String(20))
    credit_balance: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Credits left; None until an operator grants some: runs cost nothing then."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=_at_creation)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """A deleted workspace has no access by members or keys, and its slug is free again."""


class User(Base):
    """A person who can sign in."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    """Always lower-case."""
    first_name: Mapped[str] = mapped_column(sa.String(100), default="")
    last_name: Mapped[str] = mapped_column(sa.String(100), default="")
    completed_generation_email: Mapped[bool] = mapped_column(default=True, server_default=sa.true())
    """Whether they want an e-mail when a run of theirs is completed."""
    failed_generation_email: Mapped[bool] = mapped_column(default=True, server_default=sa.true())
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    time_zone: Mapped[str | None] = mapped_column(sa.String(MAX_ZONE))
    """The IANA name of the zone whose days and times pages show; None where it is not known."""

    @property
    def display_name(self) -> str:
        return full_name(self.first_name, self.last_name, self.email)


def full_name(first_name: str, last_name: str, email: str) -> str:
    """First and last name, or the e-mail without either (contract 3.1)."""
    return f"{first_name} {last_name}".strip() or email


class Member(Base):
    __tablename__ = "members"
    __table_args__ = (check_one_of("role", Role),)

    workspace_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(sa.String(10))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ApiKey(Base):
    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    created_by: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(sa.String(120))
    key_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    """SHA-256 of the key, which itself is never stored."""
    key_suffix: Mapped[str] = mapped_column(sa.String(4))
    scopes: Mapped[list[str]] = mapped_column(sa.JSON)
    active: Mapped[bool] = mapped_column(default=True)
    """False while an admin has switched the key off, and for good once it is revoked."""
    rate_limit_per_min: Mapped[int | None]
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=_at_creation)


class Invitation(Base):
    """A single-use link that makes its holder a member."""

    __tablename__ = "invitations"
    __table_args__ = (check_one_of("role", Role),)

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(sa.String(254))
    """The intended recipient, lower-case; anyone with the link may use it."""
    role: Mapped[str] = mapped_column(sa.String(10))
    created_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it was accepted or withdrawn."""


class SigninLink(Base):
    """A single-use link that signs a user in."""

    __tablename__ = "signin_links"

    token_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class BrowserSession(Base):
    """A signed-in browser; deleting the row signs it out."""

    __tablename__ = "sessions"

    token_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    workspace_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="SET NULL"))
    """The workspace that the user selected."""
    address: Mapped[str | None] = mapped_column(sa.String(45))
    browser: Mapped[str | None] = mapped_column(sa.String(200))


class Identity(Base):
    """A user's account at an identity provider, by issuer and subject, never by e-mail."""

    __tablename__ = "identities"

    issuer: Mapped[str] = mapped_column(sa.String(500), primary_key=True)
    subject: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class HookKind(StrEnum):
    """Which system reports its runs by a hook."""

    GITHUB = "github"
    GITLAB = "gitlab"

    @property
    def label(self) -> str:
        return {"github": "GitHub", "gitlab": "GitLab"}[self.value]


class Hook(Base):
    """An address to which another system reports its runs. Its secret is derived, not stored."""

    __tablename__ = "hooks"
    __table_args__ = (check_one_of("kind", HookKind),)

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(sa.String(10))
    address: Mapped[str] = mapped_column(sa.String(64), unique=True)
    """The last part of its address, which cannot be guessed."""
    repositories: Mapped[list[str]] = mapped_column(sa.JSON)
    """Full names of repositories whose events it takes, or `owner/*`."""
    generation: Mapped[int]
    """Which secret it has, from 1."""
    last_secret_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Until when the secret before is good too."""
    last_heard_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class HookDelivery(Base):
    """A delivery that a hook has taken, for as long as it may come again."""

    __tablename__ = "hook_deliveries"

    hook_id: Mapped[UUID] = mapped_column(sa.ForeignKey("hooks.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(120), primary_key=True)
    """The sender's name for it, or the digest of its body."""
    received_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
