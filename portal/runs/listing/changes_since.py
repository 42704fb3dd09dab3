"""What has changed on a list of runs that somebody has open, without reading the list again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from portal.auth.access import SeenWorkflow
from portal.runs.counts.reading import read_counts
from portal.runs.listing.rows import RunRow, Texts, read_rows
from portal.runs.query import RunQuery


@dataclass(frozen=True, kw_only=True)
class ListChanges:
    rows: Sequence[RunRow]
    """The watched runs as they are now, in brief."""
    counts: Mapping[str, int]
    """By status, under the other filters of the list."""
    in_all: int
    """The runs of the workflow, whatever the filters."""
    new: int
    """How many matching runs came since the list was read, whatever their numbers and times."""


def read_changes(workflow: SeenWorkflow, query: RunQuery, watched: Sequence[UUID], since: int) -> ListChanges:
    """How the watched runs stand, and how many runs came after this version of the workflow."""
    counts = read_counts(workflow, query, since)
    return ListChanges(
        rows=read_rows(workflow.id, watched, Texts.BRIEF),
        counts=counts.by_status,
        in_all=counts.in_all,
        new=counts.new,
    )
