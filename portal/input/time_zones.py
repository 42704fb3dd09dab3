"""Names of time zones, as the IANA database has them."""

from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from portal.input.parameters import Refused

UTC_NAME = "UTC"

_AREAS = (
    *("Africa", "America", "Antarctica", "Arctic", "Asia"),
    *("Atlantic", "Australia", "Europe", "Indian", "Pacific"),
)
"""The database has more: names of countries and abbreviations, kept for old systems."""


def time_zone(text: str) -> str:
    """The name of a time zone. Raises Refused."""
    if text != UTC_NAME and text not in _names():
        raise Refused("must be the IANA name of a time zone, such as Europe/Berlin.")
    return text


@cache
def zone_of(name: str) -> ZoneInfo:
    """The rules of a time zone that `time_zone` took."""
    return ZoneInfo(name)


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
