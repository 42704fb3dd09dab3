"""Histogram buckets as they are written: changed with each run, divided where they come to hold many.

Buckets of a level exist within each bucket of the level above that holds more than `Thresholds.split` runs,
and in no other: so the buckets follow from the runs alone, whatever the order in which they came. Whoever
writes holds the row of the workflow, or of the totals of the workspace, so a bucket is divided by one writer
at a time.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain, product
from typing import Any, Protocol, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from portal.database.models import Run
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
from portal.runs.scope import WORKFLOW_COUNTS, CountTables, Kind, in_scope
from portal.runs.statuses import STATUSES

KEYS = ("histogram", "width", "number")
"""The key of a bucket within its workflow or workspace."""
BOUNDS = ("oldest", "newest")
NAMES = (*KEYS, *STATUSES, *SUMS, *BOUNDS)

_COUNTED, _SUMMED = len(STATUSES), len(STATUSES) + len(SUMS)
_NO_SUMS = [0] * len(SUMS)
_FINEST = CREATED.always[-1].width

Entry = tuple[int, int, int]
"""A run as one histogram sees it: key, position of its status, and when it was created."""
Row = tuple[Any, ...]
"""A row of a table of buckets: whose it is, then NAMES."""
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


class Change(Protocol):
    """What changes in one histogram of a workflow or a workspace."""

    @property
    def always(self) -> Mapping[Level, Buckets]:
        """The changes of the levels that always exist, widest first."""

    def within(self, above: Level, numbers: Collection[int], level: Level) -> tuple["Change", Buckets]:
        """What changes within some buckets of the level above, with the changes of one level."""


@dataclass(frozen=True)
class EntriesChange:
    """Runs that leave and enter."""

    gone: Sequence[Entry]
    come: Sequence[Entry]
    always: Mapping[Level, Buckets]

    def within(self, above: Level, numbers: Collection[int], level: Level) -> tuple[Change, Buckets]:
        gone = [entry for entry in self.gone if entry[0] // above.width in numbers]
        come = [entry for entry in self.come if entry[0] // above.width in numbers]
        return EntriesChange(gone, come, {}), _tally(level, gone, come)


Changes = Mapping[UUID, Mapping[Histogram, Change]]
"""What changes in the histograms of workflows, or of workspaces."""


@dataclass(frozen=True)
class _Frontier:
    """Changes of one level of a histogram, whose buckets may have to be divided or joined."""

    owner_id: UUID
    histogram: Histogram
    depth: int
    grown: Mapping[int, int]
    """By how many runs each bucket has grown."""
    change: Change

    @property
    def level(self) -> Level:
        return self.histogram.levels[self.depth]


def changes_of(moves: Mapping[UUID, Moves]) -> Changes:
    """What changes in the histograms of each workflow."""
    found: dict[UUID, dict[Histogram, Change]] = {}
    for workflow_id in sorted(moves):
        for histogram in HISTOGRAMS:
            gone, come = moves[workflow_id].of(histogram)
            sums = moves[workflow_id].sums_changed() if histogram is CREATED else {}
            if gone or come or sums:
                always = _always(histogram, gone, come, sums)
                found.setdefault(workflow_id, {})[histogram] = EntriesChange(gone, come, always)
    return found


def together(changes: Changes, workspace_of: Mapping[UUID, UUID]) -> Changes:
    """The same of the workspaces of those workflows that have one here."""
    parts: defaultdict[UUID, defaultdict[Histogram, list[EntriesChange]]]
    parts = defaultdict(lambda: defaultdict(list))
    for workflow_id in changes.keys() & workspace_of.keys():
        for histogram, change in changes[workflow_id].items():
            parts[workspace_of[workflow_id]][histogram].append(cast(EntriesChange, change))
    return {
        workspace_id: {histogram: _sum(of_one) for histogram, of_one in of_histograms.items()}
        for workspace_id, of_histograms in parts.items()
    }


def _sum(changes: Sequence[EntriesChange]) -> EntriesChange:
    if len(changes) == 1:
        return changes[0]
    gone = list(chain.from_iterable(change.gone for change in changes))
    come = list(chain.from_iterable(change.come for change in changes))
    always = {
        level: _add_up(chain.from_iterable(change.always[level].items() for change in changes))
        for level in changes[0].always
    }
    return EntriesChange(gone, come, always)


def apply(session: Session, tables: CountTables, changes: Changes, thresholds: Thresholds) -> None:
    """Count runs, which are written already, out of their buckets and in. Hold whose they are."""
    rows: list[Row] = []
    frontier: list[_Frontier] = []
    for owner_id in sorted(changes):
        for histogram, change in changes[owner_id].items():
            buckets: Buckets = {}
            for level, buckets in change.always.items():
                rows += _rows(owner_id, histogram, level, buckets)
            grown = {number: sum(values[:_COUNTED]) for number, values in buckets.items()}
            frontier.append(_Frontier(owner_id, histogram, len(change.always) - 1, grown, change))
    totals = add(session, tables, rows)
    while frontier:
        rows = []
        frontier = list(_below(session, tables, frontier, totals, thresholds, rows))
        totals = add(session, tables, rows)


def _always(
    histogram: Histogram, gone: Sequence[Entry], come: Sequence[Entry], sums: Mapping[int, Sequence[int]]
) -> dict[Level, Buckets]:
    """The changes of the levels that always exist, widest first; sums and bounds belong to these."""
    levels = histogram.always
    finest = _tally(levels[-1], gone, come)
    bounds: tuple[object, object] = (NO_KEY, FIRST_KEY) if histogram.of_moments else (None, None)
    width = levels[-1].width
    for number in {*sums, *(key // width for key, _, _ in come if histogram.of_moments)}:
        finest.setdefault(number, [0] * _COUNTED)
    buckets = {number: [*values, *sums.get(number, _NO_SUMS), *bounds] for number, values in finest.items()}
    if histogram.of_moments:
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
    return _add_up((number // ratio, values) for number, values in buckets.items())


def _add_up(buckets: Iterable[tuple[int, list[Any]]]) -> Buckets:
    """Changes of which several may be of one bucket, added up."""
    found: Buckets = {}
    for number, values in buckets:
        sum_ = found.get(number)
        if sum_ is None:
            found[number] = list(values)
            continue
        for position in range(_SUMMED):
            sum_[position] += values[position]
        if values[-1] is not None:
            sum_[-2], sum_[-1] = min(sum_[-2], values[-2]), max(sum_[-1], values[-1])
    return found


def _rows(owner_id: UUID, histogram: Histogram, level: Level, buckets: Buckets) -> Iterator[Row]:
    for number, values in sorted(buckets.items()):
        rest = (*_NO_SUMS, None, None) if len(values) == _COUNTED else ()
        yield (owner_id, histogram.name, level.width, number, *values, *rest)


def _below(
    session: Session,
    tables: CountTables,
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
        for number, change in part.grown.items():
            after = totals[(part.owner_id, part.histogram.name, part.level.width, number)]
            before = after - change
            if after > thresholds.split:
                (divided if 0 < before <= thresholds.split else passed).add(number)
            elif before > thresholds.split:
                joined.add(number)
        _join(session, tables, part, joined)
        if divided:
            rows += count_buckets(
                session, tables, part.owner_id, part.histogram, thresholds, part.depth + 1, divided
            )
        if passed:
            yield _following(part, passed, rows)


def _following(part: _Frontier, numbers: Collection[int], rows: list[Row]) -> _Frontier:
    """The changes one level below within these buckets, which all are divided."""
    level = part.histogram.levels[part.depth + 1]
    change, buckets = part.change.within(part.level, numbers, level)
    rows += _rows(part.owner_id, part.histogram, level, buckets)
    grown = {number: sum(values) for number, values in buckets.items()}
    return _Frontier(part.owner_id, part.histogram, part.depth + 1, grown, change)


def _join(session: Session, tables: CountTables, part: _Frontier, numbers: Iterable[int]) -> None:
    """Remove what is counted within buckets that hold few runs by now."""
    columns = table_of(tables).c
    of_histogram = columns[tables.owner] == part.owner_id, columns.histogram == part.histogram.name
    for number, level in product(sorted(numbers), part.histogram.levels[part.depth + 1 :]):
        ratio = part.level.width // level.width
        within = columns.number.between(number * ratio, (number + 1) * ratio - 1)
        session.execute(
            sa.delete(table_of(tables)).where(*of_histogram, columns.width == level.width, within)
        )


def table_of(tables: CountTables) -> sa.Table:
    return cast(sa.Table, tables.buckets.__table__)


def add(session: Session, tables: CountTables, rows: Sequence[Row]) -> dict[Row, int]:
    """Add to buckets, and say how many runs each holds then, by whose it is and KEYS."""
    least = ("min", "max") if session.get_bind().dialect.name == "sqlite" else ("least", "greatest")
    keys = (tables.owner, *KEYS)
    named = [dict(zip((tables.owner, *NAMES), row, strict=True)) for row in rows]
    total = " + ".join(STATUSES)
    found = bulk.add_rows(
        session.connection(),
        table_of(tables),
        keys,
        named,
        dict(zip(BOUNDS, least, strict=True)),
        (*keys, total),
    )
    return {_decoded_key(row[:-1]): row[-1] for row in found}


def _decoded_key(key: Sequence[object]) -> Row:
    """A key as values: SQLite gives the id as bytes."""
    owner_id = UUID(bytes=key[0]) if isinstance(key[0], bytes) else key[0]
    return owner_id, *key[1:]


def count_buckets(
    session: Session,
    tables: CountTables,
    owner_id: UUID,
    histogram: Histogram,
    thresholds: Thresholds,
    depth: int = 0,
    within: Collection[int] | None = None,
) -> Iterator[Row]:
    """The buckets that there should be, counted from the runs of a workflow or a workspace: from one level
    on, in all buckets of the level above or in those of these numbers.
    """
    level = histogram.levels[depth]
    divided: list[int] = []
    for number, *values in _grouped(session, tables, owner_id, histogram, depth, within):
        yield (owner_id, histogram.name, level.width, number, *values)
        if sum(values[:_COUNTED]) > thresholds.split:
            divided.append(number)
    if depth + 1 == len(histogram.levels):
        return
    if histogram.levels[depth + 1].always:
        yield from count_buckets(session, tables, owner_id, histogram, thresholds, depth + 1)
    elif divided:
        yield from count_buckets(session, tables, owner_id, histogram, thresholds, depth + 1, divided)


def _grouped(
    session: Session,
    tables: CountTables,
    owner_id: UUID,
    histogram: Histogram,
    depth: int,
    within: Collection[int] | None,
) -> Iterator[list[Any]]:
    """The buckets of one level, counted from the runs: numbers with counts, sums and bounds."""
    level = histogram.levels[depth]
    if within is None:
        ranges = [histogram.range(FIRST_KEY, NO_KEY)]
    else:
        ranges = list(histogram.ranges(histogram.levels[depth - 1].width, within))
    kind = Kind.WORKFLOW if tables is WORKFLOW_COUNTS else Kind.WORKSPACE
    for range_ in ranges:
        grouping = _grouping(session.get_bind().dialect.name, kind, histogram, level, range_.shape)
        for found, *values in session.execute(grouping, {tables.owner: owner_id} | range_.values()):
            yield [int(found, 16) if histogram.is_by_id else found, *map(_plain, values)]


def _plain(value: object) -> object:
    return microseconds(value) if isinstance(value, datetime) else value


@lru_cache
def _grouping(
    dialect: str, kind: Kind, histogram: Histogram, level: Level, shape: RangeShape
) -> statements.Columns:
    """Buckets of one level in a range of keys, counted from the runs."""
    number = number_in_sql(dialect, histogram, level.width)
    zeros: list[sa.ColumnElement[int]] = [sa.literal_column("0") for _ in SUMS]
    sums = sum_columns(dialect) if histogram is CREATED and level.always else zeros
    bounded = level.always and histogram.of_moments
    bounds = [sa.func.min(Run.created_at), sa.func.max(Run.created_at)] if bounded else [sa.null(), sa.null()]
    grouped = sa.select(number, *count_columns(), *sums, *bounds)
    grouped = grouped.where(*in_scope(kind, histogram.key), *in_range(shape))
    if histogram.key == "id" and not histogram.without:
        grouped = grouped.where(Run.status.in_(STATUSES))  # for its index
    return grouped.group_by(sa.text("1"))


def number_in_sql(
    dialect: str, histogram: Histogram, width: int
) -> sa.SQLColumnExpression[str] | sa.SQLColumnExpression[int]:
    """The bucket of this width that a run lies in; by id, in hexadecimal digits."""
    if histogram.is_by_id:
        text = sa.func.hex(Run.id) if dialect == "sqlite" else sa.cast(Run.id, sa.Text)
        return sa.func.substr(text, 1, digits(width))
    key: InstrumentedAttribute[Any] = getattr(Run, histogram.key)
    return bucket_column(dialect, key, width) if histogram.of_moments else key // width


def read_buckets(session: Session, tables: CountTables, owner_id: UUID) -> Iterator[Row]:
    """The buckets of a workflow or a workspace as they are stored."""
    table = table_of(tables)
    select = sa.select(*(table.c[name] for name in (tables.owner, *NAMES)))
    return (tuple(row) for row in session.execute(select.where(table.c[tables.owner] == owner_id)))


@dataclass(frozen=True)
class WholeWorkflow:
    """All runs of a workflow, which leave their workspace (sign -1) or enter it."""

    session: Session
    workflow_id: UUID
    histogram: Histogram
    sign: int
    always: Mapping[Level, Buckets]

    def within(self, above: Level, numbers: Collection[int], level: Level) -> tuple[Change, Buckets]:
        depth = self.histogram.levels.index(level)
        found = _grouped(self.session, WORKFLOW_COUNTS, self.workflow_id, self.histogram, depth, numbers)
        return self, {number: [self.sign * count for count in values[:_COUNTED]] for number, *values in found}


def changes_of_workflow(session: Session, workflow_id: UUID, sign: int) -> dict[Histogram, Change]:
    """What all runs of a workflow change in the histograms of its workspace, as they are counted."""
    levels = {
        (histogram.name, level.width): (histogram, level)
        for histogram in HISTOGRAMS
        for level in histogram.always
    }
    always: defaultdict[Histogram, dict[Level, Buckets]] = defaultdict(dict)
    for histogram, level in levels.values():
        always[histogram][level] = {}
    for _, name, width, number, *values in read_buckets(session, WORKFLOW_COUNTS, workflow_id):
        if (name, width) in levels:
            histogram, level = levels[name, width]
            numbers = [sign * value for value in values[:_SUMMED]]
            bounds = values[_SUMMED:]
            if sign < 0 and not histogram.is_by_id:
                bounds = [NO_KEY, FIRST_KEY]  # those of the other runs, whatever these are
            always[histogram][level][number] = [*numbers, *bounds]
    return {
        histogram: WholeWorkflow(session, workflow_id, histogram, sign, by_level)
        for histogram, by_level in always.items()
        if any(by_level.values())
    }
