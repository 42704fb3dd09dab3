"""The workflows of a workspace, to choose some of for a list of runs."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from portal.auth.access import SeenWorkflow, SeenWorkspace
from portal.pages.facets import Facet
from portal.runs.filters.workflow import WORKFLOW
from portal.workflows.listing import names_by_id

MOST = 500
"""Workflows that the field offers; others are filtered by from their rows, or by the address."""


def workflow_choices(seen: SeenWorkflow | SeenWorkspace, chosen: Sequence[UUID]) -> list[tuple[str, str]]:
    """The values of the field with their words, and what is chosen; none on the list of a workflow."""
    if isinstance(seen, SeenWorkflow):
        return []
    choices = [("", "All"), *((str(each), name) for each, name in names_by_id(seen.id, MOST, chosen))]
    value = ",".join(map(str, chosen))
    if value not in dict(choices):
        choices.append(
            (value, f"{len(chosen)} workflows" if len(chosen) > 1 else "A workflow that is not here")
        )
    return choices


def named_workflows(facets: Sequence[Facet], choices: Sequence[tuple[str, str]]) -> list[Facet]:
    """The active filters, that by workflow with the name of what is chosen."""
    label = WORKFLOW.labels["workflow"]
    names = dict(choices)
    return [
        replace(facet, value=names.get(facet.value, facet.value)) if facet.label == label else facet
        for facet in facets
    ]
