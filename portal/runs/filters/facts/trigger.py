"""The filter by what started a run (an addition to contract 3.1)."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Run
from portal.database.sql import statements
from portal.input.parameters import Args, Reader, Refused
from portal.runs.facts.outcomes import TRIGGER_WORDS, TRIGGERS
from portal.runs.filters.filter import Chip, Filter, Schema

UNKNOWN = "unknown"
CHOICES = (*TRIGGERS, UNKNOWN)
WORDS: Mapping[str, str] = {**TRIGGER_WORDS, UNKNOWN: "Unknown"}


class TriggerFilter(Filter[tuple[str, ...], tuple[int, bool]]):
    """The shape is the number of known triggers, and whether unknown ones count."""

    schemas: ClassVar[Mapping[str, Schema]] = {
        "trigger": {
            "type": "array",
            "items": {"type": "string", "enum": list(CHOICES)},
            "minItems": 1,
            "description": "One or more, separated by commas: what started the run, as far as is known.",
        }
    }
    labels: ClassVar[Mapping[str, str]] = {"trigger": "Started by"}
    empty = ()

    def read(self, reader: Reader) -> tuple[str, ...]:
        return reader.read("trigger", _triggers, ())

    def write(self, value: tuple[str, ...]) -> Args:
        return {"trigger": ",".join(value)}

    def chips(self, value: tuple[str, ...]) -> list[Chip[tuple[str, ...]]]:
        return [Chip("Started by", " or ".join(WORDS[each] for each in value), ())] if value else []

    def shape(self, value: tuple[str, ...]) -> tuple[int, bool]:
        return len(_known(value)), UNKNOWN in value

    def conditions(self, shape: tuple[int, bool]) -> list[sa.ColumnElement[bool]]:
        known, unknown = shape
        bound = [sa.bindparam(f"trigger_{index}", type_=sa.String()) for index in range(known)]
        if not known:
            return [Run.trigger.is_(None)]
        if unknown:
            return [Run.trigger.is_(None) | Run.trigger.in_(bound)]
        return [Run.trigger.is_not(None), Run.trigger.in_(bound)]

    def values(self, value: tuple[str, ...], workspace_id: UUID) -> statements.Values:
        return {f"trigger_{index}": each for index, each in enumerate(_known(value))}


def _known(value: tuple[str, ...]) -> list[str]:
    return [each for each in value if each != UNKNOWN]


def _triggers(text: str) -> tuple[str, ...]:
    tokens = text.split(",")
    if any(token not in CHOICES for token in tokens):
        raise Refused(f"must be a comma-separated list of {', '.join(CHOICES)}, without blanks.")
    return tuple(sorted(dict.fromkeys(tokens), key=CHOICES.index))


TRIGGER = TriggerFilter()
