"""Conversions that readers share: times, durations, links, texts that may be too long, labels."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import blake2b
from urllib.parse import urlsplit

from portal import moments
from portal.input import bounds

MAX_EXTERNAL_ID, MAX_LINK, MAX_LABELS = 255, 2000, 50
_FIELDS_OF_DURATION = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.(\d+))?")
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_WORDS_OF_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|m|h|d)")


def from_milliseconds(count: float) -> str:
    """A moment that is given in milliseconds since 1970. Raises OverflowError."""
    return moments.format_moment(moments.EPOCH + timedelta(microseconds=round(count * 1000)))


def from_seconds(count: float) -> str:
    """A moment that is given in seconds since 1970. Raises OverflowError."""
    return moments.format_moment(moments.EPOCH + timedelta(microseconds=round(count * 1_000_000)))


def local(text: str, forms: Iterable[str], zone: tzinfo) -> str:
    """A time without a zone, in one of these forms of `strptime`. Raises ValueError.

    Where clocks were set back and an hour came twice, the first of the two is meant.
    """
    for form in forms:
        try:
            said = datetime.strptime(text, form)
        except ValueError:
            continue
        return moments.format_moment((said if said.tzinfo else said.replace(tzinfo=zone)).astimezone(UTC))
    raise ValueError("is no time of these forms")


def later(moment: str, milliseconds: float) -> str:
    """The moment so much later. Raises OverflowError."""
    return moments.format_moment(
        moments.parse_moment(moment) + timedelta(microseconds=round(milliseconds * 1000))
    )


def between(begin: str, end: str) -> timedelta:
    return moments.parse_moment(end) - moments.parse_moment(begin)


def earliest(found: Iterable[str | None]) -> str | None:
    """The earliest of these moments."""
    return min((each for each in found if each), key=moments.parse_moment, default=None)


def latest(found: Iterable[str | None]) -> str | None:
    return max((each for each in found if each), key=moments.parse_moment, default=None)


def clock_duration(text: str) -> int | None:
    """Milliseconds of `[days-][hours:]minutes:seconds`; None for anything else."""
    match = _FIELDS_OF_DURATION.fullmatch(text)
    if not match:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:4])
    thousandths = int((match[5] or "0").ljust(3, "0")[:3])
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + thousandths


def worded_duration(text: str) -> int | None:
    """Milliseconds of `2d 3h 9m 29.5s` or of a bare number of them; None for anything else."""
    if re.fullmatch(r"\d+", text):
        return int(text)
    found = _WORDS_OF_DURATION.findall(text)
    if not found or _WORDS_OF_DURATION.sub("", text).strip():
        return None
    return round(sum(float(count) * _UNITS[unit] for count, unit in found))


def link(text: str | None) -> str | None:
    """A link that may be shown: http or https, a host, not too long; else None."""
    if text is None or len(text) > MAX_LINK or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # also of a port that is no number
        return None
    return text if parts.scheme in ("http", "https") and has_host else None


def cut(text: str | None, longest: int) -> str | None:
    """A text, with an ellipsis for what does not fit."""
    return text if text is None or len(text) <= longest else text[: longest - 1] + "…"


def identifier(text: str, longest: int = MAX_EXTERNAL_ID) -> str:
    """An id as lines may have it: a long one ends with its digest."""
    if len(text) <= longest:
        return text
    digest = blake2b(text.encode(errors="backslashreplace"), digest_size=16).hexdigest()
    return f"{text[: longest - len(digest) - 1]}~{digest}"


def workflow(name: str, **more: object) -> dict[str, object]:
    """A workflow as a run names it. A long name is cut, and then identifies it as a whole."""
    if len(name) > bounds.MAX_WORKFLOW_NAME and "external_id" not in more:
        more["external_id"] = identifier(name)
    return {"name": cut(name, bounds.MAX_WORKFLOW_NAME), **more}


def labels(found: Mapping[str, object]) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    """The values that can be labels, and those that cannot, None where there are none."""
    fitting: dict[str, object] = {
        name: value
        for name, value in found.items()
        if isinstance(value, str | bool | int | float) and len(str(value)) <= 200 and 0 < len(name) <= 100
    }
    chosen = dict(list(fitting.items())[:MAX_LABELS])
    return chosen or None, {name: value for name, value in found.items() if name not in chosen} or None


def person(system: str, name: str, identifier: str | None = None, **more: object) -> dict[str, object]:
    """Who triggered a run: ids of different systems are kept apart by the system's name."""
    source_id = cut(f"{system}:{identifier or name}", bounds.MAX_PERSON_ID)
    return {"id": source_id, "name": cut(name, bounds.MAX_PERSON_NAME), **more}
