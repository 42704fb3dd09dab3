"""Timestamps as text: RFC 3339 in, RFC 3339 in UTC out."""

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DAY_PATTERN = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
"""A date as RFC 3339 writes it; the length of months is checked later."""

PATTERN = (
    f"({DAY_PATTERN})[Tt]((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])"
    r"(?:\.([0-9]{1,9}))?(Z|z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
"""An RFC 3339 timestamp without leap seconds."""
_MOMENT = re.compile(PATTERN)

_MILLISECOND = timedelta(milliseconds=1)


def parse_moment(text: str) -> datetime:
    """Parse an RFC 3339 timestamp; digits past the microsecond are dropped.

    Raises ValueError for anything else, including a timestamp without an offset.
    """
    if _is_plain(text):
        return datetime.fromisoformat(text)
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 moment")
    date, time, fraction, offset = match.groups()
    offset = "+00:00" if offset in "Zz" else offset
    microseconds = (fraction or "0").ljust(6, "0")[:6]
    try:
        return datetime.fromisoformat(f"{date}T{time}.{microseconds}{offset}").astimezone(UTC)
    except OverflowError:
        raise ValueError("outside the calendar") from None


def _is_plain(text: str) -> bool:
    """Whether a text has the most common shape, which `fromisoformat` parses strictly: the fast path."""
    if len(text) == 24:
        return text[4:20:3] == "--T::." and text[23] == "Z" and text[11:13] != "24"
    return len(text) == 20 and text[4::3] == "--T::Z" and text[11:13] != "24"


def format_moment(moment: datetime) -> str:
    """Format a timestamp in UTC with `Z`, without a fraction of zero (contract 1.2)."""
    text = (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat()[: -len("+00:00")]
    return (text.rstrip("0") if "." in text else text) + "Z"


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def elapsed_ms(begin: datetime | None, end: datetime | None, paused_ms: int | None = None) -> int | None:
    """Milliseconds from begin to end without pauses; None if unknown or negative."""
    if begin is None or end is None:
        return None
    elapsed = (end - begin) // _MILLISECOND - (paused_ms or 0)
    return elapsed if elapsed >= 0 else None
