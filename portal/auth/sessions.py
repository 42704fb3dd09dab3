"""Browser sessions: sign-in cookie, list, sign-out elsewhere, and the selected workspace."""

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
from portal.database.models import BrowserSession as BrowserSession
from portal.database.refusals import WriteRefused
from portal.database.transactions import writing
from portal.errors import Unavailable
from portal.paging import Page, Slice

log = logging.getLogger(__name__)


NOT_ENDED = (
    "You are signed out of this browser. The session itself could not be ended, since the portal's database "
    "is read-only at the moment: it expires after eight hours without use."
)


def enter(token: str) -> None:
    """Sign this browser in: end its previous session and reset its cookie."""
    _leave("the previous session was not ended")
    cookie.permanent = True
    cookie["token"] = token


def leave() -> None:
    """Sign this browser out. Raises Unavailable if only its cookie could be cleared."""
    if not _leave("the session was not ended"):
        raise Unavailable(NOT_ENDED, transient=False)


def _leave(warning: str) -> bool:
    """Clear the cookie in any case; returns whether the session was ended too."""
    token = cookie.get("token")
    cookie.clear()
    if token is None:
        return True
    try:
        end_session(token, moments.now())
    except (sa.exc.SQLAlchemyError, WriteRefused) as error:
        log.warning("%s: %s", warning, type(error).__name__)
        return False
    return True


def sessions_of(principal: Principal, slice_: Slice, now: datetime) -> Page[tuple[BrowserSession, bool]]:
    """A page of the user's sessions, this browser's first, each with whether it is this browser's."""
    mine = (BrowserSession.user_id == principal.user.id, is_live(now))
    total = db.session.scalar(sa.select(sa.func.count()).select_from(BrowserSession).where(*mine)) or 0
    here_first = sa.case((BrowserSession.token_hash == _token_hash(), 0), else_=1)
    last_first = (BrowserSession.seen_at.desc(), BrowserSession.created_at, BrowserSession.token_hash)
    page = sa.select(BrowserSession).where(*mine).order_by(here_first, *last_first)
    rows = db.session.scalars(page.offset(slice_.sql_offset).limit(slice_.limit))
    return Page([(row, row.token_hash == _token_hash()) for row in rows], total, slice_)


def end_other_sessions(principal: Principal, now: datetime) -> int:
    """End all other sessions of the user; returns their number."""
    others = (BrowserSession.user_id == principal.user.id, BrowserSession.token_hash != _token_hash())
    with writing() as session:
        gone = session.scalars(sa.delete(BrowserSession).where(*others).returning(BrowserSession.token_hash))
        ended = len(gone.all())
        trail.record(session, "session.others_ended", trail.actor_of(principal), now, ended=ended)
    return ended


def choose_workspace(workspace_id: UUID) -> None:
    """Select the workspace for pages whose path names none."""
    here = sa.update(BrowserSession).where(BrowserSession.token_hash == _token_hash())
    with writing() as session:
        session.execute(here.values(workspace_id=workspace_id))


def _token_hash() -> bytes:
    return hash_token(str(cookie.get("token", "")))
