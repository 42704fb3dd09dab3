"""Time zones by their names in the IANA database, and the days of their calendars as moments."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from portal.input.parameters import Refused

UTC_NAME = "UTC"

PERIODS = ("today", "month")
"""Days of the calendar as lists name them: today, or this month."""

MAX_ZONE = 64
"""Characters of a time zone's name."""

_AREAS = (
    *("Africa", "America", "Antarctica", "Arctic", "Asia"),
    *("Atlantic", "Australia", "Europe", "Indian", "Pacific"),
)
"""The database has more: names of countries and abbreviations, kept for old systems."""

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_A_DAY, _TICK = timedelta(days=1), timedelta(microseconds=1)


def time_zone(text: str) -> str:
    """The name of a time zone. Raises Refused."""
    if text != UTC_NAME and text not in _names():
        raise Refused("must be the IANA name of a time zone, such as Europe/Berlin.")
    return text


@cache
def zone_of(name: str) -> ZoneInfo:
    """The rules of a time zone that `time_zone` took."""
    return ZoneInfo(name)


def local_time(moment: datetime, zone: str) -> datetime:
    """What clocks in the zone show; at the ends of the calendar the nearest moment that there is."""
    try:
        return moment.astimezone(zone_of(zone))
    except OverflowError:
        return (_FIRST if moment.year == 1 else _LAST).replace(tzinfo=zone_of(zone))


def day_at(moment: datetime, zone: str) -> date:
    """The day in the zone at a moment."""
    return local_time(moment, zone).date()


def day_begins(day: date, zone: str) -> datetime:
    """The first moment of a day, in UTC: where clocks skip its midnight, when they do."""
    if day == date.min:
        return _FIRST
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone_of(zone))
    return midnight.astimezone(UTC)


def day_ends(day: date, zone: str) -> datetime:
    """The last moment of a day, in UTC: the one before the next day begins."""
    return _LAST if day == date.max else day_begins(day + _A_DAY, zone) - _TICK


def period_window(period: str, now: datetime, zone: str) -> tuple[datetime, datetime]:
    """The first and the last moment of one of PERIODS."""
    today = day_at(now, zone)
    if period == "today":
        return day_begins(today, zone), day_ends(today, zone)
    next_month = (today.replace(day=28) + 4 * _A_DAY).replace(day=1)
    return day_begins(today.replace(day=1), zone), day_ends(next_month - _A_DAY, zone)


@cache
def places() -> dict[str, dict[str, str]]:
    """The zones to choose from, without UTC: of each area the names, sorted, with the place in words."""
    by_area: dict[str, dict[str, str]] = {}
    for name in sorted(_names()):
        area, _, place = name.partition("/")
        if place and area in _AREAS:
            by_area.setdefault(area, {})[name] = place.replace("_", " ").replace("/", ": ")
    return by_area


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())
