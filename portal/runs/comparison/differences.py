"""What differs between two structures of JSON, by the paths to it. Pure functions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from portal.database.sql.excerpts import cut
from portal.input.bounds import MAX_NUMBER

MAX_DEPTH = 12
"""What lies deeper is compared as a whole."""

MAX_KEY = 100
"""Characters of each key of a path."""


@dataclass(frozen=True)
class Absent:
    """Stands where one side has nothing at all, not even null."""


ABSENT = Absent()


@dataclass(frozen=True)
class Difference:
    """Something that two runs do not have in common."""

    name: str
    here: Any
    there: Any
    kind: str = "text"
    """How it reads: text, status, number, duration (milliseconds) or score."""

    @property
    def change(self) -> int | float | None:
        """How much more it is here than there, to three decimals; None where that cannot be said."""
        if self.kind in ("text", "status") or not (_is_number(self.here) and _is_number(self.there)):
            return None
        change = round(Fraction(self.here) - Fraction(self.there), 3)  # exact, whatever the two are
        whole = change.denominator == 1 or abs(change) > MAX_NUMBER
        return int(change) if whole else float(change)


def compared(name: str, here: Any, there: Any, kind: str = "text") -> list[Difference]:
    """The difference, if there is one."""
    return [] if here == there else [Difference(name, here, there, kind)]


def json_differences(here: Any, there: Any) -> Iterator[Difference]:
    """The leaves that differ, each under its path, such as `nodes.n1.config.voice`.

    Members of a list that have an id are found by it, wherever they stand.
    """
    yield from _walk("", here, there, MAX_DEPTH)


def _walk(path: str, here: Any, there: Any, depth: int) -> Iterator[Difference]:
    if here == there and type(here) is type(there):
        return
    left, right = _members(here), _members(there)
    if left is None or right is None or not depth:
        kind = "number" if _is_number(here) and _is_number(there) else "text"
        yield Difference(path, here, there, kind)
        return
    for name in dict.fromkeys([*left, *right]):
        inner = f"{path}.{cut(name, MAX_KEY)}" if path else cut(name, MAX_KEY)
        yield from _walk(inner, left.get(name, ABSENT), right.get(name, ABSENT), depth - 1)


def _members(value: Any) -> Mapping[str, Any] | None:
    """What a structure is compared by; None for what is compared as a whole."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        ids = [each.get("id") for each in value]
        if all(isinstance(each, str) for each in ids) and len(set(ids)) == len(ids):
            return dict(zip(ids, value, strict=True))
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
