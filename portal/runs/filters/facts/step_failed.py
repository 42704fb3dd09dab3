"""The filter by a step that failed and was not made good later (an addition to contract 3.1)."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.sql import statements
from portal.input.parameters import MAX_TEXT
from portal.runs.facts.terms import step_term
from portal.runs.filters.facts.exact_text import ExactText, text_schema
from portal.runs.filters.facts.having_term import has_term, having_term
from portal.runs.filters.filter import Schema
from portal.runs.scope import Kind


class StepFailedFilter(ExactText):
    most = MAX_TEXT
    schemas: ClassVar[Mapping[str, Schema]] = {
        "step_failed": text_schema(
            most,
            "The id of a node, or the name of a step, that failed and did not complete later in the run.",
        )
    }
    labels: ClassVar[Mapping[str, str]] = {"step_failed": "Failed step"}

    def conditions(self, shape: bool) -> list[sa.ColumnElement[bool]]:
        return self.conditions_in(Kind.WORKFLOW, shape)

    def conditions_in(self, kind: Kind, shape: bool) -> list[sa.ColumnElement[bool]]:
        return [having_term(kind, "step_failed")]

    def checks(self, shape: bool) -> list[sa.ColumnElement[bool]]:
        return [has_term("step_failed")]

    def values(self, value: str, workspace_id: UUID) -> statements.Values:
        return {"step_failed": step_term(value)}


STEP_FAILED = StepFailedFilter()
