"""Histogram buckets as they are written: changed with each run, divided where they come to hold many.

Buckets of a level exist within each bucket of the level above that holds more than `Thresholds.split` runs,
and in no other: so the buckets follow from the runs alone, whatever the order in which they came. Whoever
writes holds the workflow's row, so a bucket is divided by one writer at a time.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import product
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from portal.database.models import Run, RunBucket
from portal.database.sql import bulk, statements, sums
from portal.runs.counts.columns import SUMS, bucket_column, count_columns, sum_columns
from portal.runs.counts.histograms import (
    BY_KEY,
    CREATED,
    FIRST_KEY,
    HISTOGRAMS,
    NO_KEY,
    Histogram,
    Keys,
    Level,
    digits,
    key_of_id,
    microseconds,
)
from portal.runs.counts.key_range import RangeShape, in_range
from portal.runs.counts.thresholds import Thresholds
from portal.runs.statuses import STATUSES

TABLE = cast(sa.Table, RunBucket.__table__)
KEYS = ("workflow_id", "histogram", "width", "number")
BOUNDS = ("oldest", "newest")
NAMES = (*KEYS, *STATUSES, *SUMS, *BOUNDS)

_COUNTED, _SUMMED = len(STATUSES), len(STATUSES) + len(SUMS)
_NO_SUMS = [0] * len(SUMS)
_FINEST = CREATED.always[-1].width

Entry = tuple[int, int, int]
"""A run as one histogram sees it: key, position of its status, and when it was created."""
Row = tuple[Any, ...]
"""A row of the table: NAMES."""
Buckets = dict[int, list[Any]]
"""Changes by the number of their bucket: counts, sums and bounds."""


class Moves:
    """What leaves the histograms of one workflow and what enters them."""

    def __init__(self) -> None:
        self._gone: dict[str, list[Entry]] = {histogram.name: [] for histogram in HISTOGRAMS}
        self._come: dict[str, list[Entry]] = {histogram.name: [] for histogram in HISTOGRAMS}
        self.sums: defaultdict[int, list[int]] = defaultdict(_NO_SUMS.copy)
        """Changes of SUMS, by bucket of the narrowest width that histograms of `created_at` always have."""

    def add(self, sign: int, runs: Keys) -> None:
        """Let runs enter, or leave where the sign is negative."""
        entries = self._gone if sign < 0 else self._come
        ids = [key_of_id(run_id) for run_id in runs.id]
        for name, histogram in BY_KEY.items():
            keys = ids if histogram.is_by_id else getattr(runs, name)
            whole = zip(keys, runs.status, runs.created_at, strict=True)
            entries[name] += whole if histogram.is_by_id else (entry for entry in whole if entry[0] != NO_KEY)
        for histogram in HISTOGRAMS:
            if histogram.without:
                lacking = zip(getattr(runs, histogram.without), ids, runs.status, strict=True)
                entries[histogram.name] += [
                    (key, status, 0) for moment, key, status in lacking if moment == NO_KEY
                ]

    def count(self, sign: int, created: Iterable[int], column: str, values: Iterable[int | None]) -> None:
        """Count the runs that have a value, or count them out."""
        place, sums_by_bucket = SUMS.index(column), self.sums
        for at, value in zip(created, values, strict=True):
            if value is not None:
                sums_by_bucket[at // _FINEST][place] += sign

    def sum(self, sign: int, created: Iterable[int], column: str, values: Iterable[int | None]) -> None:
        """Add the value of each run to a sum in two halves, or subtract it."""
        low, sums_by_bucket = SUMS.index(column), self.sums
        for at, value in zip(created, values, strict=True):
            if value:
                row = sums_by_bucket[at // _FINEST]
                row[low] += sign * (value & sums.LOW)
                if high := value >> sums.BITS:
                    row[low + 1] += sign * high

    def sums_changed(self) -> dict[int, list[int]]:
        return {number: row for number, row in self.sums.items() if any(row)}

    def of(self, histogram: Histogram) -> tuple[list[Entry], list[Entry]]:
        """What leaves and what enters a histogram, but for what comes in again as it was."""
        gone, come = self._gone[histogram.name], self._come[histogram.name]
        if gone:
            less, more = Counter(gone), Counter(come)
            gone, come = list((less - more).elements()), list((more - less).elements())
        return gone, come


@dataclass(frozen=True)
class _Frontier:
    """Changes of one level of a histogram, whose buckets may have to be divided or joined."""

    workflow_id: UUID
    histogram: Histogram
    depth: int
    changes: Mapping[int, int]
    """By how many runs each bucket has grown."""
    gone: Sequence[Entry]
    come: Sequence[Entry]

    @property
    def level(self) -> Level:
        return self.histogram.levels[self.depth]


def apply(session: Session, moves: Mapping[UUID, Moves], thresholds: Thresholds) -> None:
    """Count runs, which are written already, out of their buckets and in. Hold their workflows."""
    rows: list[Row] = []
    frontier: list[_Frontier] = []
    for workflow_id in sorted(moves):
        for histogram in HISTOGRAMS:
            gone, come = moves[workflow_id].of(histogram)
            sums = moves[workflow_id].sums_changed() if histogram is CREATED else {}
            if gone or come or sums:
                changed = _always(histogram, gone, come, sums)
                for level, buckets in changed.items():
                    rows += _rows(workflow_id, histogram, level, buckets)
                grown = {number: sum(values[:_COUNTED]) for number, values in buckets.items()}
                depth = len(changed) - 1
                frontier.append(_Frontier(workflow_id, histogram, depth, grown, gone, come))
    totals = add(session, rows)
    while frontier:
        rows = []
        frontier = list(_below(session, frontier, totals, thresholds, rows))
        totals = add(session, rows)


def _always(
    histogram: Histogram, gone: Sequence[Entry], come: Sequence[Entry], sums: Mapping[int, Sequence[int]]
) -> dict[Level, Buckets]:
    """The changes of the levels that always exist, widest first; sums and bounds belong to these."""
    levels = histogram.always
    finest = _tally(levels[-1], gone, come)
    bounds: tuple[object, object] = (None, None) if histogram.is_by_id else (NO_KEY, FIRST_KEY)
    width = levels[-1].width
    for number in {*sums, *(key // width for key, _, _ in come if not histogram.is_by_id)}:
        finest.setdefault(number, [0] * _COUNTED)
    buckets = {number: [*values, *sums.get(number, _NO_SUMS), *bounds] for number, values in finest.items()}
    if not histogram.is_by_id:
        _widen(width, buckets, come)
    found = {levels[-1]: buckets}
    for level, wider in zip(reversed(levels), list(reversed(levels))[1:], strict=False):
        found[wider] = buckets = _fold(buckets, wider.width // level.width)
    return dict(reversed(found.items()))


def _tally(level: Level, gone: Iterable[Entry], come: Iterable[Entry]) -> dict[int, list[int]]:
    """How the counts of buckets change, where any does."""
    width = level.width
    changes = Counter([(key // width, status) for key, status, _ in come])
    changes.subtract([(key // width, status) for key, status, _ in gone])
    found: dict[int, list[int]] = {}
    for (number, status), change in changes.items():
        if change:
            found.setdefault(number, [0] * _COUNTED)[status] += change
    return found


def _widen(width: int, buckets: Buckets, come: Iterable[Entry]) -> None:
    """Let the bounds of buckets span when the runs that enter were created."""
    for key, _, created in come:
        bucket = buckets[key // width]
        if created < bucket[-2]:
            bucket[-2] = created
        if created > bucket[-1]:
            bucket[-1] = created


def _fold(buckets: Buckets, ratio: int) -> Buckets:
    """The same changes in buckets that are wider by this ratio."""
    found: Buckets = {}
    for number, values in buckets.items():
        wider = found.get(number // ratio)
        if wider is None:
            found[number // ratio] = list(values)
            continue
        for position in range(_SUMMED):
            wider[position] += values[position]
        if values[-1] is not None:
            wider[-2], wider[-1] = min(wider[-2], values[-2]), max(wider[-1], values[-1])
    return found


def _rows(workflow_id: UUID, histogram: Histogram, level: Level, buckets: Buckets) -> Iterator[Row]:
    for number, values in sorted(buckets.items()):
        rest = (*_NO_SUMS, None, None) if len(values) == _COUNTED else ()
        yield (workflow_id, histogram.name, level.width, number, *values, *rest)


def _below(
    session: Session,
    frontier: Iterable[_Frontier],
    totals: Mapping[Row, int],
    thresholds: Thresholds,
    rows: list[Row],
) -> Iterator[_Frontier]:
    """The changes one level below, whose rows are added to `rows`; divides and joins on the way."""
    for part in frontier:
        if part.depth + 1 == len(part.histogram.levels):
            continue
        passed: set[int] = set()
        divided: set[int] = set()
        joined: set[int] = set()
        for number, change in part.changes.items():
            after = totals[(part.workflow_id, part.histogram.name, part.level.width, number)]
            before = after - change
            if after > thresholds.split:
                (divided if 0 < before <= thresholds.split else passed).add(number)
            elif before > thresholds.split:
                joined.add(number)
        _join(session, part, joined)
        if divided:
            rows += count_buckets(
                session, part.workflow_id, part.histogram, thresholds, part.depth + 1, divided
            )
        if passed:
            yield _following(part, passed, rows)


def _following(part: _Frontier, numbers: Collection[int], rows: list[Row]) -> _Frontier:
    """The changes one level below within these buckets, which all are divided."""
    width, level = part.level.width, part.histogram.levels[part.depth + 1]
    gone = [entry for entry in part.gone if entry[0] // width in numbers]
    come = [entry for entry in part.come if entry[0] // width in numbers]
    buckets = _tally(level, gone, come)
    rows += _rows(part.workflow_id, part.histogram, level, buckets)
    grown = {number: sum(values) for number, values in buckets.items()}
    return _Frontier(part.workflow_id, part.histogram, part.depth + 1, grown, gone, come)


def _join(session: Session, part: _Frontier, numbers: Iterable[int]) -> None:
    """Remove what is counted within buckets that hold few runs by now."""
    of_histogram = TABLE.c.workflow_id == part.workflow_id, TABLE.c.histogram == part.histogram.name
    for number, level in product(sorted(numbers), part.histogram.levels[part.depth + 1 :]):
        ratio = part.level.width // level.width
        within = TABLE.c.number.between(number * ratio, (number + 1) * ratio - 1)
        session.execute(sa.delete(TABLE).where(*of_histogram, TABLE.c.width == level.width, within))


def add(session: Session, rows: Sequence[Row]) -> dict[Row, int]:
    """Add to buckets, and say how many runs each holds then, by KEYS."""
    least = ("min", "max") if session.get_bind().dialect.name == "sqlite" else ("least", "greatest")
    named = [dict(zip(NAMES, row, strict=True)) for row in rows]
    total = " + ".join(STATUSES)
    found = bulk.add_rows(
        session.connection(), TABLE, KEYS, named, dict(zip(BOUNDS, least, strict=True)), (*KEYS, total)
    )
    return {_decoded_key(row[:-1]): row[-1] for row in found}


def _decoded_key(key: Sequence[object]) -> Row:
    """KEYS as values: SQLite gives the id as bytes."""
    workflow_id = UUID(bytes=key[0]) if isinstance(key[0], bytes) else key[0]
    return workflow_id, *key[1:]


def count_buckets(
    session: Session,
    workflow_id: UUID,
    histogram: Histogram,
    thresholds: Thresholds,
    depth: int = 0,
    within: Collection[int] | None = None,
) -> Iterator[Row]:
    """The buckets that there should be, counted from a workflow's runs: from one level on, in all buckets of
    the level above or in those of these numbers.
    """
    level = histogram.levels[depth]
    if within is None:
        ranges = [histogram.range(FIRST_KEY, NO_KEY)]
    else:
        ranges = list(histogram.ranges(histogram.levels[depth - 1].width, within))
    divided: list[int] = []
    for range_ in ranges:
        grouping = _grouping(session.get_bind().dialect.name, histogram, level, range_.shape)
        for found, *values in session.execute(grouping, {"workflow_id": workflow_id} | range_.values()):
            number = int(found, 16) if histogram.is_by_id else found
            yield (workflow_id, histogram.name, level.width, number, *map(_plain, values))
            if sum(values[:_COUNTED]) > thresholds.split:
                divided.append(number)
    if depth + 1 == len(histogram.levels):
        return
    if histogram.levels[depth + 1].always:
        yield from count_buckets(session, workflow_id, histogram, thresholds, depth + 1)
    elif divided:
        yield from count_buckets(session, workflow_id, histogram, thresholds, depth + 1, divided)


def _plain(value: object) -> object:
    return microseconds(value) if isinstance(value, datetime) else value


@lru_cache
def _grouping(dialect: str, histogram: Histogram, level: Level, shape: RangeShape) -> statements.Columns:
    """Buckets of one level in a range of keys, counted from the runs."""
    if histogram.is_by_id:
        text = sa.func.hex(Run.id) if dialect == "sqlite" else sa.cast(Run.id, sa.Text)
        number: sa.SQLColumnExpression[str | int] = sa.func.substr(text, 1, digits(level.width))
    else:
        moment: InstrumentedAttribute[datetime | None] = getattr(Run, histogram.key)
        number = bucket_column(dialect, moment, level.width)
    zeros: list[sa.ColumnElement[int]] = [sa.literal_column("0") for _ in SUMS]
    sums = sum_columns(dialect) if histogram is CREATED and level.always else zeros
    bounded = level.always and not histogram.is_by_id
    bounds = [sa.func.min(Run.created_at), sa.func.max(Run.created_at)] if bounded else [sa.null(), sa.null()]
    grouped = sa.select(number, *count_columns(), *sums, *bounds)
    grouped = grouped.where(Run.workflow_id == sa.bindparam("workflow_id"), *in_range(shape))
    if histogram.key == "id" and not histogram.without:
        grouped = grouped.where(Run.status.in_(STATUSES))  # for its index
    return grouped.group_by(sa.text("1"))


def read_buckets(session: Session, workflow_id: UUID) -> Iterator[Row]:
    """The buckets of a workflow as they are stored."""
    select = sa.select(*(TABLE.c[name] for name in NAMES)).where(TABLE.c.workflow_id == workflow_id)
    return (tuple(row) for row in session.execute(select))
