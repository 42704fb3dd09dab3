"""When mirrors are brought up to date, and that one process at a time does it."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal import moments
from portal.database import outages
from portal.database.engine import db
from portal.database.models import Mirror, MirroredRun, Workspace
from portal.database.sql.clock import shared_now
from portal.database.transactions import writing
from portal.engine.execution.workers import WorkerIdentity, has_ended
from portal.errors import Conflict, NotFound
from portal.history.sync.state import DetailRank

LEASE = timedelta(minutes=10)
"""How long a pass may go without a commit: longer than one answer may be waited for."""
LOOK_SECONDS = 5.0
"""How often a worker looks for mirrors that are due, and for runs that somebody has opened."""
SLICE_SECONDS = 600.0
"""How long a worker works on a mirror before it looks at the others."""
MAX_DELAY = timedelta(hours=1)
"""The longest pause after failures."""

log = logging.getLogger(__name__)


class LeaseLost(Conflict):
    """Another process has taken the mirror over, or it was removed."""


def take_lease(session: Session, mirror_id: UUID, holder: str) -> Mirror:
    """Begin a pass. Raises NotFound, and Conflict while another process makes one."""
    mirror = session.get(Mirror, mirror_id, with_for_update=True)
    if mirror is None:
        raise NotFound("There is no such mirror.")
    if is_held(session, mirror) and mirror.holder != holder:
        raise Conflict(f"Another process is bringing {mirror.name} up to date. Try again when it has ended.")
    mirror.holder, mirror.held_until = holder, shared_now(session) + LEASE
    return mirror


def is_held(session: Session, mirror: Mirror) -> bool:
    """Whether a process makes a pass; one of this machine that was killed makes none any more."""
    if mirror.holder is None or mirror.held_until is None or mirror.held_until <= shared_now(session):
        return False
    return not has_ended(mirror.holder)


def renew_lease(session: Session, mirror_id: UUID, holder: str) -> None:
    """Raises LeaseLost."""
    mine = (Mirror.id == mirror_id, Mirror.holder == holder)
    renewed = sa.update(Mirror).where(*mine).values(held_until=shared_now(session) + LEASE)
    if session.execute(renewed.returning(Mirror.id)).first() is None:
        raise LeaseLost


def next_pass(now: datetime, interval: timedelta, failures: int, wait: int | None) -> datetime:
    """When the next pass is due: after failures later and later, and never before the source wants it."""
    delay = interval if not failures else min(interval * 2 ** min(failures, 10), max(MAX_DELAY, interval))
    return now + max(delay, timedelta(seconds=wait or 0))


_LIVE = sa.select(Mirror.id).join(Workspace, Workspace.id == Mirror.workspace_id)
_LIVE = _LIVE.where(Workspace.deleted_at.is_(None)).order_by(Mirror.next_pass_at, Mirror.id)
_OPENED = sa.exists().where(
    MirroredRun.mirror_id == Mirror.id, MirroredRun.detail_rank == DetailRank.OPENED.value
)


def due(now: datetime) -> list[tuple[UUID, bool]]:
    """The mirrors to bring up to date, and whether only for runs that somebody has opened.

    While a source fails, its opened runs wait for the next pass too.
    """
    passes = list(db.session.scalars(_LIVE.where(Mirror.next_pass_at <= now)))
    opened = list(db.session.scalars(_LIVE.where(Mirror.next_pass_at > now, Mirror.failures == 0, _OPENED)))
    db.session.rollback()
    return [*((mirror_id, True) for mirror_id in opened), *((mirror_id, False) for mirror_id in passes)]


MakePass = Callable[[UUID, str, bool, Callable[[], bool]], str | None]
"""Makes a pass: of a mirror, by a holder, perhaps for opened runs only, until its time is up.

Returns why it failed.
"""


class Mirroring:
    """Brings mirrors up to date beside the other work of a worker, in a thread that ends with it.

    A pass that is cut off is repeated by the next one.
    """

    def __init__(self, context: Callable[[], AbstractContextManager[object]], make_pass: MakePass) -> None:
        self._context, self._make_pass = context, make_pass
        self._holder = WorkerIdentity.new().id
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Begin with what is due, unless that is being done. Never waits for another host."""
        if self._thread is not None and self._thread.is_alive():
            return
        mirrors = due(moments.now())
        if mirrors:
            self._thread = threading.Thread(target=self._work, args=(mirrors,), name="mirrors", daemon=True)
            self._thread.start()

    def _work(self, mirrors: list[tuple[UUID, bool]]) -> None:
        with self._context():
            for mirror_id, only_opened in mirrors:
                try:
                    end = time.monotonic() + SLICE_SECONDS
                    is_over = partial(_is_past, end)
                    if failure := self._make_pass(mirror_id, self._holder, only_opened, is_over):
                        log.warning("the pass of a mirror failed: %s", failure)
                except (Conflict, NotFound):
                    continue
                except Exception as error:  # noqa: BLE001 (the next pass may succeed)
                    outages.warn(log, "a mirror could not be brought up to date", error)
                finally:
                    db.session.remove()


def _is_past(end: float) -> bool:
    return time.monotonic() >= end


def begin(mirror_id: UUID, holder: str) -> Mirror:
    """Take the lease in a transaction of its own. Raises NotFound, Conflict."""
    with writing() as session:
        return take_lease(session, mirror_id, holder)
