"""One order of the runs of a scope, as indexes have it, and the scans of it that give a page of a query."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from portal.database.sql import statements
from portal.runs.counts.histograms import WITHOUT
from portal.runs.counts.key_range import Key, KeyRange
from portal.runs.filters.conditions import Filters, values
from portal.runs.listing.index_scan import IndexScan
from portal.runs.query import RunQuery
from portal.runs.scope import Scope

_LAST = datetime.max.replace(tzinfo=UTC)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class KeyOrder:
    """Runs of some statuses (none: any) by a key, within the query's other filters.

    A window of created_at is a range of the order by created_at, and durations are one of the order by
    duration; for other orders these are residual filters.
    """

    scope: Scope
    query: RunQuery
    key: str
    descending: bool
    statuses: tuple[str, ...]
    before: int = 0
    """How many runs of the statuses stand before the list, where it is a range of durations."""

    @property
    def may_lack_keys(self) -> bool:
        return self.key in WITHOUT and not (self.key == "duration_ms" and self.query.by_duration)

    @property
    def is_merged(self) -> bool:
        """Whether it is merged of those of workflows: scans of it sort all that their range holds."""
        return self.scope.kind.is_merged(self.key)

    @cached_property
    def all_filters(self) -> Filters:
        """The same with what ranges of the order tell."""
        return Filters.of(self.scope, self.query)._replace(statuses=len(self.statuses))

    @cached_property
    def filters(self) -> Filters:
        """The residual filter of scans."""
        filters = self.all_filters
        if self.key == "duration_ms":
            return filters._replace(min_duration=False, max_duration=False)
        return filters if self.window_is_residual else filters._replace(created_from=False, created_to=False)

    @property
    def window_is_residual(self) -> bool:
        return bool(self.query.created_from or self.query.created_to) and self.key != "created_at"

    @property
    def is_residual(self) -> bool:
        """Whether the runs of the list stand among others, where no histogram tells."""
        if self.key == "duration_ms":
            return bool(self.query.search) or self.window_is_residual
        return self.query.by_duration

    def values(self) -> statements.Values:
        return values(self.scope, self.query, self.statuses)

    def scan(self, offset: int, limit: int, begin: Key | None = None, end: Key | None = None) -> IndexScan:
        """A scan of the runs with a key: from where the list begins, unless told."""
        query = self.query
        if self.key == "created_at":
            until = query.created_to + _TICK if query.created_to and query.created_to < _LAST else None
            begin = max(_moments(begin, query.created_from), default=None)
            end = min(_moments(end, until), default=None)
        elif self.key == "duration_ms" and begin is None and end is None:
            begin = query.min_duration
            end = None if query.max_duration is None else query.max_duration + 1
        return IndexScan(KeyRange(self.key, begin, end), self.descending, self.statuses, offset, limit)

    def scan_onwards(
        self, offset: int, limit: int, bucket: KeyRange, last: KeyRange | None = None
    ) -> IndexScan:
        """The same from the edge of a bucket that comes first in the order's direction.

        `last` is a bucket beyond which the page has no run: a scan that finds no more ends there.
        """
        if self.descending:
            return self.scan(offset, limit, last and last.begin, bucket.end)
        return self.scan(offset, limit, bucket.begin, last and last.end)

    def scan_without_key(
        self, offset: int, limit: int, begin: Key | None = None, end: Key | None = None
    ) -> IndexScan:
        """A scan of the runs without a key, which stand by id in both directions."""
        return IndexScan(KeyRange("id", begin, end, self.key), False, self.statuses, offset, limit)


def _moments(*bounds: Key | None) -> list[datetime]:
    """Those that there are, of bounds of a range of moments."""
    return [bound for bound in bounds if isinstance(bound, datetime)]
