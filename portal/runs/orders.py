"""One order of a workflow's runs, as an index has it, and the part of it that a query asks for."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from portal.auth.access import SeenWorkflow
from portal.runs.blocks import NULLS, START, Place, microseconds
from portal.runs.filters import Filters, values
from portal.runs.query import RunQuery
from portal.runs.seek import Stretch, Walk

_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Order:
    """Runs of some statuses (none: any) by a moment or by id, within the query's search and window.

    A window of created_at is a stretch of the order by created_at; other orders are narrowed by it.
    """

    workflow: SeenWorkflow
    query: RunQuery
    by: str
    descending: bool
    statuses: tuple[str, ...]

    @property
    def may_lack_keys(self) -> bool:
        return self.by in ("started_at", "completed_at")

    @cached_property
    def filters(self) -> Filters:
        """What runs are held against while the index is walked."""
        filters = Filters.of(self.query)._replace(statuses=len(self.statuses))
        return filters._replace(created_from=False, created_to=False) if self._sliced else filters

    def values(self) -> dict[str, Any]:
        return values(self.workflow, self.query, self.statuses)

    @property
    def _sliced(self) -> bool:
        return self.by == "created_at"

    def within_window(self, begin: Place | None, end: Place | None) -> tuple[Place, Place | None]:
        """A stretch of runs with a key, or of runs without, as far as it lies in the window."""
        begin, end = begin and _place(begin), end and _place(end)
        query = self.query
        if self._sliced and query.created_from:
            begin = max(begin or START, (microseconds(query.created_from), UUID(int=0)))
        if self._sliced and query.created_to and query.created_to < _LAST:
            after = microseconds(query.created_to) + 1, UUID(int=0)
            end = min(end or after, after)
        return begin or START, end or (None if self.by == "id" else NULLS)

    def with_key(self, skip: int, count: int, begin: Place | None = None, end: Place | None = None) -> Walk:
        """A walk from a place on, in the order's direction: from where the list begins, unless told."""
        stretch = Stretch(*self.within_window(begin, end), skip, count)
        return Walk(self.by, self.descending, self.statuses, stretch)

    def without_key(self, skip: int, count: int, begin: Place = NULLS) -> Walk:
        """A walk along the runs without a key, which stand by id in both directions."""
        return Walk(self.by, False, self.statuses, Stretch(_place(begin), None, skip, count))


def _place(place: tuple[int, Any]) -> Place:
    """A place whose id may be as the database keeps it."""
    key, run_id = place
    return key, run_id if isinstance(run_id, UUID) else UUID(bytes=run_id)
