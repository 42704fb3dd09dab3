"""Versions: numbers that only grow, and of which none ever comes again.

A version is the time in milliseconds, or one more than the version before where the clock stands still or
was set back, and 20 random bits behind it. So an ETag, a cache or an open page that knows a version of a
database never takes a later state for that one, also after the database was restored from a backup and
written to as often as before.
"""

import secrets
from typing import Any

import sqlalchemy as sa

from portal import moments

RANDOM_BITS = 20
STEP = 1 << RANDOM_BITS
"""Milliseconds are counted in steps of this size; 63 bits last until the year 2248."""


def next_version(version: int) -> int:
    """A version after this one."""
    return max(version // STEP + 1, _milliseconds()) * STEP + secrets.randbits(RANDOM_BITS)


def next_version_in_sql(column: Any) -> sa.ColumnElement[int]:
    """The same of a column, for an UPDATE; one statement gives all its rows the same random bits."""
    after = column - column % STEP + STEP
    now = _milliseconds() * STEP
    larger = sa.case((after > now, after), else_=sa.literal(now, sa.BigInteger()))
    return larger + sa.literal(secrets.randbits(RANDOM_BITS), sa.BigInteger())


def sums_in_sql(column: Any) -> tuple[sa.ColumnElement[int], ...]:
    """What differs whenever one of many versions has changed: they are too large to be added up whole."""
    parts = (column.bitwise_rshift(sa.literal(RANDOM_BITS, sa.Integer())), column.bitwise_and(STEP - 1))
    return tuple(sa.func.coalesce(sa.func.sum(part), 0) for part in parts)


def _milliseconds() -> int:
    return int(moments.now().timestamp() * 1000)
