"""Lists of runs: filters, order, exact totals.

In two to three statements: the counts; for a deep page, where it lies; then the page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from portal.auth.access import SeenWorkflow
from portal.paging import Page
from portal.runs.counts.reading import read_counts
from portal.runs.counts.thresholds import THRESHOLDS, Thresholds
from portal.runs.listing.access_path import find_page
from portal.runs.listing.rows import RunRow, Texts
from portal.runs.query import RunQuery
from portal.runs.statuses import STATUSES


@dataclass(frozen=True)
class RunPage(Page[RunRow]):
    """One page of a workflow's runs and the exact number of all that match."""

    counts: Mapping[str, int]
    """By status, under the other filters of the list."""
    in_all: int
    """The runs of the workflow, whatever the filters."""


def list_runs(
    workflow: SeenWorkflow,
    query: RunQuery,
    texts: Texts = Texts.LISTED,
    thresholds: Thresholds = THRESHOLDS,
) -> RunPage:
    """One page of a workflow's runs, with its counts."""
    query = replace(query, status=tuple(status for status in STATUSES if status in query.status))
    counts = read_counts(workflow, query)
    total = sum(counts.by_status[status] for status in query.status or STATUSES)
    count = min(query.slice.limit, total - query.slice.offset)
    rows = find_page(workflow, query, counts.by_status, count, texts, thresholds) if count > 0 else []
    return RunPage(rows, total, query.slice, counts.by_status, counts.in_all)
