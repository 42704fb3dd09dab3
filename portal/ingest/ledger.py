"""What each ingest key brought: lines by the hour for a day, and the last ones that were refused."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.engine import db
from portal.database.models import IngestHour, IngestRefusal
from portal.database.refusals import WriteRefused
from portal.database.sql.upserts import insert_or_add
from portal.database.transactions import writing
from portal.input.text import storable

KEPT_HOURS = timedelta(hours=24)
KEPT_REFUSALS = 50
MAX_FIELD = 200
MAX_REASON = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refusal:
    """A line that was refused; `field` is empty if the whole line is wrong."""

    line: int
    """Its number in the request, from 1."""
    field: str
    reason: str


@dataclass(frozen=True)
class RefusalRow:
    """A refused line, with when it came."""

    at: datetime
    line: int
    field: str
    reason: str


@dataclass(frozen=True)
class IngestOutcome:
    """What became of the lines of a request."""

    accepted: int = 0
    unchanged: int = 0
    refused: Sequence[Refusal] = ()


@dataclass(frozen=True)
class Day:
    """What a key brought in the last 24 hours."""

    accepted: int = 0
    unchanged: int = 0
    refused: int = 0

    @property
    def taken(self) -> int:
        return self.accepted + self.unchanged


def record(key_id: UUID, outcome: IngestOutcome, now: datetime) -> None:
    """Record what a key brought. A failure is logged: what was brought is stored, and stays so."""
    try:
        with writing() as session:
            _add(session, key_id, outcome, now)
    except (sa.exc.SQLAlchemyError, WriteRefused) as error:
        _log(error)


def record_within(session: Session, key_id: UUID, outcome: IngestOutcome, now: datetime) -> None:
    """The same within the transaction that stores it, which goes on after a failure."""
    try:
        with session.begin_nested():
            _add(session, key_id, outcome, now)
    except sa.exc.SQLAlchemyError as error:
        _log(error)


def _log(error: Exception) -> None:
    log.warning("what an ingest key brought was not recorded: %s", type(error).__name__)


def _add(session: Session, key_id: UUID, outcome: IngestOutcome, now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    amounts = {
        "accepted": outcome.accepted,
        "unchanged": outcome.unchanged,
        "refused": len(outcome.refused),
    }
    insert_or_add(session, IngestHour, {"key_id": key_id, "hour": hour}, amounts)
    of_key = IngestHour.key_id == key_id
    session.execute(sa.delete(IngestHour).where(of_key, IngestHour.hour <= hour - KEPT_HOURS))
    if outcome.refused:
        _add_refusals(session, key_id, outcome.refused[-KEPT_REFUSALS:], now)


def _add_refusals(session: Session, key_id: UUID, refusals: Sequence[Refusal], now: datetime) -> None:
    rows = [
        {
            "id": uuid4(),
            "key_id": key_id,
            "at": now,
            "line": refusal.line,
            "field": storable(refusal.field)[:MAX_FIELD],
            "reason": storable(refusal.reason)[:MAX_REASON],
        }
        for refusal in refusals
    ]
    session.execute(sa.insert(IngestRefusal), rows)
    kept = sa.select(IngestRefusal.id).where(IngestRefusal.key_id == key_id).order_by(*_NEWEST_FIRST)
    beyond = sa.delete(IngestRefusal).where(
        IngestRefusal.key_id == key_id, IngestRefusal.id.not_in(kept.limit(KEPT_REFUSALS))
    )
    session.execute(beyond, execution_options={"synchronize_session": False})


_NEWEST_FIRST = (IngestRefusal.at.desc(), IngestRefusal.line.desc(), IngestRefusal.id)


def days_of(key_ids: Sequence[UUID], now: datetime) -> Mapping[UUID, Day]:
    """What each of these keys brought in the last 24 hours."""
    totals = sa.select(
        IngestHour.key_id,
        sa.func.sum(IngestHour.accepted),
        sa.func.sum(IngestHour.unchanged),
        sa.func.sum(IngestHour.refused),
    )
    recent = totals.where(IngestHour.key_id.in_(key_ids), IngestHour.hour > now - KEPT_HOURS)
    rows = db.session.execute(recent.group_by(IngestHour.key_id))
    found = {key_id: Day(int(taken), int(same), int(bad)) for key_id, taken, same, bad in rows}
    return {key_id: found.get(key_id, Day()) for key_id in key_ids}


def refusals_of(key_id: UUID) -> Sequence[RefusalRow]:
    """The last refusals of a key, newest first."""
    columns = (IngestRefusal.at, IngestRefusal.line, IngestRefusal.field, IngestRefusal.reason)
    mine = sa.select(*columns).where(IngestRefusal.key_id == key_id).order_by(*_NEWEST_FIRST)
    return [RefusalRow(*row) for row in db.session.execute(mine.limit(KEPT_REFUSALS))]
