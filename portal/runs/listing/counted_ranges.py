"""Pages of merged orders whose runs stand among others, where no histogram tells: counted in buckets first.

Histograms still tell how many runs of any kind a range holds: so what is read begins at the nearer end, and
is as much as should hold the page.
"""

from functools import lru_cache
from math import ceil
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Run
from portal.database.transactions import read
from portal.runs.counts.buckets import number_in_sql
from portal.runs.counts.histograms import BY_KEY, DAY, Histogram, key_of_id, microseconds
from portal.runs.counts.key_range import Key, RangeShape, in_range
from portal.runs.counts.thresholds import Thresholds
from portal.runs.filters.conditions import Filters, scannable
from portal.runs.listing.index_scan import IndexScan
from portal.runs.listing.key_order import KeyOrder
from portal.runs.listing.position import find_bucket, scans_of_buckets

WIDTHS = {"started_at": DAY, "completed_at": DAY, "created_at": DAY, "duration_ms": 1 << 12, "id": 1 << 20}
"""Of the buckets that are counted, by key."""
_MORE = 1.5
"""What is read for what should do, since runs are not spread evenly."""


def scans_of_counted(
    order: KeyOrder, position: int, count: int, total: int, thresholds: Thresholds
) -> list[IndexScan]:
    """What gives a page of the `total` runs of an order."""
    lacking = 0
    if order.may_lack_keys:
        lacking = read(_lacking(order.all_filters, order.key), **order.values()).scalar_one()
    keyed, scans = total - lacking, list[IndexScan]()
    here = min(count, keyed - position)
    if here > 0:
        runs = _count_nearer(order, position, here, keyed, thresholds)
        before = keyed - sum(runs.values()) if position + here > keyed - position else 0
        scans = scans_of_buckets(order, WIDTHS[order.key], runs, position - before, here)
    if here < count:
        scans.append(order.scan_without_key(max(0, position - keyed), count - max(0, here)))
    return scans


def _count_nearer(
    order: KeyOrder, position: int, here: int, keyed: int, thresholds: Thresholds
) -> dict[int, int]:
    """The runs of each bucket, from the nearer end at least to the page."""
    ahead, behind = position + here, keyed - position
    needed = min(ahead, behind)
    everything = find_bucket(order, BY_KEY[order.key], 0)[0]
    enough = ceil(needed * everything / keyed * _MORE) + thresholds.near
    if enough < everything:
        edge = find_bucket(order, BY_KEY[order.key], enough if ahead <= behind else everything - enough)[1]
        if edge is not None:
            forward = (ahead <= behind) != order.descending
            runs = _count(order, None if forward else edge.begin, edge.end if forward else None)
            if sum(runs.values()) >= needed:
                return runs
    return _count(order, None, None)


def _count(order: KeyOrder, begin: Key | None, end: Key | None) -> dict[int, int]:
    """The runs of each bucket in a range, widened to whole buckets."""
    histogram, width = BY_KEY[order.key], WIDTHS[order.key]
    if begin is not None:
        low = _number(begin) // width * width
        begin = histogram.range(low, low).begin
    if end is not None:
        high = -(-_number(end) // width) * width
        end = histogram.range(high, high).end
    range_ = order.scan(0, 0, begin, end).range
    counting = _counting(db.engine.dialect.name, order.all_filters, histogram, width, range_.shape)
    rows = read(counting, **order.values(), **range_.values())
    return {int(number, 16) if histogram.is_by_id else number: found for number, found in rows}


def _number(key: Key) -> int:
    if isinstance(key, UUID):
        return key_of_id(key.int)
    return key if isinstance(key, int) else microseconds(key)


@lru_cache(maxsize=256)
def _counting(
    dialect: str, filters: Filters, histogram: Histogram, width: int, shape: RangeShape
) -> sa.Executable:
    number = number_in_sql(dialect, histogram, width)
    counted = sa.select(number, sa.func.count()).where(*scannable(filters), *in_range(shape))
    return counted.group_by(sa.text("1"))


@lru_cache(maxsize=64)
def _lacking(filters: Filters, key: str) -> sa.Executable:
    return sa.select(sa.func.count()).where(*scannable(filters), getattr(Run, key).is_(None))
