"""The days, weeks and months that usage is added up by, as the calendar of a time zone has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, Self

from portal.input import parameters
from portal.input.parameters import Reader
from portal.input.time_zones import day_at, day_begins, time_zone

RANGES = {"30d": 30, "60d": 60, "90d": 90}
VIEWS = ("daily", "weekly", "monthly")
DEFAULT_RANGE, DEFAULT_VIEW, DEFAULT_ZONE = "30d", "daily", "UTC"
_DAYS, _WEEKS, _MONTHS = 7, 12, 12
_A_DAY = timedelta(days=1)

Unit = Literal["day", "week", "month"]


@dataclass(frozen=True)
class Bucket:
    """Whole days in a row, as moments in UTC: from `start` up to, but not including, `end`."""

    first: date
    label: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Chart:
    """The buckets of a view, oldest first, the last one holding today."""

    unit: Unit
    label: str
    buckets: Sequence[Bucket]

    @property
    def start(self) -> datetime:
        return self.buckets[0].start

    @property
    def end(self) -> datetime:
        return self.buckets[-1].end


@dataclass(frozen=True)
class UsageQuery:
    """Which days of which calendar."""

    range: str
    view: str | None
    """What the request named; None if it named none."""
    zone: str

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Parse query parameters. Raises InvalidQuery."""
        reader = Reader(args)
        query = cls.read(reader)
        reader.finish()
        return query

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the same beside other parameters; errors are the reader's."""
        return cls(
            range=reader.read("range", parameters.one_of(tuple(RANGES)), DEFAULT_RANGE),
            view=reader.read("activity_view", parameters.one_of(VIEWS), None),
            zone=reader.read("timezone", time_zone, DEFAULT_ZONE),
        )

    def days(self, now: datetime) -> Chart:
        """Each of the last days, today included, whether or not they are over."""
        today, length = self._today(now), RANGES[self.range]
        firsts = [today - timedelta(days=back) for back in range(length, -1, -1)]
        return self._chart("day", f"Last {length} days", [day + _A_DAY for day in firsts], "%a")

    def view_of(self, now: datetime) -> Chart:
        """The buckets of the view: 7 days, 12 weeks that begin on Mondays, or 12 months."""
        today = self._today(now)
        if self.view == "weekly":
            monday = today - timedelta(days=today.weekday())
            firsts = [monday + timedelta(weeks=number) for number in range(1 - _WEEKS, 2)]
            return self._chart("week", f"Last {_WEEKS} weeks", firsts, "Week %V")
        if self.view == "monthly":
            month = today.year * 12 + today.month - 1
            numbers = range(month - _MONTHS + 1, month + 2)
            firsts = [date(number // 12, number % 12 + 1, 1) for number in numbers]
            return self._chart("month", f"Last {_MONTHS} months", firsts, "%b")
        firsts = [today + timedelta(days=number) for number in range(1 - _DAYS, 2)]
        return self._chart("day", f"Last {_DAYS} days", firsts, "%a")

    def _today(self, now: datetime) -> date:
        return day_at(now, self.zone)

    def _chart(self, unit: Unit, label: str, firsts: Sequence[date], form: str) -> Chart:
        """Buckets between these days, the last of which is past the end."""
        moments = [day_begins(day, self.zone) for day in firsts]
        buckets = [
            Bucket(first, first.strftime(form), start, end)
            for first, start, end in zip(firsts, moments, moments[1:], strict=False)
        ]
        return Chart(unit, label, buckets)
