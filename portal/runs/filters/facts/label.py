"""The filter by labels, all of which a run has to have (an addition to contract 3.1)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.sql import statements
from portal.input.parameters import MAX_TEXT, Args, Reader, Refused
from portal.runs.facts.terms import label_term
from portal.runs.filters.facts.exact_text import exact
from portal.runs.filters.facts.having_term import has_term, having_term
from portal.runs.filters.filter import Chip, Filter, Schema
from portal.runs.scope import Kind

MOST = 10
"""Labels that one list may ask for."""


class LabelFilter(Filter[tuple[str, ...], int]):
    """The shape is the number of labels."""

    schemas: ClassVar[Mapping[str, Schema]] = {
        "label": {
            "type": "array",
            "items": {"type": "string", "maxLength": MAX_TEXT, "pattern": "^[^\\x00=][^\\x00]*=[^\\x00]*$"},
            "maxItems": MOST,
            "description": "key=value, given once for each label: runs that have all of these.",
        }
    }
    labels: ClassVar[Mapping[str, str]] = {"label": "Label"}
    repeats = True
    empty = ()

    def read(self, reader: Reader) -> tuple[str, ...]:
        return reader.read("label", _labels, ())

    def write(self, value: tuple[str, ...]) -> Args:
        return {"label": list(value)}

    def chips(self, value: tuple[str, ...]) -> list[Chip[tuple[str, ...]]]:
        return [
            Chip("Label", f"“{label}”", tuple(each for each in value if each != label)) for label in value
        ]

    def shape(self, value: tuple[str, ...]) -> int:
        return len(value)

    def conditions(self, shape: int) -> list[sa.ColumnElement[bool]]:
        return self.conditions_in(Kind.WORKFLOW, shape)

    def conditions_in(self, kind: Kind, shape: int) -> list[sa.ColumnElement[bool]]:
        return [having_term(kind, f"label_{index}") for index in range(shape)]

    def checks(self, shape: int) -> list[sa.ColumnElement[bool]]:
        return [has_term(f"label_{index}") for index in range(shape)]

    def values(self, value: tuple[str, ...], workspace_id: UUID) -> statements.Values:
        return {f"label_{index}": label_term(label) for index, label in enumerate(value)}


def _labels(given: str | Sequence[str]) -> tuple[str, ...]:
    labels = dict.fromkeys([given] if isinstance(given, str) else given)
    if len(labels) > MOST:
        raise Refused(f"must be given at most {MOST} times.")
    for label in labels:
        if not label.partition("=")[1] or label.startswith("="):
            raise Refused("must be a key, = and a value, such as env=prod.")
        exact(label, MAX_TEXT)
    return tuple(labels)


LABEL = LabelFilter()
