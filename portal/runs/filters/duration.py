"""The filter by how long a run took: both ends included (an addition to contract 3.1)."""

import re
from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Run
from portal.database.sql import statements
from portal.input.parameters import Args, Reader, Refused
from portal.runs.filters.filter import Chip, Filter, Schema

Range = tuple[int | None, int | None]
"""Milliseconds."""

_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}
_DIGITS = {"d": 7, "h": 8, "m": 9, "s": 11}
"""Few enough for every sum to be stored exactly, so that whatever the pattern allows is accepted."""
_PATTERN = "".join(f"(?:([0-9]{{1,{digits}}}){unit})?" for unit, digits in _DIGITS.items())
_WORDS = re.compile(_PATTERN)
_PLAIN = re.compile("[0-9]{1,15}")
_SCHEMA = {"type": "string", "pattern": f"^(?:{_PLAIN.pattern}|(?=[0-9]){_PATTERN})$"}
_SPAN = "such as 90s, 5m or 1h30m, or milliseconds as a plain number"


class DurationFilter(Filter[Range, tuple[bool, bool]]):
    """The shape is which of the two durations there are. Runs whose duration is not known never match."""

    schemas: ClassVar[Mapping[str, Schema]] = {
        "min_duration": {**_SCHEMA, "description": f"Took this long or longer: {_SPAN}."},
        "max_duration": {**_SCHEMA, "description": f"Took this long or shorter: {_SPAN}."},
    }
    labels: ClassVar[Mapping[str, str]] = {"min_duration": "Took at least", "max_duration": "Took at most"}
    empty = (None, None)
    fields = ("min_duration", "max_duration")

    def read(self, reader: Reader) -> Range:
        least: int | None = reader.read("min_duration", _milliseconds, None)
        most: int | None = reader.read("max_duration", _milliseconds, None)
        if least is not None and most is not None and least > most:
            reader.refuse("min_duration", "must not be longer than max_duration.")
        return least, most

    def write(self, value: Range) -> Args:
        return {
            name: "" if milliseconds is None else "".join(_parts(milliseconds))
            for name, milliseconds in zip(self.labels, value, strict=True)
        }

    def chips(self, value: Range) -> list[Chip[Range]]:
        least, most = value
        chips: list[Chip[Range]] = []
        if least is not None:
            chips.append(Chip(self.labels["min_duration"], _in_words(least), (None, most)))
        if most is not None:
            chips.append(Chip(self.labels["max_duration"], _in_words(most), (least, None)))
        return chips

    def shape(self, value: Range) -> tuple[bool, bool]:
        return value[0] is not None, value[1] is not None

    def conditions(self, shape: tuple[bool, bool]) -> list[sa.ColumnElement[bool]]:
        return _within(shape, Run.duration_ms)

    def scannable(self, shape: tuple[bool, bool]) -> list[sa.ColumnElement[bool]]:
        return _within(shape, sa.func.coalesce(Run.duration_ms, Run.duration_ms))

    def values(self, value: Range, workspace_id: UUID) -> statements.Values:
        return {field: each for field, each in zip(self.fields, value, strict=True) if each is not None}


def _within(
    shape: tuple[bool, bool], duration: sa.SQLColumnExpression[int | None]
) -> list[sa.ColumnElement[bool]]:
    least, most = (sa.bindparam(name, type_=sa.BigInteger()) for name in DurationFilter.fields)
    return [*([duration >= least] if shape[0] else []), *([duration <= most] if shape[1] else [])]


def _milliseconds(text: str) -> int:
    if _PLAIN.fullmatch(text):
        return int(text)
    found = _WORDS.fullmatch(text)
    if not text or not found:
        raise Refused(f"must be a duration {_SPAN}.")
    return sum(int(number or 0) * size for number, size in zip(found.groups(), _UNITS.values(), strict=True))


def _parts(milliseconds: int) -> list[str]:
    """A duration as the parameter takes it, unit by unit; plain milliseconds where it is no whole seconds."""
    if milliseconds % 1000 or not milliseconds:
        return [str(milliseconds)]
    parts = []
    for unit, size in _UNITS.items():
        number = min(milliseconds // size, 10 ** _DIGITS[unit] - 1)
        milliseconds -= number * size
        if number:
            parts.append(f"{number}{unit}")
    return parts


def _in_words(milliseconds: int) -> str:
    """The same for people: `1 h 30 m`."""
    if milliseconds % 1000 or not milliseconds:
        return f"{milliseconds:,} ms"
    return " ".join(f"{int(part[:-1]):,} {part[-1]}" for part in _parts(milliseconds))


DURATION = DurationFilter()
