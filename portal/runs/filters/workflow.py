"""The filter by workflow, of lists over a whole workspace: one or more of its workflows."""

from collections.abc import Hashable, Mapping
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.sql import statements
from portal.input import parameters
from portal.input.parameters import Args, Reader, Refused
from portal.runs.filters.filter import Chip, Filter, Schema


class WorkflowFilter(Filter[tuple[UUID, ...], None]):
    """Has no condition of its own: the scope of the list is chosen by it."""

    schemas: ClassVar[Mapping[str, Schema]] = {
        "workflow": {
            "type": "array",
            "items": {"type": "string", "format": "uuid"},
            "minItems": 1,
            "description": "Ids of one or more workflows, separated by commas. An id that is unknown here "
            "matches nothing.",
        }
    }
    labels: ClassVar[Mapping[str, str]] = {"workflow": "Workflow"}
    empty = ()
    fields = ("workflows",)

    def read(self, reader: Reader) -> tuple[UUID, ...]:
        return reader.read("workflow", _ids, ())

    def write(self, value: tuple[UUID, ...]) -> Args:
        return {"workflow": ",".join(map(str, value))}

    def chips(self, value: tuple[UUID, ...]) -> list[Chip[tuple[UUID, ...]]]:
        words = str(value[0]) if len(value) == 1 else f"{len(value)} chosen"
        return [Chip("Workflow", words, ())] if value else []

    def shape(self, value: tuple[UUID, ...]) -> None:
        return None

    def conditions(self, shape: Hashable) -> list[sa.ColumnElement[bool]]:
        return []

    def values(self, value: tuple[UUID, ...], workspace_id: UUID) -> statements.Values:
        return {}


def _ids(text: str) -> tuple[UUID, ...]:
    try:
        return tuple(dict.fromkeys(parameters.uuid(each) for each in text.split(",")))
    except Refused:
        raise Refused("must be a comma-separated list of ids of workflows, without blanks.") from None


WORKFLOW = WorkflowFilter()
