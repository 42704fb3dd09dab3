"""The filters of the run list, in the order in which pages and documentation name them."""

from collections.abc import Iterator

from portal.runs.filters.created import CREATED
from portal.runs.filters.duration import DURATION
from portal.runs.filters.filter import AnyFilter
from portal.runs.filters.outcome import OUTCOME
from portal.runs.filters.status import STATUS
from portal.runs.filters.triggered_by import TRIGGERED_BY
from portal.runs.filters.workflow import WORKFLOW

FILTERS: list[AnyFilter] = [
    STATUS,
    TRIGGERED_BY,
    CREATED,
    DURATION,
    OUTCOME,
]
WORKSPACE_FILTERS: list[AnyFilter] = [WORKFLOW, *FILTERS]
"""Those of a list over a whole workspace."""


def further_filters() -> Iterator[AnyFilter]:
    """Those without fields of their own in a query."""
    return (each for each in FILTERS if not each.fields)
