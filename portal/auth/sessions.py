"""The browser's own session: entered, listed, ended elsewhere, and the workspace chosen in it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from flask import session as cookie

from portal import moments
from portal.auth import audit
from portal.auth.principals import Principal
from portal.auth.signin import end_session, hash_token, is_live
from portal.db import db, writing
from portal.models import BrowserSession


def enter(token: str) -> None:
    """Let this browser be signed in: its session before ends, and what its cookie said is forgotten."""
    if "token" in cookie:
        end_session(cookie["token"], moments.now())
    cookie.clear()
    cookie.permanent = True
    cookie["token"] = token


def sessions_of(principal: Principal, now: datetime) -> Sequence[tuple[BrowserSession, bool]]:
    """Where somebody is signed in, the last seen first, and whether it is this very browser."""
    mine = sa.select(BrowserSession).where(BrowserSession.user_id == principal.user.id, is_live(now))
    rows = db.session.scalars(mine.order_by(BrowserSession.seen_at.desc(), BrowserSession.created_at))
    return [(row, row.token_hash == _present()) for row in rows]


def end_other_sessions(principal: Principal, now: datetime) -> int:
    """Sign somebody out everywhere but here: how many sessions that ended."""
    others = (BrowserSession.user_id == principal.user.id, BrowserSession.token_hash != _present())
    with writing() as session:
        gone = session.scalars(sa.delete(BrowserSession).where(*others).returning(BrowserSession.token_hash))
        ended = len(gone.all())
        audit.record(session, "session.others_ended", audit.actor_of(principal), now, ended=ended)
    return ended


def choose_workspace(workspace_id: UUID) -> None:
    """Look into this workspace from now on, where an address names none."""
    here = sa.update(BrowserSession).where(BrowserSession.token_hash == _present())
    with writing() as session:
        session.execute(here.values(workspace_id=workspace_id))


def _present() -> bytes:
    return hash_token(str(cookie.get("token", "")))
