"""Parameters that may be repeated: filters of which any value counts, and pairs of sort key and direction."""

from collections.abc import Mapping, Sequence

from portal.input.parameters import Parser, Reader, Refused, Value, one_of

ORDERS = ("asc", "desc")
Sorts = tuple[tuple[str, str], ...]
"""Pairs of sort key and direction, the first of which counts most."""


def any_of(reader: Reader, name: str, values: Sequence[str], parse: Parser[Value]) -> tuple[Value, ...]:
    """Parse each value; none, with one error recorded, if any is invalid."""
    try:
        return tuple(parse(value) for value in values)
    except Refused as refusal:
        reader.refuse(name, str(refusal))
        return ()


def sorts(reader: Reader, keys: Sequence[str], orders: Sequence[str], natural: Mapping[str, str]) -> Sorts:
    """Pair sort keys and directions by position; a key without a direction takes its natural one."""
    any_of(reader, "sort", keys, one_of(tuple(natural)))
    any_of(reader, "order", orders, one_of(ORDERS))
    if len(orders) > len(keys):
        reader.refuse("order", "must not be given more often than sort.")
    given = list(orders) + [""] * len(keys)
    return tuple((key, order or natural.get(key, "asc")) for key, order in zip(keys, given, strict=False))
