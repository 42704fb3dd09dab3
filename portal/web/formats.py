"""Template filters: how moments, durations, numbers and names read."""

import json
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from datetime import date as Date
from decimal import Decimal
from functools import lru_cache
from urllib.parse import urlencode

from flask import Flask, g
from markupsafe import Markup

from portal.input.time_zones import UTC_NAME, local_time
from portal.moments import elapsed_ms

NOTHING = "–"
"""Shown in place of a missing value."""

MANY_DIGITS, FEW_TENTHS = 10**18, 1e-4
"""Numbers this large or small are written as powers of ten."""
MAX_DURATION = 10**15
"""Larger values of a usage key such as `cpu_seconds` are shown as plain numbers."""

_INVISIBLE = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols that render blank: Hangul fillers and the empty Braille pattern."""
_UNQUOTED = "!$'()*,/:;?@"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ACRONYMS = {
    word.lower(): word
    for word in ("API", "CER", "CPU", "CSV", "GB", "GPU", "ID", "IPA", "KB", "LLM", "MB", "URL", "WER")
}
_IDS = {"id", "number", "iid", "pid", "port", "uid", "key"}
_IDS_IN_CAPITALS = ("Id", "ID", "Number")
_DURATIONS = {"ms": 1, "seconds": 1000, "minutes": 60_000}
_SIZES = {"bytes": "B", "kb": "kB", "mb": "MB", "gb": "GB"}


def number(value: int | float) -> str:
    """A number with thousands separators; a very large or small one as a power of ten: `1.8 × 10³⁰⁸`."""
    size = abs(value)
    if size >= MANY_DIGITS or 0 < size < FEW_TENTHS:
        digits, exponent = f"{Decimal(value):.2e}".split("e")
        return f"{digits.rstrip('0').rstrip('.')} × 10{str(int(exponent)).translate(_RAISED)}"
    return f"{value:,}" if isinstance(value, int) or value % 1 else f"{int(value):,}"


def zone_on_show() -> str:
    """The time zone whose days and times this request shows."""
    zone: str = g.get("zone_on_show", UTC_NAME)
    return zone


def show_in(zone: str) -> None:
    """Let this request show the days and times of a zone."""
    g.zone_on_show = zone


def date(moment: datetime) -> str:
    """The day in the zone on show, such as `3 Nov 2026`."""
    return day(local_time(moment, zone_on_show()).date())


def day(value: Date) -> str:
    """A day, such as `3 Nov 2026`."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def clock(moment: datetime) -> str:
    """The time of day in the zone on show, to the second."""
    return f"{local_time(moment, zone_on_show()):%H:%M:%S}"


