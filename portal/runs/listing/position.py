"""Where in an index a position of a list lies: told by cumulative counts of histogram buckets."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import accumulate

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, aliased

from portal.database.engine import db
from portal.database.models import Run, RunBucket
from portal.database.sql import statements
from portal.database.transactions import read
from portal.moments import EPOCH
from portal.runs.counts import grains
from portal.runs.counts.histograms import (
    BY_KEY,
    DAY,
    FIRST_KEY,
    WITHOUT,
    Histogram,
    microseconds,
)
from portal.runs.counts.key_range import KeyRange
from portal.runs.counts.periods import in_edge, in_whole, whole_periods
from portal.runs.counts.thresholds import Thresholds
from portal.runs.filters.conditions import Filters, matching, scannable
from portal.runs.filters.triggered_by import PEOPLE_NAMED
from portal.runs.listing.index_scan import IndexScan
from portal.runs.listing.key_order import KeyOrder
from portal.runs.scope import Kind, counts_of, owner_of
from portal.runs.statuses import STATUSES


def scans_by_histogram(order: KeyOrder, position: int, count: int, thresholds: Thresholds) -> list[IndexScan]:
    """What gives a page of all runs of the statuses."""
    position += order.before
    keyed, range_, offset = find_bucket(order, BY_KEY[order.key], position)
    scans = []
    if range_ is not None:
        here = min(count, keyed - position)
        last = _last_bucket(order, BY_KEY[order.key], position + here)
        scans.append(order.scan_onwards(offset, here, range_, last))
    lacking = position + count - keyed
    if order.may_lack_keys and lacking > 0:
        here, offset, begin, end = min(count, lacking), max(0, position - keyed), None, None
        if order.is_merged or offset > thresholds.near:
            last = _last_bucket(order, WITHOUT[order.key], offset + here)
            _, range_, offset = find_bucket(order, WITHOUT[order.key], offset)
            begin, end = range_ and range_.begin, last and last.end
        scans.append(order.scan_without_key(offset, here, begin, end))
    return scans


def _last_bucket(order: KeyOrder, histogram: Histogram, upto: int) -> KeyRange | None:
    """The bucket of the last run of a page, where its scan must not go on beyond that."""
    return find_bucket(order, histogram, upto - 1)[1] if order.is_merged else None


def find_bucket(order: KeyOrder, histogram: Histogram, position: int) -> tuple[int, KeyRange | None, int]:
    """How many runs a histogram counts, the narrowest bucket that has a position, and where in it that is."""
    descending = order.descending and not histogram.without
    kind = order.scope.kind
    finding = _finding(kind, histogram, order.statuses, descending)
    total, found = 0, None
    for depth, number, before in sorted(
        tuple(row) for row in read(finding, **order.scope.values, position=position)
    ):
        if depth < 0:
            total = int(before or 0)
        else:
            width = histogram.levels_of(kind)[depth].width
            found = histogram.range(number * width, (number + 1) * width), position - int(before)
    return (total, *found) if found else (total, None, position)


@lru_cache(maxsize=256)
def _finding(kind: Kind, histogram: Histogram, statuses: tuple[str, ...], descending: bool) -> sa.Executable:
    """For each level that has the position: depth, number of the bucket, and how many runs stand before it.
    With depth -1 the number of all runs. A level is read within one bucket of the level above.
    """
    levels: list[sa.CTE] = []
    steps = histogram.levels_of(kind)
    for level in steps:
        bucket = aliased(kind.counts.buckets)
        here = _runs_of(bucket, statuses)
        conditions = [
            counts_of(kind, bucket),
            bucket.histogram == sa.literal_column(f"'{histogram.name}'"),
            bucket.width == _literal(level.width),
        ]
        before: sa.ColumnElement[int] = _literal(0)
        if levels:
            above, ratio = levels[-1].c, steps[len(levels) - 1].width // level.width
            before = sa.select(above.before).scalar_subquery()
            first, end = (
                sa.select((above.number + more) * _literal(ratio)).scalar_subquery()
                for more in (_literal(0), _literal(1))
            )
            conditions += [bucket.number >= first, bucket.number < end]
        by_number = bucket.number.desc() if descending else bucket.number
        if kind is Kind.WORKFLOWS:
            here = sa.func.sum(here)
        upto = sa.func.sum(here).over(order_by=by_number) + before
        cumulative = sa.select(bucket.number, here.label("here"), upto.label("upto")).where(*conditions)
        if kind is Kind.WORKFLOWS:
            cumulative = cumulative.group_by(bucket.number)
        rows = cumulative.subquery()
        direction = rows.c.number.desc() if descending else rows.c.number
        found = sa.select(rows.c.number, (rows.c.upto - rows.c.here).label("before"))
        found = found.where(rows.c.upto > sa.bindparam("position", type_=sa.BigInteger()))
        levels.append(found.order_by(direction).limit(1).cte(f"level_{len(levels)}"))
    table = kind.counts.buckets
    widest = table.width == _literal(histogram.levels[0].width)
    total = sa.select(_literal(-1), _literal(0), sa.func.sum(_runs_of(table, statuses))).where(
        *_of_histogram(kind, histogram), widest
    )
    return sa.union_all(
        total,
        *(sa.select(_literal(depth), level.c.number, level.c.before) for depth, level in enumerate(levels)),
    )


def _literal(number: int) -> sa.ColumnElement[int]:
    return sa.literal_column(str(number))


def _runs_of(table: object, statuses: Sequence[str]) -> sa.ColumnElement[int]:
    """How many runs of these statuses (none: any) a bucket has, in SQL; `table` has its columns by name."""
    first, *rest = (getattr(table, status) for status in statuses or STATUSES)
    total: sa.ColumnElement[int] = sum(rest, start=first)
    return total


def _of_histogram(kind: Kind, histogram: Histogram) -> list[sa.ColumnElement[bool]]:
    table = kind.counts.buckets
    return [counts_of(kind, table), table.histogram == sa.literal_column(f"'{histogram.name}'")]


def scans_of_window(order: KeyOrder, position: int, count: int) -> list[IndexScan]:
    """What gives a page of the runs of a window of created_at: its days are added up."""
    filters = Filters.of(order.scope, order.query)._replace(statuses=len(order.statuses))
    counting = _days_of_window(db.engine.dialect.name, BY_KEY[order.key], filters, order.statuses)
    days: dict[int, int] = {}
    for day, here in read(counting, **_window_values(order)):
        days[day] = days.get(day, 0) + int(here)
    return scans_of_buckets(order, DAY, days, position, count)


def first_scan_of_window(order: KeyOrder, position: int, count: int) -> list[IndexScan]:
    """The same of a workflow, without counting: a scan from the first day on that has such runs."""
    finding = _first_day_of_window(BY_KEY[order.key], order.descending)
    number = read(finding, **_window_values(order)).scalar()
    if number is None:
        return []
    day = BY_KEY[order.key].range(number * DAY, (number + 1) * DAY)
    return [order.scan_onwards(position, count, day)]


def _window_values(order: KeyOrder) -> statements.Values:
    query = order.query
    earliest = microseconds(query.created_from) if query.created_from else FIRST_KEY
    return order.values() | {"earliest": earliest, "latest": microseconds(query.created_to)}


def _in_window(kind: Kind, histogram: Histogram) -> list[sa.ColumnElement[bool]]:
    """The conditions on buckets to be days that may have runs of the window."""
    table = kind.counts.buckets
    conditions = [*_of_histogram(kind, histogram), table.width == _literal(DAY)]
    return [*conditions, table.newest >= _EARLIEST, table.oldest <= _LATEST]


_EARLIEST, _LATEST = (sa.bindparam(name, type_=sa.BigInteger()) for name in ("earliest", "latest"))


@lru_cache
def _first_day_of_window(histogram: Histogram, descending: bool) -> sa.Executable:
    number = RunBucket.number.desc() if descending else RunBucket.number
    of_days = _in_window(Kind.WORKFLOW, histogram)
    return sa.select(RunBucket.number).where(*of_days).order_by(number).limit(1)


def _begin_of_day(
    dialect: str, column: InstrumentedAttribute[datetime], number: sa.SQLColumnExpression[int]
) -> sa.ColumnElement[datetime]:
    """When a day begins, in SQL."""
    if dialect == "postgresql":
        epoch: sa.ColumnElement[datetime] = sa.literal_column(f"TIMESTAMPTZ '{EPOCH.isoformat()}'")
        return epoch + number * sa.literal_column("INTERVAL '24 hours'")
    return sa.type_coerce(number * _literal(DAY), column.type)


@lru_cache(maxsize=256)
def _days_of_window(
    dialect: str, histogram: Histogram, filters: Filters, statuses: tuple[str, ...]
) -> sa.Executable:
    """Number of each day and its runs of the window, which are counted where the day has other runs too.

    Of several workflows, each has its own days.
    """
    table = filters.scope.counts.buckets
    column: InstrumentedAttribute[datetime] = getattr(Run, histogram.key)
    begin, end = (_begin_of_day(dialect, column, number) for number in (table.number, table.number + 1))
    conditions = scannable(filters, histogram.key)
    if filters.scope is Kind.WORKFLOWS:
        conditions.append(Run.workflow_id == owner_of(table))
    counted = sa.select(sa.func.count()).where(*conditions, column >= begin, column < end)
    whole = sa.and_(table.oldest >= _EARLIEST, table.newest <= _LATEST)
    here = sa.case(
        (whole, _runs_of(table, statuses)), else_=counted.correlate(table.__table__).scalar_subquery()
    )
    return sa.select(table.number, here).where(*_in_window(filters.scope, histogram))


def scans_of_people(order: KeyOrder, position: int, count: int) -> list[IndexScan]:
    """What gives a page of the runs of the people searched for: their periods are added up."""
    query, by_creation = order.query, order.key == "created_at"
    window = whole_periods(
        query.created_from if by_creation else None,
        query.created_to if by_creation else None,
        grains.PERIOD_DAYS,
    )
    bound = order.values() | window.values | {"ordered_by": order.key}
    for number, edge in enumerate(window.edges):
        bound[f"edge_{number}"] = grains.period_of(microseconds(edge.begin))
    runs: dict[int, int] = {}
    counting = _periods_of_people(order.scope.kind, order.statuses, len(window.edges))
    for period, here in read(counting, **bound):
        runs[period] = runs.get(period, 0) + int(here)
    runs.pop(grains.NO_PERIOD, None)
    return scans_of_buckets(order, grains.PERIOD_DAYS * DAY, runs, position, count)


@lru_cache(maxsize=256)
def _periods_of_people(kind: Kind, statuses: tuple[str, ...], edges: int) -> sa.Executable:
    """Periods and how many runs each has; the edges of a window counted."""
    table, period = kind.counts.periods, kind.counts.periods.period
    whole = sa.select(period, sa.func.sum(table.of(statuses))).group_by(period)
    whole = whole.where(
        counts_of(kind, table),
        table.ordered_by == sa.bindparam("ordered_by"),
        table.person_id.in_(PEOPLE_NAMED),
        in_whole(period),
    )
    among = matching(Filters(statuses=len(statuses), searched=True, scope=kind), "created_at")
    edge = [sa.bindparam(f"edge_{number}", type_=sa.Integer()) for number in range(edges)]
    return sa.union_all(
        whole, *(sa.select(edge[n], sa.func.count()).where(*among, in_edge(n)) for n in range(edges))
    )


def scans_of_buckets(
    order: KeyOrder, width: int, runs: Mapping[int, int], position: int, count: int
) -> list[IndexScan]:
    """What gives a page of a list whose runs with a key are all counted, by bucket of this width."""
    found: list[IndexScan] = []
    numbers = sorted(runs, reverse=order.descending)
    upto = list(accumulate(runs[number] for number in numbers))
    keyed = upto[-1] if upto else 0
    if position < keyed:
        at = bisect_right(upto, position)
        offset, here = position - (upto[at - 1] if at else 0), min(count, keyed - position)
        end = bisect_right(upto, position + here - 1) if order.is_merged else -1
        bucket, last = (
            BY_KEY[order.key].range(number * width, (number + 1) * width)
            for number in (numbers[at], numbers[end])
        )
        found.append(order.scan_onwards(offset, here, bucket, last))
    lacking = position + count - keyed
    if order.may_lack_keys and lacking > 0:
        found.append(order.scan_without_key(max(0, position - keyed), min(count, lacking)))
    return found
