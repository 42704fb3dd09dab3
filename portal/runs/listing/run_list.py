"""Lists of runs: filters, order, exact totals.

In two to three statements: the counts; for a deep page, where it lies; then the page. Over a workspace,
further ones tell which workflows are chosen, where a page ends, and the names of its workflows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from portal.paging import Page
from portal.runs.counts.reading import read_counts
from portal.runs.counts.thresholds import THRESHOLDS, Thresholds
from portal.runs.listing.access_path import find_page
from portal.runs.listing.rows import RowWorkflow, RunRow, Texts, read_workflows
from portal.runs.query import RunQuery
from portal.runs.scope import Listed, scope_of_list
from portal.runs.statuses import STATUSES


@dataclass(frozen=True)
class RunPage(Page[RunRow]):
    """One page of the runs of a workflow or a workspace, and the exact number of all that match."""

    counts: Mapping[str, int]
    """By status, under the other filters of the list."""
    in_all: int
    """The runs of the workflow or workspace, whatever the filters."""
    workflows: Mapping[UUID, RowWorkflow]
    """Of a workspace's page: the workflows of its rows."""


def list_runs(
    seen: Listed,
    query: RunQuery,
    texts: Texts = Texts.LISTED,
    thresholds: Thresholds = THRESHOLDS,
) -> RunPage:
    """One page of the runs of a workflow, or with a query over a workspace of that, with its counts."""
    scope = scope_of_list(seen, query)
    query = replace(query, status=tuple(status for status in STATUSES if status in query.status))
    counts = read_counts(scope, query)
    total = sum(counts.by_status[status] for status in query.status or STATUSES)
    count = min(query.slice.limit, total - query.slice.offset)
    rows = []
    if count > 0:
        rows = find_page(scope, query, counts, count, texts, thresholds)
    workflows = read_workflows(rows) if query.workflow_id is None else {}
    return RunPage(rows, total, query.slice, counts.by_status, counts.in_all, workflows)
