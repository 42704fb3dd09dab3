"""Sums of whole numbers that may exceed 64 bits, exact on every database.

A value is added up in two halves of 32 bits: so the sums of up to 2**31 values fit 64 bits each, whatever
the values are.
"""

from typing import Any

import sqlalchemy as sa

BITS = 32
LOW = (1 << BITS) - 1


def halves(value: int) -> tuple[int, int]:
    """The low and the high half of a value."""
    return value & LOW, value >> BITS


def whole(low: int, high: int) -> int:
    """The sum of which these are the sums of the halves."""
    return (int(high) << BITS) + int(low)


def halves_in_sql(value: Any) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    """The low and the high half of a column of whole numbers."""
    return value.bitwise_and(sa.literal(LOW, sa.BigInteger())), value.bitwise_rshift(
        sa.literal(BITS, sa.Integer())
    )


def total_in_sql(part: Any, where: sa.ColumnElement[bool] | None = None) -> sa.ColumnElement[int]:
    """The sum of one half, of the rows where a condition holds; 0 for none."""
    total: Any = sa.func.sum(part)
    return sa.cast(sa.func.coalesce(total if where is None else total.filter(where), 0), sa.BigInteger)