def machine_moment(moment: datetime) -> str:
    """A moment for the `datetime` attribute."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def duration_ms(milliseconds: int | None) -> str:
    """A duration in its two largest units, such as `4 m 12 s`."""
    if milliseconds is None:
        return NOTHING
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds // 1000
    for unit, smaller, size, part in (("d", "h", 86400, 3600), ("h", "m", 3600, 60), ("m", "s", 60, 1)):
        if seconds >= size:
            return f"{seconds // size:,} {unit} {seconds % size // part:02d} {smaller}"
    return f"{seconds} s"


def round_duration_ms(milliseconds: int) -> str:
    """A duration for an axis: a zero second unit is dropped, as in `10 m`."""
    text = duration_ms(milliseconds) if milliseconds else "0"
    return text[:-5] if text[-5:-2] == " 00" else text


def span_ms(milliseconds: int) -> str:
    """About how long, in one unit and in words, such as `3 hours`; rounded down."""
    minutes = milliseconds // 60_000
    for unit, size in (("year", 525_600), ("month", 43_200), ("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes >= 2 * size or (minutes >= size and unit != "month"):
            count = minutes // size
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


@lru_cache(maxsize=1024)
def initials(name: str) -> str:
    """The initials of a name or e-mail address, in any script: one or two letters."""
    words = "".join(" " if c in ".-_" else c for c in name.split("@")[0]).split()
    letters = [letter for letter in map(_first_letter, words) if letter]
    return "".join(letters[:1] + letters[-1:] if len(letters) > 1 else letters).upper() or "?"


def _first_letter(word: str) -> str:
    """The first letter or digit of a word, with its combining marks."""
    for position, character in enumerate(word):
        if character.isalnum():
            rest = word[position + 1 :]
            marks = next((n for n, c in enumerate(rest) if not unicodedata.combining(c)), len(rest))
            return character + rest[:marks]
    return ""


def is_visible(text: str) -> bool:
    """Whether any character of the text renders."""
    return any(unicodedata.category(c)[0] in "LNPS" and c not in _INVISIBLE for c in text)


def named(name: str | None, id_: object = "") -> str:
    """A name to show; if it would render blank, the start of its id instead."""
    return name if name and is_visible(name) else f"Unnamed {str(id_)[:8]}".rstrip()


def humanize(key: str) -> str:
    """A key such as `api_calls` in words: `API calls`."""
    return " ".join(_ACRONYMS.get(word, word) for word in key.split("_"))


def names_id(key: str) -> bool:
    """Whether a number under this key is an id: written without separators, so that it can be copied."""
    return key.replace("-", "_").lower().rpartition("_")[2] in _IDS or key.endswith(_IDS_IN_CAPITALS)


def sentence(text: str) -> str:
    """The text with its first letter capitalised and the rest unchanged."""
    return text[:1].upper() + text[1:]


def usage(summary: Mapping[str, object] | None) -> list[str]:
    """The counts of a usage summary, each in words: `1,525 API calls`, `4 m 12 s CPU`, `512 MB memory`."""
    counts = ((key, value) for key, value in (summary or {}).items() if not isinstance(value, bool))
    return [_amount(key, value) for key, value in counts if isinstance(value, int | float)]


def _amount(key: str, value: int | float) -> str:
    subject, _, unit = key.rpartition("_")
    if subject and unit in _DURATIONS and 0 <= value <= MAX_DURATION:
        return f"{duration_ms(round(value * _DURATIONS[unit]))} {humanize(subject)}"
    if subject and unit in _SIZES:
        return f"{number(value)} {_SIZES[unit]} {humanize(subject)}"
    return f"{number(value)} {humanize(key)}"


def size(number_of_bytes: int) -> str:
    """The size of a file, such as `1.4 MB`."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number_of_bytes >= factor:
            return f"{number_of_bytes / factor:,.1f} {unit}"
    return f"{number_of_bytes} B"


def score(value: float | None) -> str:
    """A validator's score, such as `0.953`."""
    return NOTHING if value is None else f"{value:.3f}".rstrip("0").rstrip(".")


def change(value: float, kind: str) -> str:
    """A signed difference such as `+12 s`; `kind` is that of the `Difference`."""
    size_of = {"duration": lambda: duration_ms(round(abs(value))), "score": lambda: score(abs(value))}
    return ("+" if value > 0 else "−") + size_of.get(kind, lambda: number(abs(value)))()


def time_element(value: datetime | None, ago: bool = False) -> Markup | str:
    """The `<time>` of a moment, in the zone on show.

    With `ago` the script says how long ago it was if that is less than a day.
    """
    if value is None:
        return NOTHING
    return Markup(  # noqa: S704 - no text of anybody is in it
        f'<time datetime="{machine_moment(value)}"{" data-ago" if ago else ""}>'
        f'<span class="day">{date(value)}</span> <span class="clock">{clock(value)}</span></time>'
    )


def with_args(url: str, args: Mapping[str, str | list[str]]) -> str:
    """The address with these parameters, written as `url_for` writes them, which takes ten times as long."""
    return f"{url}?{urlencode(args, doseq=True, safe=_UNQUOTED)}" if args else url


def pretty_json(value: object, most: int) -> str:
    """Indented JSON, or its beginning: slightly more than the first `most` characters."""
    written, length = [], 0
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        written.append(part[: most + 1])
        length += len(part)
        if length > most:
            break
    return "".join(written)


def percent(share: float | None) -> str:
    """A share with one decimal, such as `96.8 %`; 0 % and 100 % only when exact."""
    if share is None:
        return NOTHING
    if share in (0, 1):
        return f"{share * 100:.0f} %"
    return f"{min(max(share * 100, 0.1), 99.9):.1f} %"


FILTERS: tuple[Callable[..., str | bool], ...] = (
    number,
    percent,
    day,
    date,
    clock,
    machine_moment,
    duration_ms,
    round_duration_ms,
    span_ms,
    initials,
    named,
    humanize,
    names_id,
    sentence,
    size,
    score,
    change,
    pretty_json,
    time_element,
    with_args,
)


def init_app(app: Flask) -> None:
    for function in FILTERS:
        app.add_template_filter(function)
    app.add_template_global(elapsed_ms)
    app.add_template_global(NOTHING, "NOTHING")  # type: ignore[arg-type]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
