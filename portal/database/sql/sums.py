"""Exact sums of BIGINT columns that may overflow 64 bits.

The low and high 32 bits are summed separately, so the sums of up to 2**31 values fit 64 bits each.
"""

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

_BigInt = sa.ColumnElement[int] | InstrumentedAttribute[int] | InstrumentedAttribute[int | None]

BITS = 32
LOW = (1 << BITS) - 1


def halves(value: int) -> tuple[int, int]:
    """Split a value into its low and high half."""
    return value & LOW, value >> BITS


def combine(low: int, high: int) -> int:
    """Combine the sums of the halves."""
    return (int(high) << BITS) + int(low)


def halves_in_sql(value: _BigInt) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    """The low and high half of a BIGINT expression."""
    return value.bitwise_and(sa.literal(LOW, sa.BigInteger())), value.bitwise_rshift(
        sa.literal(BITS, sa.Integer())
    )


def total_in_sql(part: _BigInt, where: sa.ColumnElement[bool] | None = None) -> sa.ColumnElement[int]:
    """The sum of one half over the rows that match a condition; 0 for no rows."""
    total = sa.func.sum(part)
    return sa.cast(sa.func.coalesce(total if where is None else total.filter(where), 0), sa.BigInteger)
