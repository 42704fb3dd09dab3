"""The filters of the run list, in the order in which pages and documentation name them."""

from collections.abc import Iterator

from portal.runs.filters.created import CREATED
from portal.runs.filters.duration import DURATION
from portal.runs.filters.error import ERROR
from portal.runs.filters.facts.branch import BRANCH
from portal.runs.filters.facts.label import LABEL
from portal.runs.filters.facts.source import SOURCE
from portal.runs.filters.facts.step_failed import STEP_FAILED
from portal.runs.filters.facts.text import TEXT
from portal.runs.filters.facts.trigger import TRIGGER
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
    TEXT,
    OUTCOME,
    TRIGGER,
    SOURCE,
    BRANCH,
    LABEL,
    STEP_FAILED,
    ERROR,
]
WORKSPACE_FILTERS: list[AnyFilter] = [WORKFLOW, *FILTERS]
"""Those of a list over a whole workspace."""


def further_filters() -> Iterator[AnyFilter]:
    """Those without fields of their own in a query."""
    return (each for each in FILTERS if not each.fields)


def repeating() -> frozenset[str]:
    """The parameters of which every value counts."""
    return frozenset(name for each in FILTERS if each.repeats for name in each.labels)
