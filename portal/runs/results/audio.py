"""The duration of a run's audio: by language, and of delivered and replaced takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Take, TakeStatus
from portal.database.sql import sums

_REPLACED = (TakeStatus.GENERATED, TakeStatus.NOT_DELIVERED)


@dataclass(frozen=True)
class LocaleAudio:
    """Audio in one language. A take without a duration counts as missing, not as zero."""

    locale_code: str
    delivered_lines: int
    delivered_ms: int
    delivered_missing: int
    replaced_ms: int
    replaced_missing: int


@dataclass(frozen=True)
class RunAudio:
    """Audio of a run by language."""

    locales: Sequence[LocaleAudio]

    def sum(self, name: str) -> int:
        """The sum of a LocaleAudio field over all languages."""
        return sum(getattr(each, name) for each in self.locales)

    @property
    def delivered_ms(self) -> int | None:
        """The duration of delivered takes; None if none has a duration."""
        known = self.sum("delivered_lines") - self.sum("delivered_missing")
        return self.sum("delivered_ms") if known else None

    @property
    def generated_ms(self) -> int | None:
        """The duration of delivered and replaced takes; None if a duration is missing."""
        if self.delivered_ms is None or self.sum("replaced_missing"):
            return None
        return self.delivered_ms + self.sum("replaced_ms")


@dataclass(frozen=True)
class DeliveredAudio:
    """The delivered audio in all languages."""

    milliseconds: int | None
    """The total duration; None if no take has a duration."""
    missing: int
    """Takes without a duration."""


def delivered_audio(run_id: UUID) -> DeliveredAudio:
    """The delivered audio of a run, in one row for any number of languages."""
    known = sa.func.coalesce(Take.duration_ms, 0) > 0
    low_half, high_half = (sums.total_in_sql(half, known) for half in sums.halves_in_sql(Take.duration_ms))
    count = sa.func.count().filter
    select = sa.select(count(known), count(~known), low_half, high_half)
    delivered = select.where(Take.run_id == run_id, Take.status == TakeStatus.DELIVERED)
    takes, missing, low, high = db.session.execute(delivered).one()
    return DeliveredAudio(sums.combine(low, high) if takes else None, missing)


def run_audio(run_id: UUID, limit: int | None = None) -> RunAudio:
    """The audio of a run in its first languages, or in all, without dropped takes; one query."""
    delivered, replaced = Take.status == TakeStatus.DELIVERED, Take.status.in_(_REPLACED)
    known = sa.func.coalesce(Take.duration_ms, 0) > 0
    halves = sums.halves_in_sql(Take.duration_ms)
    count = sa.func.count().filter
    columns = [
        *(count(delivered), count(delivered & ~known), count(replaced & ~known)),
        *(sums.total_in_sql(half, delivered & known) for half in halves),
        *(sums.total_in_sql(half, replaced & known) for half in halves),
    ]
    select = (
        sa.select(Take.locale_code, *columns)
        .where(Take.run_id == run_id, delivered | replaced)
        .group_by(Take.locale_code)
        .order_by(Take.locale_code)
        .limit(limit)
    )
    rows = [_locale(*row) for row in db.session.execute(select)]
    return RunAudio(sorted(rows, key=lambda each: each.locale_code))


def _locale(locale: str | None, lines: int, missing: int, replaced_missing: int, *halves: int) -> LocaleAudio:
    delivered, replaced = sums.combine(*halves[:2]), sums.combine(*halves[2:])
    return LocaleAudio(locale or "", lines, delivered, missing, replaced, replaced_missing)
