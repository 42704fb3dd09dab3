"""A stretch of time in which a workflow's runs were created (contract 3.11, 1.8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from portal.input import parameters
from portal.input.parameters import Reader


@dataclass(frozen=True)
class Window:
    """Both ends belong to it; an absent one leaves it open."""

    workflow_id: UUID
    created_from: datetime | None
    created_to: datetime | None

    @classmethod
    def parse(cls, args: Mapping[str, str], *, workflow_id: str) -> Self:
        """Read a request's parameters. Raises InvalidQuery with an error for each bad field."""
        reader = Reader({**args, "workflow_id": workflow_id})
        created_from, created_to = reader.window("from", "to")
        found_id = reader.read("workflow_id", parameters.uuid, UUID(int=0))
        reader.finish()
        return cls(found_id, created_from, created_to)
