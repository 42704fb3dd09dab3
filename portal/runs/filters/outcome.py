"""The filter by outcome: one or more of those that history names (an addition to contract 3.1)."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Run
from portal.database.sql import statements
from portal.input.parameters import Args, Reader, Refused
from portal.runs.facts.outcomes import OUTCOME_WORDS, OUTCOMES
from portal.runs.filters.filter import Chip, Filter, Schema


class OutcomeFilter(Filter[tuple[str, ...], int]):
    """The shape is the number of outcomes."""

    schemas: ClassVar[Mapping[str, Schema]] = {
        "outcome": {
            "type": "array",
            "items": {"type": "string", "enum": list(OUTCOMES)},
            "minItems": 1,
            "description": "One or more, separated by commas: runs of which history names one of these.",
        }
    }
    labels: ClassVar[Mapping[str, str]] = {"outcome": "Outcome"}
    empty = ()

    def read(self, reader: Reader) -> tuple[str, ...]:
        return reader.read("outcome", _outcomes, ())

    def write(self, value: tuple[str, ...]) -> Args:
        return {"outcome": ",".join(value)}

    def chips(self, value: tuple[str, ...]) -> list[Chip[tuple[str, ...]]]:
        return [Chip("Outcome", " or ".join(OUTCOME_WORDS[each] for each in value), ())] if value else []

    def shape(self, value: tuple[str, ...]) -> int:
        return len(value)

    def conditions(self, shape: int) -> list[sa.ColumnElement[bool]]:
        # The index has only the runs with an outcome; PostgreSQL sees no use for it where this is not said.
        bound = [sa.bindparam(f"outcome_{index}", type_=sa.String()) for index in range(shape)]
        return [Run.outcome.is_not(None), Run.outcome.in_(bound)]

    def values(self, value: tuple[str, ...], workspace_id: UUID) -> statements.Values:
        return {f"outcome_{index}": each for index, each in enumerate(value)}


def _outcomes(text: str) -> tuple[str, ...]:
    tokens = text.split(",")
    if any(token not in OUTCOMES for token in tokens):
        raise Refused(f"must be a comma-separated list of {', '.join(OUTCOMES)}, without blanks.")
    return tuple(sorted(dict.fromkeys(tokens), key=OUTCOMES.index))


OUTCOME = OutcomeFilter()
