"""Sign-in by one-time link, and browser sessions."""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.audit import trail
from portal.auth.memberships import choose_workspace_id, memberships_in, with_memberships
from portal.auth.principals import Principal, PrincipalUser
from portal.database.engine import db
from portal.database.models import BrowserSession, SigninLink, User
from portal.database.models.accounts import full_name
from portal.database.transactions import read, write_best_effort, writing
from portal.errors import NotFound

LINK_LIFE = timedelta(minutes=15)
IDLE_LIFE = timedelta(hours=8)
ABSOLUTE_LIFE = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=5)
"""Minimum interval between writes of `seen_at`."""
MAX_BROWSER = 200

_Moment = datetime | sa.BindParameter[datetime]


def make_link_token(email: str, now: datetime) -> str:
    """Create a single-use token that signs a user in within 15 minutes. Raises NotFound."""
    token = secrets.token_urlsafe(32)
    with writing() as session:
        user = session.scalar(sa.select(User).where(User.email == email.lower()))
        if user is None:
            raise NotFound(f"There is no user {email}. Add one with: flask users add {email}")
        session.execute(sa.delete(SigninLink).where(SigninLink.expires_at < now - LINK_LIFE))
        session.add(SigninLink(token_hash=hash_token(token), user_id=user.id, expires_at=now + LINK_LIFE))
        trail.record(session, "signin_link.created", trail.OPERATOR, now, subject=user.email)
    return token


def link_email(token: str, now: datetime) -> str | None:
    """The user whom the link signs in; None if it is unknown, used or expired. Does not use it up."""
    return db.session.scalar(
        sa.select(User.email)
        .join(SigninLink, SigninLink.user_id == User.id)
        .where(SigninLink.token_hash == hash_token(token), *_usable(now))
    )


def use_link(token: str, now: datetime, browser: str | None = None) -> str | None:
    """Use up a link and start a session: its token, or None if the link is unknown, used or expired."""
    with writing() as session:
        claim = (
            sa.update(SigninLink)
            .where(SigninLink.token_hash == hash_token(token), *_usable(now))
            .values(used_at=now)
            .returning(SigninLink.user_id)
        )
        user_id = session.scalar(claim)
        if user_id is None:
            trail.record_refusal(session, now, "The link is unknown, used or expired.")
            return None
        return start_session(session, user_id, now, browser, "link")


def start_session(session: Session, user_id: UUID, now: datetime, browser: str | None, way: str) -> str:
    """Start a session in this transaction: its token. `way` is the method of sign-in, for the audit log."""
    token = secrets.token_urlsafe(32)
    user = session.get_one(User, user_id)
    session.execute(sa.delete(BrowserSession).where(_ended(**_cutoffs(now))))
    row = BrowserSession(
        token_hash=hash_token(token),
        user_id=user_id,
        created_at=now,
        seen_at=now,
        address=trail.from_address(),
        browser=(browser or "")[:MAX_BROWSER] or None,
    )
    session.add(row)
    trail.record(session, "session.started", trail.Actor(user.id, user.email), now, way=way)
    return token


def principal_of_session(token: str, now: datetime) -> Principal | None:
    """Authenticate a session token; None if the session has ended."""
    token_hash = hash_token(token)
    rows = read(_FIND, token_hash=token_hash, **_cutoffs(now)).all()
    if not rows:
        return None
    found, workspaces = rows[0], memberships_in(rows)
    name = full_name(found.first_name, found.last_name, found.email)
    principal = Principal(
        kind="session",
        user=PrincipalUser(found.id, found.email, name, found.time_zone),
        workspaces=workspaces,
        chosen=choose_workspace_id(workspaces, found.workspace_id),
    )
    if abs(now - found.seen_at) >= SEEN_EVERY:  # in the future if the clock was set back
        seen = sa.update(BrowserSession).where(BrowserSession.token_hash == token_hash)
        write_best_effort(seen.values(seen_at=now))
    return principal


def end_session(token: str, now: datetime) -> None:
    """Sign out: delete the session."""
    with writing() as session:
        ended = sa.delete(BrowserSession).where(BrowserSession.token_hash == hash_token(token))
        user_id = session.scalar(ended.returning(BrowserSession.user_id))
        if user_id is not None:
            user = session.get_one(User, user_id)
            trail.record(session, "session.ended", trail.Actor(user.id, user.email), now)


def _usable(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return SigninLink.used_at.is_(None), SigninLink.expires_at > now


def is_live(now: datetime) -> sa.ColumnElement[bool]:
    return sa.not_(_ended(**_cutoffs(now)))


def _cutoffs(now: datetime) -> dict[str, datetime]:
    """The times before which a session counts as idle or too old."""
    return {"idle_since": now - IDLE_LIFE, "made_until": now - ABSOLUTE_LIFE}


def _ended(idle_since: _Moment, made_until: _Moment) -> sa.ColumnElement[bool]:
    return sa.or_(BrowserSession.seen_at <= idle_since, BrowserSession.created_at <= made_until)


_FIND = with_memberships(
    sa.select(
        BrowserSession.seen_at,
        BrowserSession.workspace_id,
        User.id,
        User.email,
        User.first_name,
        User.last_name,
        User.time_zone,
    )
    .join(User, BrowserSession.user_id == User.id)
    .where(
        BrowserSession.token_hash == sa.bindparam("token_hash"),
        sa.not_(_ended(sa.bindparam("idle_since"), sa.bindparam("made_until"))),
    )
)


def hash_token(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
