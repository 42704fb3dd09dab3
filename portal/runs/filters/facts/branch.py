"""The filter by branch, whose case counts as it does to git (an addition to contract 3.1)."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Run
from portal.database.sql import statements
from portal.runs.facts.terms import MAX_BRANCH
from portal.runs.filters.facts.exact_text import ExactText, text_schema
from portal.runs.filters.filter import Schema


class BranchFilter(ExactText):
    most = MAX_BRANCH
    schemas: ClassVar[Mapping[str, Schema]] = {
        "branch": text_schema(most, "Runs of exactly this branch; upper and lower case are apart.")
    }
    labels: ClassVar[Mapping[str, str]] = {"branch": "Branch"}

    def conditions(self, shape: bool) -> list[sa.ColumnElement[bool]]:
        return [Run.branch.is_not(None), Run.branch == sa.bindparam("branch")]

    def values(self, value: str, workspace_id: UUID) -> statements.Values:
        return {"branch": value}


BRANCH = BranchFilter()
