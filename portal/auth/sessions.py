"""The browser's own session: entered, listed, ended elsewhere, and the workspace chosen in it."""

import logging
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from flask import session as cookie

from portal import moments
from portal.auth.audit import trail
from portal.auth.principals import Principal
from portal.auth.signin import end_session, hash_token, is_live
from portal.database.engine import db
from portal.database.models import BrowserSession
from portal.database.refusals import WriteRefused
from portal.database.transactions import writing
from portal.errors import Unavailable
from portal.paging import Page, Slice

log = logging.getLogger(__name__)


NOT_ENDED = (
    "You are signed out of this browser. The session itself could not be ended, since the portal's database "
    "takes no changes at the moment: it ends by itself after eight hours without use."
)


def enter(token: str) -> None:
    """Let this browser be signed in: its session before ends, and what its cookie said is forgotten."""
    _leave("the session before was not ended")
    cookie.permanent = True
    cookie["token"] = token


def leave() -> None:
    """Sign this browser out. Raises Unavailable where only its cookie could be taken away."""
    if not _leave("the session was not ended"):
        raise Unavailable(NOT_ENDED, transient=False)


def _leave(otherwise: str) -> bool:
    """Forget what the cookie says, whatever happens to the session; whether that could be ended too."""
    token = cookie.get("token")
    cookie.clear()
    if token is None:
        return True
    try:
        end_session(token, moments.now())
    except (sa.exc.SQLAlchemyError, WriteRefused) as error:
        log.warning("%s: %s", otherwise, type(error).__name__)
        return False
    return True


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
        trail.record(session, "session.others_ended", trail.actor_of(principal), now, ended=ended)
    return ended


def choose_workspace(workspace_id: UUID) -> None:
    """Look into this workspace from now on, where an address names none."""
    here = sa.update(BrowserSession).where(BrowserSession.token_hash == _present())
    with writing() as session:
        session.execute(here.values(workspace_id=workspace_id))


def _present() -> bytes:
    return hash_token(str(cookie.get("token", "")))
