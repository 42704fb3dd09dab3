"""The parameters of the page of workflows: those of List Workflows, further sorts, and what needs a look."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from portal.input import parameters
from portal.input.parameters import Args, Reader
from portal.workflows.attention.verdicts import Look
from portal.workflows.workflow_query import WorkflowQuery


@dataclass(frozen=True, kw_only=True)
class HomeQuery(WorkflowQuery):
    """Without a sort, what needs a look comes first, then the rest by last run."""

    natural_orders: ClassVar[Mapping[str, str]] = {
        "name": "asc",
        "last_run": "desc",
        "failures": "desc",
        "runs_count": "desc",
        "updated_at": "desc",
    }
    look: Look | None = None

    @classmethod
    def _further(cls, reader: Reader) -> Mapping[str, Any]:
        look = reader.read("look", parameters.one_of(tuple(Look)), None)
        return {"look": Look(look) if look else None}

    @property
    def filters(self) -> WorkflowQuery:
        """The list that these are taken from, in no order."""
        return WorkflowQuery(
            status=self.status,
            search=self.search,
            last_run_after=self.last_run_after,
            last_run_before=self.last_run_before,
            has_failed_run=self.has_failed_run,
        )

    @property
    def filtered(self) -> bool:
        return super().filtered or self.look is not None

    def _texts(self) -> Args:
        return {"look": self.look or "", **super()._texts()}
