"""A chart of runs per day: failed runs below the line, all others above it, legible without colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from portal.input.time_zones import day_begins, day_ends
from portal.moments import format_moment
from portal.pages.days import window_of
from portal.runs.counts import Day
from portal.runs.statuses import RunStatus
from portal.web import formats

STEP, BAR, HEIGHT = 10, 7, 64
"""Units of the drawing: from day to day, a bar's width, and the room for the largest day."""

LEAST = 1.5
"""A day with a run is never invisible."""


@dataclass(frozen=True)
class Bar:
    """One day: its position, its text, and the lengths of its bars above and below the line."""

    x: int
    day: date
    total: int
    failed: int
    above: float
    below: float
    zone: str

    @property
    def text(self) -> str:
        runs = f"{formats.number(self.total)} {'run' if self.total == 1 else 'runs'}"
        failed = f", {formats.number(self.failed)} failed" if self.failed else ""
        return f"{formats.day(self.day)}: {runs}{failed}"

    @property
    def query(self) -> str:
        """The query string of the list of this day's runs; a page has two links for each day."""
        return urlencode(window_of(self.day, self.day, self.zone), safe=":")


@dataclass(frozen=True)
class DayChart:
    zone: str
    """The time zone of the days."""
    bars: Sequence[Bar]
    line: float
    """Distance of the line from the top."""

    @property
    def end_of_earlier(self) -> str:
        """The moment before the first day, as the parameter of a list."""
        return format_moment(day_ends(_day_relative_to(self.bars[0].day, -1), self.zone))

    @property
    def begin_of_later(self) -> str:
        """The moment after the last day."""
        return format_moment(day_begins(_day_relative_to(self.bars[-1].day, 1), self.zone))

    @property
    def width(self) -> int:
        return STEP * len(self.bars)

    @property
    def height(self) -> int:
        return HEIGHT + 2

    @property
    def above(self) -> str:
        """The bars above the line, as one path."""
        return "".join(_box(bar.x, self.line - bar.above, bar.above) for bar in self.bars if bar.above)

    @property
    def below(self) -> str:
        """The bars below the line, as one path."""
        return "".join(_box(bar.x, self.line + 1, bar.below) for bar in self.bars if bar.below)

    @property
    def text(self) -> str:
        """The text alternative of the drawing."""
        total, failed = sum(bar.total for bar in self.bars), sum(bar.failed for bar in self.bars)
        first, last = self.bars[0].day, self.bars[-1].day
        return (
            f"Runs per day in {self.zone}, {formats.day(first)} to {formats.day(last)}: "
            f"{formats.number(total)} in all, {formats.number(failed)} failed"
        )


def draw(days: Sequence[Day], zone: str) -> DayChart:
    """The chart of these days of a time zone, at least one."""
    failed = [day.counts[RunStatus.FAILED] for day in days]
    rest = [day.total - bad for day, bad in zip(days, failed, strict=True)]
    unit = HEIGHT / max(1, max(rest) + max(failed))
    bars = [
        Bar(STEP * index, day.day, day.total, bad, _length(well, unit), _length(bad, unit), zone)
        for index, (day, well, bad) in enumerate(zip(days, rest, failed, strict=True))
    ]
    return DayChart(zone, bars, _length(max(rest), unit))


def _day_relative_to(day: date, days: int) -> date:
    """A day relative to this one, clamped to the range of dates."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))


def _length(runs: int, unit: float) -> float:
    return round(max(LEAST, runs * unit), 1) if runs else 0


def _box(x: int, y: float, height: float) -> str:
    return f"M{x} {y:.1f}h{BAR}v{height:.1f}h-{BAR}z"
