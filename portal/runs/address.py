"""Which run a request means: the ids in its path, read with all its other parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from portal.input import parameters
from portal.input.parameters import Reader

_NOBODY = UUID(int=0)


@dataclass(frozen=True)
class RunAddress:
    """A run under its workflow: neither is known to exist."""

    workflow_id: UUID
    run_id: UUID

    @classmethod
    def parse(cls, workflow_id: str, run_id: str) -> Self:
        """Read the ids of a path. Raises InvalidQuery naming each that is no UUID."""
        reader = reader_of({}, workflow_id, run_id)
        address = cls.read(reader)
        reader.finish()
        return address

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """The address from a reader of `reader_of`, which takes note of what is wrong."""
        return cls(
            reader.read("workflow_id", parameters.uuid, _NOBODY),
            reader.read("run_id", parameters.uuid, _NOBODY),
        )


def reader_of(args: Mapping[str, str], workflow_id: str, run_id: str) -> Reader:
    """A reader of query parameters and path ids; the path wins."""
    return Reader({**args, "workflow_id": workflow_id, "run_id": run_id})
