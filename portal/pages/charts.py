"""The geometry of charts: positions and sizes of values, in percent. Pure functions."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_STEPS = (
    *(base * scale for scale in (1, 10, 100) for base in (1, 2, 5)),
    *(_SECOND * size for size in (1, 2, 5, 10, 15, 30)),
    *(_MINUTE * size for size in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * size for size in (1, 2, 3, 6, 12)),
    *(_DAY * base * size for base in (10**power for power in range(7)) for size in (1, 2, 5)),
)
"""Distances between ticks of a time axis, in milliseconds, that people count in; enough for all of time."""


@dataclass(frozen=True)
class Scale:
    """A linear scale: maps values between two ends to 0 to 100 percent."""

    begin: float
    end: float

    def at(self, value: float) -> float:
        """The position of a value, clamped to the ends."""
        share = (value - self.begin) / (self.end - self.begin) if self.end > self.begin else 0.0
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def between(self, begin: float, end: float) -> float:
        """The distance from begin to end."""
        return round(self.at(end) - self.at(begin), 2)


@dataclass(frozen=True)
class Tick:
    at: float
    value: int


@dataclass(frozen=True)
class Piece:
    """A segment of a stacked bar: its position, size, kind and value."""

    at: float
    size: float
    kind: str
    value: int = 0


def time_ticks(begin: int, end: int, most: int = 6) -> list[Tick]:
    """Round moments between two ends, in milliseconds, at most `most` of them."""
    scale = Scale(begin, end)
    step = next((step for step in _STEPS if (end - begin) / step <= most), _STEPS[-1])
    first = -(-begin // step) * step
    return [Tick(scale.at(value), value) for value in range(first, end + 1, step)][: most + 1]


def count_ticks(highest: int, most: int = 4) -> list[Tick]:
    """Round counts from zero to at least the highest; the last one is the top of the chart."""
    step = _round_up(max(highest, 1) / most)
    top = -(-max(highest, 1) // step) * step
    scale = Scale(0, top)
    return [Tick(scale.at(value), value) for value in range(0, top + 1, step)]


def stack(counts: Iterable[tuple[str, int]], top: int) -> list[Piece]:
    """The parts of a column from the ground up; empty ones are left out."""
    pieces, ground = [], 0
    scale = Scale(0, top)
    for kind, count in counts:
        if count:
            pieces.append(Piece(scale.at(ground), scale.between(ground, ground + count), kind, count))
        ground += count
    return pieces


def merge(bars: Iterable[tuple[int, int]], scale: Scale, least: float = 0.3) -> list[tuple[float, float]]:
    """Position and width of bars. Those that touch become one, so that their number has a bound.

    No bar is narrower than `least`, so that even a moment can be seen.
    """
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(bars):
        at = min(scale.at(begin), 100 - least)
        stop = max(scale.at(end), at + least)
        if merged and at <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((at, stop))
    return [(at, round(stop - at, 2)) for at, stop in merged]


@dataclass(frozen=True)
class Bin:
    """A class of a histogram: from `low` up to, but without, `high`."""

    low: int
    high: int
    count: int


def histogram(values: Sequence[int], most: int = 24) -> list[Bin]:
    """How often values fall into classes whose widths people count in; the longest few share the last.

    The scale ends at the 98th percentile, or one odd value would leave all others in one class.
    """
    if not values:
        return []
    ordered = sorted(values)
    low, high = ordered[0], ordered[min(math.ceil(len(ordered) * 0.98), len(ordered)) - 1]
    step = next((step for step in _STEPS if (high - low) / step < most - 1), _STEPS[-1])
    first, last = low // step, high // step
    counts = [0] * (last - first + 1)
    for value in ordered:
        counts[min(value // step, last) - first] += 1
    bins = [Bin((first + n) * step, (first + n + 1) * step, count) for n, count in enumerate(counts)]
    bins[-1] = Bin(bins[-1].low, max(bins[-1].high, ordered[-1]), bins[-1].count)
    return bins


def _round_up(value: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50, …"""
    power = 10 ** max(math.floor(math.log10(value)), 0) if value > 0 else 1
    return int(next(size * power for size in (1, 2, 5, 10) if size * power >= value))
