"""Cron expressions: what they may say, and the moments at which they come.

Moments follow Debian's cron where clocks change. An expression whose minutes or hours begin with `*` follows
real time: what lies in the hour that is skipped does not come, what lies in the repeated hour comes twice.
Any other one comes once a day of its calendar: right after the skipped hour, and in the first of the two.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from cronsim import CronSim, CronSimError

from portal.input.parameters import Refused
from portal.input.time_zones import zone_of
from portal.moments import EPOCH

MAX_EXPRESSION = 100
"""Characters of an expression."""
EXAMPLE = "30 6 * * MON-FRI"
HORIZON = timedelta(days=5 * 365)
"""An expression must come within this time."""

_FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, L for the last day or LW for the last weekday"),
    ("month", "1 to 12 or JAN to DEC"),
    ("day of the week", "0 to 7 or SUN to SAT, with #2 for the second of a month or L for the last"),
)
_MAX_SHOWN = 20
"""Characters of a field that a refusal repeats."""


def expression(text: str) -> str:
    """The expression with single spaces and upper-case names. Raises Refused."""
    fields = text.upper().split()
    if len(fields) != len(_FIELDS) or not text.isascii() or len(text) > MAX_EXPRESSION:
        names = ", ".join(name for name, _ in _FIELDS)
        raise Refused(
            f"must have five fields in at most {MAX_EXPRESSION} characters: {names}; such as {EXAMPLE}. "
            "More often than once a minute is not possible."
        )
    for place, field in enumerate(fields):
        _check_field(place, field)
    try:
        CronSim(" ".join(fields), EPOCH)
    except CronSimError:
        raise Refused("must name a day that one of its months has.") from None
    return " ".join(fields)


def moments_after(cron: str, zone: str, after: datetime) -> Iterator[datetime]:
    """The moments of a valid expression after this one, in UTC, for about fifty years."""
    last = after
    for local in CronSim(cron, after.astimezone(zone_of(zone))):
        moment = local.astimezone(UTC)
        exists = moment.astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None)
        if exists and moment > last:
            last = moment
            yield moment


def next_moments(cron: str, zone: str, after: datetime, count: int) -> list[datetime]:
    """The next moments of a valid expression."""
    return list(islice(moments_after(cron, zone, after), count))


def comes_within_years(cron: str, zone: str, now: datetime) -> bool:
    """Whether a valid expression comes within `HORIZON`."""
    first = next(moments_after(cron, zone, now), None)
    return first is not None and first <= now + HORIZON


def _check_field(place: int, field: str) -> None:
    """Refuse a field that is wrong whatever the others say. Raises Refused."""
    others = ["*"] * len(_FIELDS)
    others[place] = field
    try:
        CronSim(" ".join(others), EPOCH)
    except CronSimError:
        name, allowed = _FIELDS[place]
        raise Refused(
            f"has {field[:_MAX_SHOWN]} as {name}, which must be {allowed}; "
            "lists, ranges and steps are written 1,15 and 1-5 and */2."
        ) from None
