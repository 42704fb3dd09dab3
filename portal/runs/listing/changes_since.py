"""What has changed on a list of runs that somebody has open, without reading the list again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from portal.runs.counts.reading import read_counts
from portal.runs.listing.rows import RowWorkflow, RunRow, Texts, read_rows, read_workflows
from portal.runs.query import RunQuery
from portal.runs.scope import Listed, scope_of, scope_of_list


@dataclass(frozen=True, kw_only=True)
class ListChanges:
    rows: Sequence[RunRow]
    """The watched runs as they are now, in brief."""
    counts: Mapping[str, int]
    """By status, under the other filters of the list."""
    in_all: int
    """The runs of the workflow or workspace, whatever the filters."""
    new: int
    """How many matching runs came since the list was read, whatever their numbers and times."""
    workflows: Mapping[UUID, RowWorkflow]
    """Of a workspace's list: the workflows of its rows."""


def read_changes(seen: Listed, query: RunQuery, watched: Sequence[UUID], since: int) -> ListChanges:
    """How the watched runs stand, and how many came after this version of the workflow, or this last arrival
    of the workspace.
    """
    counts = read_counts(scope_of_list(seen, query), query, since)
    rows = read_rows(scope_of(seen), watched, Texts.BRIEF)
    return ListChanges(
        rows=rows,
        counts=counts.by_status,
        in_all=counts.in_all,
        new=counts.new,
        workflows=read_workflows(rows) if query.workflow_id is None else {},
    )
