"""What lines say of one field: the entries that may still count, and the one that does."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from portal.history.parsing.decoding import canonical
from portal.moments import format_moment

ENDING = frozenset({"status", "completed_at", "error", "outcome", "source_status", "exit_code"})
"""Fields of the end: what a line with an active state says of them never beats what one of an end says."""
EARLIEST = "started_at"


@dataclass(frozen=True, slots=True)
class Entry:
    """A value that a line gave a field."""

    at: int
    """When it was so, in microseconds since 1970."""
    rank: int
    """0 where the line has an active state, else 1: at the same moment an end beats an active state. Two more
    where the line replaces what was said before it."""
    value: object = field(compare=False)
    """The value as parsed; None where the line clears the field."""
    text: bytes
    """Its canonical JSON, by which values are compared: in Python, 1 and True are equal."""

    @classmethod
    def of(cls, at: int, rank: int, value: object) -> Self:
        return cls(at, rank, value, canonical(format_moment(value) if isinstance(value, datetime) else value))


REPLACES = 2
"""Added to the rank of what a line with `replace` says."""

Entries = tuple[Entry, ...]
"""Those that no later line could make irrelevant; the first one counts."""


def merge_entries(name: str, entries: Iterable[Entry]) -> Entries:
    """The entries of a field that may still count, the one that does first.

    An entry is dropped only if another one beats it and is no older: a line with `replace` may yet drop all
    older ones.
    """
    if name == EARLIEST:
        return _earliest(list(entries))
    key = _by_end if name in ENDING else _by_moment
    return _undominated(sorted(entries, key=key, reverse=True))


def _by_moment(entry: Entry) -> tuple[int, int, bytes]:
    return entry.at, entry.rank, entry.text


def _by_end(entry: Entry) -> tuple[int, int, int, bytes]:
    return entry.rank & 1, entry.at, entry.rank, entry.text


def _earliest(entries: list[Entry]) -> Entries:
    """The earliest start first; a start that a later line cleared does not count."""
    cleared = max((each for each in entries if each.value is None), key=_by_moment, default=None)
    starts = [
        each for each in entries if each.value is not None and (cleared is None or each.at > cleared.at)
    ]
    best = _undominated(sorted(starts, key=lambda each: (each.value, -each.at, -each.rank)))
    return (*best, cleared) if cleared else best


def _undominated(best_first: Iterable[Entry]) -> Entries:
    kept: list[Entry] = []
    for entry in best_first:
        if all(entry.at > better.at for better in kept):
            kept.append(entry)
    return tuple(kept)
