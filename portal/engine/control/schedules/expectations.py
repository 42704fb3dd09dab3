"""When runs of a workflow are expected, and whether they are late.

Another system starts them, and somebody said when: by a cron expression in a zone, or that one comes at least
every so many seconds. Nothing is guessed from the runs themselves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Run
from portal.database.transactions import read
from portal.engine.control.schedules.cron_words import in_words, period_in_words
from portal.engine.control.schedules.expressions import comes_within_years, expression, moments_after
from portal.errors import InvalidQuery
from portal.input import sentences
from portal.input.parameters import Reader, Refused
from portal.input.time_zones import UTC_NAME, time_zone
from portal.moments import EPOCH

MIN_PERIOD = 60
MAX_SECONDS = 366 * 86_400
"""Of a period, and of the grace."""
EARLY = timedelta(minutes=1)
"""A run that comes this much too early counts as the one expected: clocks differ."""


@dataclass(frozen=True)
class Late:
    """A run that was expected and did not come."""

    expected: str
    """When runs are expected, as the rest of a sentence."""
    due_at: datetime
    last_at: datetime | None
    """When the latest run came; None if there never was one."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """When runs are expected: by `cron` in `zone`, or every `period` seconds; each `grace` seconds late."""

    cron: str | None = None
    zone: str = UTC_NAME
    period: int | None = None
    grace: int = 0

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Self:
        """Read what a line of history, a form or the database says. Raises InvalidQuery."""
        reader = Reader({name: value for name, value in values.items() if value is not None})
        found = cls(
            cron=reader.read("cron", _text(expression), None),
            zone=reader.read("zone", _text(time_zone), UTC_NAME),
            period=reader.read("period", _seconds(MIN_PERIOD), None),
            grace=reader.read("grace", _seconds(0), 0),
        )
        if (found.cron is None) == (found.period is None) and not reader.errors:
            reader.refuse("cron", "or period is required, and not both.")
        if not reader.errors and found.cron and not comes_within_years(found.cron, found.zone, EPOCH):
            reader.refuse("cron", "never comes.")
        reader.finish()
        return found

    def to_json(self) -> dict[str, object]:
        when = {"cron": self.cron, "zone": self.zone} if self.cron else {"period": self.period}
        return {**when, "grace": self.grace}

    @property
    def words(self) -> str:
        """Such as `every day at 02:00 (Europe/Berlin)`."""
        return period_in_words(self.period) if self.period else in_words(self.cron or "", self.zone)

    def late(self, last_at: datetime | None, since: datetime, now: datetime) -> Late | None:
        """What did not come after the latest run; without one, after `since`."""
        last = since if last_at is None else last_at
        due_at = self._next(last) if last < now else None
        if due_at is None or now - due_at < timedelta(seconds=self.grace):
            return None
        return Late(self.words, due_at, last_at)

    def _next(self, last: datetime) -> datetime | None:
        if self.period is not None:
            return last + timedelta(seconds=self.period)
        return next(moments_after(self.cron or "", self.zone, last + EARLY), None)


_LATEST = sa.select(sa.func.max(Run.created_at)).where(Run.workflow_id == sa.bindparam("workflow_id"))


def late_of(
    expected: Mapping[str, object] | None, last_at: datetime | None, since: datetime, now: datetime
) -> Late | None:
    """What is late of a workflow with this stored expectation; nothing where it cannot be read."""
    if expected is None:
        return None
    try:
        return Expectation.parse(expected).late(last_at, since, now)
    except InvalidQuery:
        return None


def latest_run_at(workflow_id: UUID) -> datetime | None:
    """When the latest run of a workflow was created."""
    moment: datetime | None = read(_LATEST, workflow_id=workflow_id).scalar()
    return moment


def _text(parse: Callable[[str], str]) -> Callable[[object], str]:
    def read_text(value: object) -> str:
        return parse(value if isinstance(value, str) else "")

    return read_text


def _seconds(least: int) -> Callable[[object], int]:
    def read_seconds(value: object) -> int:
        if type(value) is not int or not least <= value <= MAX_SECONDS:
            raise Refused(sentences.whole_number(least, MAX_SECONDS))
        return value

    return read_seconds
