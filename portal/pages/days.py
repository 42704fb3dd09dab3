"""Days of the zone on show as exact moments: what addresses carry and services take."""

import re
from datetime import date, datetime

from portal.input.time_zones import day_at, day_begins, day_ends, period_window
from portal.moments import DAY_PATTERN, format_moment, parse_moment
from portal.web import formats

_DAY = re.compile(DAY_PATTERN)


def moment_of_day(text: str, *, last: bool) -> str:
    """The first moment of a day of the zone on show, or its last; another text as it is."""
    day = _day(text)
    if day is None:
        return text
    zone = formats.zone_on_show()
    return format_moment(day_ends(day, zone) if last else day_begins(day, zone))


def day_of_moment(text: str, *, last: bool) -> str:
    """The day whose first moment, or last, this is; another text as it is."""
    try:
        day = day_at(parse_moment(text), formats.zone_on_show()).isoformat()
    except ValueError:
        return text
    return day if parse_moment(moment_of_day(day, last=last)) == parse_moment(text) else text


def window_of(first: date, last: date, zone: str) -> dict[str, str]:
    """The parameters of the list of runs from one day to another."""
    return {"from": format_moment(day_begins(first, zone)), "to": format_moment(day_ends(last, zone))}


def window_of_period(period: str, now: datetime) -> dict[str, str]:
    """The same of one of PERIODS in the zone on show."""
    begin, end = period_window(period, now, formats.zone_on_show())
    return {"from": format_moment(begin), "to": format_moment(end)}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
