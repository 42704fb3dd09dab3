"""Where a list of runs is: on the page of its workflow, or on that of all runs of a workspace."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask import url_for

from portal.auth.access import SeenWorkflow, SeenWorkspace, get_workflow, get_workspace
from portal.auth.gate import chosen_workspace, current_principal
from portal.pages.forms import id_in_path
from portal.runs.query import RunQuery

AMONG, ALL = "among", "all"
"""The parameter of links to a run that says which list they are in, and its only value: that of all runs."""

_ANY = UUID(int=0)


@dataclass(frozen=True)
class Place:
    """The addresses of a list: the page for everybody, its fragment and its changes for htmx."""

    workflow_id: UUID | None
    """None for the list of a workspace."""
    workspace_id: UUID | None = None
    """Of such a list, where its address names it."""
    runs_url: str = field(init=False)
    table_url: str = field(init=False)
    _any_workflow: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "runs_url", self.url("runs"))
        object.__setattr__(self, "table_url", self.url("runs_table"))
        object.__setattr__(self, "_any_workflow", url_for(".runs", workflow_id=_ANY))

    def url(self, endpoint: str, **args: Any) -> str:  # as Flask takes them
        if self.workflow_id is not None:
            return url_for(f".{endpoint}", workflow_id=self.workflow_id, **args)
        return url_for(f".workspace_{endpoint}", workspace_id=self.workspace_id, **args)

    def of_workflow(self, workflow_id: UUID) -> str:
        """The list of a workflow. To ask for the address of each row would take most of a page's time."""
        return self._any_workflow.replace(str(_ANY), str(workflow_id))

    @property
    def live_url(self) -> str:
        return self.url("runs_live")

    @property
    def marks(self) -> dict[str, str]:
        """What links to runs say of the list, beside its parameters."""
        return marks_of(self.workflow_id)


def marks_of(workflow_id: UUID | None) -> dict[str, str]:
    """The same of the list of a workflow, or without one of a workspace."""
    return {} if workflow_id is not None else {AMONG: ALL}


def place_of_list(query: RunQuery, workflow: SeenWorkflow) -> Place:
    """The list that led to a run of this workflow."""
    return Place(workflow.id) if query.workflow_id is not None else place_of_workspace(workflow.workspace_id)


def place_of_workflow(workflow_id: str) -> Place:
    """The list of a workflow. Raises NotFound where the text is no id."""
    return Place(id_in_path(workflow_id))


def place_of_workspace(workspace_id: UUID | None = None) -> Place:
    """The list of a workspace, or of the one that the request is in. Addresses do not name the chosen one."""
    here = workspace_id or current_principal().chosen
    return Place(None, None if here == chosen_workspace() else here)


def seen_in(place: Place) -> SeenWorkflow | SeenWorkspace:
    """What the list is of. Raises NotFound."""
    if place.workflow_id is not None:
        return get_workflow(current_principal(), place.workflow_id)
    return get_workspace(current_principal())
