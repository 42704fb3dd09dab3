"""Versions: unique, monotonic numbers for ETags and caches.

A version is a timestamp in milliseconds followed by 20 random bits; if the clock did not advance, it is the
previous version's timestamp plus one. The random bits keep versions unique even when a database is restored
from a backup and then written to as often as before.
"""

import secrets
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from portal import moments

RANDOM_BITS = 20
STEP = 1 << RANDOM_BITS
"""One millisecond of a version; 63 bits last until the year 2248."""


class Version(NamedTuple):
    """A workflow as of one version: the key of what is cached of it."""

    workflow_id: UUID
    version: int
    change_stamp: int
    """Servers of the previous release change this one only."""


def next_version(version: int) -> int:
    """The version after this one."""
    return max(version // STEP + 1, _milliseconds()) * STEP + secrets.randbits(RANDOM_BITS)


def next_version_in_sql(column: InstrumentedAttribute[int]) -> sa.ColumnElement[int]:
    """The next version of a column, for an UPDATE; all rows of the statement get the same random bits."""
    after = column - column % STEP + STEP
    now = _milliseconds() * STEP
    larger = sa.case((after > now, after), else_=sa.literal(now, sa.BigInteger()))
    return larger + sa.literal(secrets.randbits(RANDOM_BITS), sa.BigInteger())


def sums_in_sql(column: InstrumentedAttribute[int]) -> tuple[sa.ColumnElement[int], ...]:
    """Sums that change whenever one of the versions does, in two parts because whole ones would overflow."""
    parts = (column.bitwise_rshift(sa.literal(RANDOM_BITS, sa.Integer())), column.bitwise_and(STEP - 1))
    return tuple(sa.func.coalesce(sa.func.sum(part), 0) for part in parts)


def _milliseconds() -> int:
    return int(moments.now().timestamp() * 1000)
