"""The filter by cause: failed runs whose errors differ only in what varies (an addition to contract 3.1)."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.columns import Id
from portal.database.models import Cause, Run
from portal.database.sql import statements
from portal.input import parameters
from portal.input.parameters import Args, Reader
from portal.runs.filters.filter import Chip, Filter, Schema

_ID: sa.BindParameter[UUID] = sa.bindparam("error", type_=Id())
_MERGED = sa.select(Cause.merged_into).where(Cause.id == _ID).scalar_subquery()


class ErrorFilter(Filter[UUID | None, bool]):
    """The shape is whether there is one. The id of a cause that was merged finds the runs of the other."""

    schemas: ClassVar[Mapping[str, Schema]] = {
        "error": {
            "type": "string",
            "format": "uuid",
            "pattern": f"^{parameters.UUID_PATTERN}$",
            "description": "The id of a cause (List Failures): the failed runs that are grouped by it.",
        }
    }
    labels: ClassVar[Mapping[str, str]] = {"error": "Cause of failure"}
    empty = None

    def read(self, reader: Reader) -> UUID | None:
        return reader.read("error", parameters.uuid, None)

    def write(self, value: UUID | None) -> Args:
        return {"error": str(value) if value else ""}

    def chips(self, value: UUID | None) -> list[Chip[UUID | None]]:
        return [Chip("Cause of failure", str(value)[:8], None)] if value else []

    def shape(self, value: UUID | None) -> bool:
        return value is not None

    def conditions(self, shape: bool) -> list[sa.ColumnElement[bool]]:
        if not shape:
            return []
        return [Run.cause_id.is_not(None), Run.cause_id == sa.func.coalesce(_MERGED, _ID, type_=Id())]

    def values(self, value: UUID | None, workspace_id: UUID) -> statements.Values:
        return {"error": value} if value else {}


ERROR = ErrorFilter()
