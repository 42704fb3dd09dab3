"""The differences between two JSON documents, by path. Pure functions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeGuard

from portal.database.sql.excerpts import cut
from portal.input.bounds import MAX_NUMBER

MAX_DEPTH = 12
"""Deeper values are compared as a unit."""

MAX_KEY = 100
"""Characters of each key in a path."""


@dataclass(frozen=True)
class Absent:
    """The value of a side that has no such member; null is a value."""


ABSENT = Absent()


@dataclass(frozen=True)
class Difference:
    """A value that differs between two runs."""

    name: str
    here: object
    there: object
    kind: str = "text"
    """Format of the values: text, status, number, duration (milliseconds) or score."""

    @property
    def change(self) -> int | float | None:
        """Here minus there, to three decimals; None unless both are numbers."""
        if self.kind in ("text", "status") or not (_is_number(self.here) and _is_number(self.there)):
            return None
        change = round(Fraction(self.here) - Fraction(self.there), 3)  # exact for any int and float
        is_integer = change.denominator == 1 or abs(change) > MAX_NUMBER
        return int(change) if is_integer else float(change)


def compared(name: str, here: object, there: object, kind: str = "text") -> list[Difference]:
    """The difference as a list of one, or an empty list."""
    return [] if here == there else [Difference(name, here, there, kind)]


def json_differences(here: object, there: object) -> Iterator[Difference]:
    """The leaves that differ, by path, such as `nodes.n1.config.voice`.

    List members that have ids are matched by id, not by position.
    """
    yield from _differences("", here, there, MAX_DEPTH)


def _differences(path: str, here: object, there: object, depth: int) -> Iterator[Difference]:
    if here == there and type(here) is type(there):
        return
    left, right = _members(here), _members(there)
    if left is None or right is None or not depth:
        kind = "number" if _is_number(here) and _is_number(there) else "text"
        yield Difference(path, here, there, kind)
        return
    for name in dict.fromkeys([*left, *right]):
        inner = f"{path}.{cut(name, MAX_KEY)}" if path else cut(name, MAX_KEY)
        yield from _differences(inner, left.get(name, ABSENT), right.get(name, ABSENT), depth - 1)


def _members(value: object) -> Mapping[str, object] | None:
    """The members by which a value is compared; None if it is compared as a unit."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        ids = [each.get("id") for each in value]
        if all(isinstance(each, str) for each in ids) and len(set(ids)) == len(ids):
            return dict(zip(ids, value, strict=True))
    return None


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
