"""Signing in with a one-time link, and the browser sessions that follow from it."""

import hashlib
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.auth.principals import Membership, Principal, PrincipalUser
from portal.db import db, leave_mark, writing
from portal.errors import NotFound
from portal.models import BrowserSession, Member, SigninLink, User, Workspace

LINK_LIFE = timedelta(minutes=15)
IDLE_LIFE = timedelta(hours=8)
ABSOLUTE_LIFE = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=5)
"""How often `seen_at` is written at most."""


def make_link_token(email: str, now: datetime) -> str:
    """A token that signs this user in once within 15 minutes. Raises NotFound."""
    token = secrets.token_urlsafe(32)
    with writing() as session:
        user = session.scalar(sa.select(User).where(User.email == email.lower()))
        if user is None:
            raise NotFound(f"There is no user {email}. Add one with: flask users add {email}")
        session.execute(sa.delete(SigninLink).where(SigninLink.expires_at < now - LINK_LIFE))
        session.add(SigninLink(token_hash=_hash(token), user_id=user.id, expires_at=now + LINK_LIFE))
    return token


def link_email(token: str, now: datetime) -> str | None:
    """Whom the link would sign in; None where it is unknown, used or expired. Changes nothing."""
    return db.session.scalar(
        sa.select(User.email)
        .join(SigninLink, SigninLink.user_id == User.id)
        .where(SigninLink.token_hash == _hash(token), *_usable(now))
    )


def use_link(token: str, now: datetime) -> str | None:
    """Use the link up and start a session: its token, or None where the link is not good (any more)."""
    session_token = secrets.token_urlsafe(32)
    with writing() as session:
        claim = (
            sa.update(SigninLink)
            .where(SigninLink.token_hash == _hash(token), *_usable(now))
            .values(used_at=now)
            .returning(SigninLink.user_id)
        )
        user_id = session.scalar(claim)
        if user_id is None:
            return None
        session.execute(sa.delete(BrowserSession).where(_ended(now)))
        session.add(
            BrowserSession(token_hash=_hash(session_token), user_id=user_id, created_at=now, seen_at=now)
        )
    return session_token


def principal_of_session(token: str, now: datetime) -> Principal | None:
    """The signed-in user behind a session token; None where the session has ended."""
    found = db.session.scalar(
        sa.select(BrowserSession)
        .options(sa.orm.joinedload(BrowserSession.user))
        .where(BrowserSession.token_hash == _hash(token), sa.not_(_ended(now)))
    )
    if found is None:
        return None
    user = found.user
    workspaces = db.session.execute(
        sa.select(Workspace.id, Workspace.name, Workspace.slug, Member.role)
        .join(Member, Member.workspace_id == Workspace.id)
        .where(Member.user_id == user.id)
        .order_by(Member.created_at, Workspace.id)
    )
    principal = Principal(
        kind="session",
        user=PrincipalUser(user.id, user.email, user.display_name),
        workspaces=tuple(Membership(*row) for row in workspaces),
    )
    if now - found.seen_at >= SEEN_EVERY:
        seen = sa.update(BrowserSession).where(BrowserSession.token_hash == found.token_hash)
        leave_mark(seen.values(seen_at=now))
    return principal


def end_session(token: str) -> None:
    """Sign out: the token is worth nothing from now on."""
    with writing() as session:
        session.execute(sa.delete(BrowserSession).where(BrowserSession.token_hash == _hash(token)))


def _usable(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return SigninLink.used_at.is_(None), SigninLink.expires_at > now


def _ended(now: datetime) -> sa.ColumnElement[bool]:
    return (BrowserSession.seen_at <= now - IDLE_LIFE) | (BrowserSession.created_at <= now - ABSOLUTE_LIFE)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
