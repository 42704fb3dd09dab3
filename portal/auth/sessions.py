"""The browser's own session: entered, listed, ended elsewhere, and the workspace chosen in it."""

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
from portal.paging import Page, Slice


def enter(token: str) -> None:
    """Let this browser be signed in: its session before ends, and what its cookie said is forgotten."""
    if "token" in cookie:
        end_session(cookie["token"], moments.now())
    cookie.clear()
    cookie.permanent = True
    cookie["token"] = token


def sessions_of(principal: Principal, slice_: Slice, now: datetime) -> Page[tuple[BrowserSession, bool]]:
    """One page of where somebody is signed in, and whether it is this very browser, which comes first."""
    mine = (BrowserSession.user_id == principal.user.id, is_live(now))
    total = db.session.scalar(sa.select(sa.func.count()).select_from(BrowserSession).where(*mine)) or 0
    here_first = sa.case((BrowserSession.token_hash == _present(), 0), else_=1)
    last_first = (BrowserSession.seen_at.desc(), BrowserSession.created_at, BrowserSession.token_hash)
    page = sa.select(BrowserSession).where(*mine).order_by(here_first, *last_first)
    rows = db.session.scalars(page.offset(slice_.sql_offset).limit(slice_.limit))
    return Page([(row, row.token_hash == _present()) for row in rows], total, slice_)


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
