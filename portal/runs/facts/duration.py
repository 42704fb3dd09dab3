"""How long a run took, as it is stored beside it, shown, sorted by and filtered by."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import ACTIVE, Run, RunDetail
from portal.moments import elapsed_ms
from portal.runs.facts.facts import Given

MAX_DURATION_MS = 2**53 - 1
"""What every reader of JSON keeps exact; a longer one that history sends is taken for none."""


def duration_of(
    status: str,
    started_at: datetime | None,
    completed_at: datetime | None,
    paused_ms: int | None,
    sent: object = None,
) -> int | None:
    """Milliseconds as history sent them, else from start to end without pauses.

    None while the run is active, and where a moment is missing or the time would be negative.
    """
    if status in ACTIVE:
        return None
    if sent is not None:
        known = Given({"duration_ms": sent}).integer("duration_ms")
        if known is not None and known <= MAX_DURATION_MS:
            return known
    return elapsed_ms(started_at, completed_at, paused_ms)


def keep_duration(session: Session, run: Run) -> None:
    """Store how long a run took, after its status or moments changed."""
    source = None
    if run.imported:
        source = session.scalar(sa.select(RunDetail.source).where(RunDetail.run_id == run.id))
    sent = (source or {}).get("duration_ms")
    run.duration_ms = duration_of(run.status, run.started_at, run.completed_at, run.paused_ms, sent)


def elapsed_in_sql(dialect: str) -> sa.ColumnElement[int]:
    """Milliseconds from start to end of a run without pauses; NULL if unknown or negative."""
    span: sa.ColumnElement[int]
    if dialect == "postgresql":
        milliseconds = sa.extract("epoch", Run.completed_at - Run.started_at) * 1000
        span = sa.cast(sa.func.floor(milliseconds), sa.BigInteger)
    else:
        begun, ended = (sa.type_coerce(c, sa.BigInteger) for c in (Run.started_at, Run.completed_at))
        span = (ended - begun) // 1000
    took = span - sa.func.coalesce(Run.paused_ms, 0)
    known = sa.and_(Run.started_at <= Run.completed_at, took >= 0)
    return sa.case((known, took), else_=sa.null())


def duration_in_sql(dialect: str) -> sa.ColumnElement[int | None]:
    """The same as `duration_of`."""
    return sa.case(
        (Run.status.in_(sorted(ACTIVE)), sa.null()),
        else_=sa.func.coalesce(_sent_in_sql(dialect), elapsed_in_sql(dialect)),
    )


def _sent_in_sql(dialect: str) -> sa.ScalarSelect[int]:
    """The duration that history sent, where it is a whole number that a column holds."""
    if dialect == "postgresql":
        member = RunDetail.source["duration_ms"]
        text = member.as_string()
        plain = sa.and_(sa.func.json_typeof(member) == "number", text.regexp_match("^[0-9]{1,18}$"))
        value = sa.case((plain, sa.cast(text, sa.BigInteger)), else_=sa.null())
    else:
        number = sa.func.json_extract(RunDetail.source, "$.duration_ms", type_=sa.BigInteger())
        whole = sa.func.json_type(RunDetail.source, "$.duration_ms") == "integer"
        value = sa.case((whole, number), else_=sa.null())
    value = sa.case((value.between(0, MAX_DURATION_MS), value), else_=sa.null())
    return sa.select(value).where(RunDetail.run_id == Run.id).correlate(Run).scalar_subquery()
