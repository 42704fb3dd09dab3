"""The filter by the system that a run comes from (an addition to contract 3.1)."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Run
from portal.database.sql import statements
from portal.runs.filters.facts.exact_text import ExactText, text_schema
from portal.runs.filters.filter import Schema


class SourceFilter(ExactText):
    most = 200
    schemas: ClassVar[Mapping[str, Schema]] = {
        "source": text_schema(most, "Runs of exactly this source, such as github:acme/web.")
    }
    labels: ClassVar[Mapping[str, str]] = {"source": "Source"}

    def conditions(self, shape: bool) -> list[sa.ColumnElement[bool]]:
        return [Run.source_system.is_not(None), Run.source_system == sa.bindparam("source")]

    def values(self, value: str, workspace_id: UUID) -> statements.Values:
        return {"source": value}


SOURCE = SourceFilter()
