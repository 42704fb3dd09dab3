"""The workflow and run ids in a request's path, read together with its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from portal.input import parameters
from portal.input.parameters import Reader

_NO_ID = UUID(int=0)


@dataclass(frozen=True)
class RunAddress:
    """The ids of a workflow and a run, which may not exist."""

    workflow_id: UUID
    run_id: UUID

    @classmethod
    def parse(cls, workflow_id: str, run_id: str) -> Self:
        """Read the ids of a path. Raises InvalidQuery with an error for each that is not a UUID."""
        reader = reader_of({}, workflow_id, run_id)
        address = cls.read(reader)
        reader.finish()
        return address

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the ids with a reader of `reader_of`, which collects the errors."""
        return cls(
            reader.read("workflow_id", parameters.uuid, _NO_ID),
            reader.read("run_id", parameters.uuid, _NO_ID),
        )


def reader_of(args: Mapping[str, str], workflow_id: str, run_id: str) -> Reader:
    """A reader of query parameters and path ids; ids of the path take precedence."""
    return Reader({**args, "workflow_id": workflow_id, "run_id": run_id})
