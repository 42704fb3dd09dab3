"""Provisioning at sign-in with the identity provider: the user and their memberships.

A user is identified by issuer and subject. A new one is admitted by a rule of PORTAL_OIDC_JOIN, by an
invitation to their verified e-mail, by an existing account with that e-mail (if PORTAL_OIDC_LINK_EMAIL is
set), or as the first user.
"""

import logging
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.audit import trail
from portal.auth.openid.join_rules import JoinRule, Visitor, grants
from portal.auth.signin import start_session
from portal.config import OidcSettings
from portal.database.models import Identity, Invitation, Member, Role, User, Workspace
from portal.database.transactions import writing
from portal.errors import Forbidden

FIRST_WORKSPACE = "Main", "main"
_ADVISORY_LOCK = 4_905_117_903_388_110_341
"""Key of the advisory lock that serialises sign-ins, so that only one user is the first."""

log = logging.getLogger(__name__)


class NotAdmitted(Forbidden):
    """You have signed in at your provider, but you have no access here."""


def admit(
    visitor: Visitor,
    settings: OidcSettings,
    rules: tuple[JoinRule, ...],
    now: datetime,
    browser: str | None,
    sample_email: str,
) -> str:
    """Admit a visitor: the token of a new session. Raises NotAdmitted.

    The user of the sample data, `sample_email`, does not count as the first user.
    """
    given = grants(visitor, rules)
    with writing() as session:
        _serialise(session)
        first = _is_first(session, sample_email)
        user = _known(session, visitor) or _own_account(session, visitor, settings, now)
        if user is None:
            if not (given or _invited(session, visitor, now) or (first and not rules)):
                raise NotAdmitted(_why_not(visitor, settings))
            user = _new_account(session, visitor, now)
        by = trail.Actor(user.id, user.email)
        for workspace in _workspaces(session, given):
            _join(session, workspace, by, given[workspace.slug], now)
        if first and (given or not rules):
            for workspace in _all_workspaces(session, by, now):
                _join(session, workspace, by, Role.ADMIN, now)
        return start_session(session, user.id, now, browser, "provider")


def _known(session: Session, visitor: Visitor) -> User | None:
    return session.scalar(
        sa.select(User)
        .join(Identity, Identity.user_id == User.id)
        .where(Identity.issuer == visitor.issuer, Identity.subject == visitor.subject)
    )


def _own_account(session: Session, visitor: Visitor, settings: OidcSettings, now: datetime) -> User | None:
    """The existing account with the visitor's e-mail, unless another identity of the issuer has it."""
    if visitor.email is None:
        return None
    user = session.scalar(sa.select(User).where(User.email == visitor.email))
    if user is None:
        return None
    taken = sa.select(Identity.user_id).where(Identity.user_id == user.id, Identity.issuer == visitor.issuer)
    if not settings.link_email or session.scalar(taken) is not None:
        raise NotAdmitted(
            f"The account for {visitor.email} here is not linked to your account at the provider. "
            "Ask your operator to link them."
        )
    _link_identity(session, user, visitor, now)
    return user


def _new_account(session: Session, visitor: Visitor, now: datetime) -> User:
    if visitor.email is None:
        raise NotAdmitted(
            "Your provider does not say that your e-mail address is verified. "
            "Verify it there; if it is, ask your operator to set PORTAL_OIDC_TRUST_EMAIL."
        )
    user = User(
        id=uuid4(),
        email=visitor.email,
        first_name=visitor.first_name,
        last_name=visitor.last_name,
        created_at=now,
    )
    session.add(user)
    session.flush()
    trail.record(session, "user.created", trail.Actor(user.id, user.email), now, subject=user.email)
    _link_identity(session, user, visitor, now)
    return user


def _link_identity(session: Session, user: User, visitor: Visitor, now: datetime) -> None:
    session.add(Identity(issuer=visitor.issuer, subject=visitor.subject, user_id=user.id, created_at=now))
    by = trail.Actor(user.id, user.email)
    trail.record(session, "identity.linked", by, now, subject=user.email, issuer=visitor.issuer)


def _join(session: Session, workspace: Workspace, by: trail.Actor, role: str, now: datetime) -> None:
    """Add a member; an existing one keeps their role."""
    if session.get(Member, (workspace.id, by.id)) is None:
        session.add(Member(workspace_id=workspace.id, user_id=by.id, role=role, created_at=now))
        session.flush()
        trail.record(
            session, "member.joined", by, now, workspace_id=workspace.id, subject=by.name, role=str(role)
        )


def _workspaces(session: Session, given: dict[str, str]) -> list[Workspace]:
    """The live workspaces that the rules name; logs those that do not exist."""
    live = sa.select(Workspace).where(Workspace.slug.in_(given), Workspace.deleted_at.is_(None))
    found = list(session.scalars(live.order_by(Workspace.slug)))
    for slug in given.keys() - {workspace.slug for workspace in found}:
        log.warning("PORTAL_OIDC_JOIN names the workspace %s, which does not exist", slug)
    return found


def _all_workspaces(session: Session, by: trail.Actor, now: datetime) -> list[Workspace]:
    """All workspaces, for the first user; creates one if there is none."""
    live = sa.select(Workspace).where(Workspace.deleted_at.is_(None)).order_by(Workspace.slug)
    found = list(session.scalars(live))
    if not found:
        name, slug = FIRST_WORKSPACE
        found = [Workspace(id=uuid4(), name=name, slug=slug, created_by=by.id, created_at=now)]
        session.add_all(found)
        session.flush()
        trail.record(session, "workspace.created", by, now, workspace_id=found[0].id, subject=name)
    return found


def _is_first(session: Session, sample_email: str) -> bool:
    """Whether there are no members and no identities, apart from the user of the sample data."""
    member = sa.select(User.id).join(Member, Member.user_id == User.id).where(User.email != sample_email)
    return (
        session.scalar(member.limit(1)) is None
        and session.scalar(sa.select(Identity.user_id).limit(1)) is None
    )


def _invited(session: Session, visitor: Visitor, now: datetime) -> bool:
    """Whether an invitation to the visitor's e-mail is open; following its link then makes them a member."""
    open_one = sa.select(Invitation.id).where(
        Invitation.email == visitor.email, Invitation.closed_at.is_(None), Invitation.expires_at > now
    )
    return visitor.email is not None and session.scalar(open_one.limit(1)) is not None


def _why_not(visitor: Visitor, settings: OidcSettings) -> str:
    who = visitor.email or "You"
    unverified = "" if visitor.email or settings.trust_email else " (with no verified e-mail address)"
    return (
        f"{who} signed in at the provider{unverified}, but no rule, invitation or account here lets you in. "
        "Ask an admin of the workspace to invite you."
    )


def _serialise(session: Session) -> None:
    """Serialise sign-ins until the transaction ends; SQLite has a single writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
