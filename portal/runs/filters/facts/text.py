"""The filter by a text: part of title, label values, branch, commit or error, or the run's number.

It is an addition to contract 3.1.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.database.engine import db
from portal.database.models import Run, RunText
from portal.database.sql import statements, text_index
from portal.input import sentences
from portal.input.bounds import MAX_BIGINT
from portal.input.parameters import Args, Reader, Refused
from portal.input.text import STORABLE_PATTERN, is_storable
from portal.runs.facts.texts import MAX_ERROR, searched
from portal.runs.filters.filter import Chip, Filter, Schema
from portal.runs.scope import Kind, in_workflows

LEAST, MOST = 3, 100
"""Characters of a text."""


class _Shape(NamedTuple):
    kind: text_index.Kind
    numbered: bool
    """Whether the text may be a run's number."""


class TextFilter(Filter[str, _Shape]):
    """The shape is how texts are compared, and whether the text may be a number."""

    schemas: ClassVar[Mapping[str, Schema]] = {
        "text": {
            "type": "string",
            "minLength": LEAST,
            "maxLength": MOST,
            "pattern": STORABLE_PATTERN,
            "description": "Part of the title, a label's value, the branch, the commit or the first "
            f"{MAX_ERROR:,} characters of the error, in any case; digits also find the run of that number.",
        }
    }
    labels: ClassVar[Mapping[str, str]] = {"text": "Text"}
    empty = ""

    def read(self, reader: Reader) -> str:
        return reader.read("text", _text, "")

    def write(self, value: str) -> Args:
        return {"text": value}

    def chips(self, value: str) -> list[Chip[str]]:
        return [Chip("Text", f"“{value}”", "")] if value else []

    def shape(self, value: str) -> _Shape:
        return _Shape(text_index.kind_of(db.session.connection()), _number(value) is not None)

    def conditions(self, shape: _Shape) -> list[sa.ColumnElement[bool]]:
        return self.conditions_in(Kind.WORKFLOW, shape)

    def conditions_in(self, kind: Kind, shape: _Shape) -> list[sa.ColumnElement[bool]]:
        texts = sa.select(RunText.run_id).where(
            in_workflows(kind, RunText.workflow_id), *text_index.containing(shape.kind)
        )
        if not shape.numbered:
            return [Run.id.in_(texts)]
        run = aliased(Run)
        numbered = sa.select(run.id).where(
            in_workflows(kind, run.workflow_id), run.run_number == sa.bindparam("text_number")
        )
        return [Run.id.in_(sa.union_all(texts, numbered))]

    def checks(self, shape: _Shape) -> list[sa.ColumnElement[bool]]:
        without_index = "instr" if shape.kind == "fts5" else shape.kind
        found = sa.exists().where(RunText.run_id == Run.id, *text_index.containing(without_index))
        return [found | (Run.run_number == sa.bindparam("text_number"))] if shape.numbered else [found]

    def values(self, value: str, workspace_id: UUID) -> statements.Values:
        return {"text_number": _number(value), **text_index.values(searched(value))}


def _number(text: str) -> int | None:
    digits = text.removeprefix("#")
    if not (digits.isascii() and digits.isdecimal()):
        return None
    number = int(digits)
    return number if number <= MAX_BIGINT else None


def _text(text: str) -> str:
    if not is_storable(text):
        raise Refused(sentences.STORABLE)
    if not LEAST <= len(text) <= MOST or len(searched(text)) < LEAST:
        raise Refused(f"must be {LEAST} to {MOST} characters.")
    return text


TEXT = TextFilter()
