"""The access path of a page: the way to its runs that reads least.

A list is one of three: so few runs that all are read and sorted; one order of an index, scanned from where
histograms say; or, by status, one such list after the other. A workspace has an index of its runs by creation
alone: in its other orders, and for some of its workflows, a narrow range of keys is read from the indexes of
its workflows and sorted.
"""

from collections.abc import Mapping
from functools import lru_cache
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import PersonRuns, Run
from portal.database.sql import statements
from portal.database.transactions import read
from portal.runs.counts.reading import Counts
from portal.runs.counts.thresholds import Thresholds
from portal.runs.filters.conditions import Filters, filtering, matching, scannable, values
from portal.runs.filters.triggered_by import PEOPLE_NAMED
from portal.runs.listing.counted_ranges import scans_of_counted
from portal.runs.listing.index_scan import IndexScan, read_page
from portal.runs.listing.key_order import KeyOrder
from portal.runs.listing.position import (
    first_scan_of_window,
    scans_by_histogram,
    scans_of_people,
    scans_of_window,
)
from portal.runs.listing.rows import RunRow, Texts, rows_of, run_rows
from portal.runs.query import RunQuery, SortValue
from portal.runs.scope import Kind, Scope, in_workflows


def find_page(
    scope: Scope,
    query: RunQuery,
    counted: Counts,
    count: int,
    texts: Texts,
    thresholds: Thresholds,
) -> list[RunRow]:
    """The page of `count` runs at the query's offset."""
    counts, descending = counted.by_status, query.order == "desc"
    total = sum(counts[status] for status in query.status or counts)
    if query.others:  # no index or histogram knows of them
        return _sorted_page(scope, query, total, count, texts)
    few = total <= _most_sorted(query, thresholds)
    if few and (_is_narrowed(query) or total < sum(counts.values())):
        return _sorted_page(scope, query, total, count, texts)
    beyond = counted.longer if descending else counted.shorter
    before = sum(beyond[status] for status in query.status or beyond) if query.sort == "duration" else 0
    order = KeyOrder(scope, query, query.sort_column, descending, query.status, before)
    if order.is_merged and query.sort != "status" and _stands_among_others(order):
        scans = scans_of_counted(order, query.slice.offset, count, total, thresholds)
        return read_page(order.all_filters, order.values(), scans, texts)
    if (
        order.is_residual
        and not order.is_merged
        and _is_sorted(order, total, count, counted.in_all, thresholds)
    ):
        return _sorted_page(scope, query, total, count, texts)
    if query.sort == "status":
        return _by_status(scope, query, counts, count, texts, thresholds)
    if order.is_residual:
        return _nearer_end(order, total, count, texts)
    gap = sum(counts.values()) / total
    if query.search:
        gap = thresholds.search_gap
    elif query.sort == "created_at" and len(query.status) == 1 and scope.kind is Kind.WORKFLOW:
        gap = 1  # there is an index of each status
    return _by_key(order, total, count, gap, texts, thresholds)


def _stands_among_others(order: KeyOrder) -> bool:
    """Whether the runs of a merged order are told by no histogram, and by no sum of its days or periods."""
    return order.is_residual or bool(order.query.search and order.window_is_residual)


def _most_sorted(query: RunQuery, thresholds: Thresholds) -> int:
    """Up to how many runs are read and sorted, rather than found along an index."""
    windowed = _is_windowed(query) and query.sort != "created_at"
    far = windowed and query.slice.offset * thresholds.search_gap > thresholds.near
    if query.search:
        return thresholds.sorted_of_people if far or query.sort == "status" else thresholds.sorted
    return thresholds.sorted_of_window if far and query.sort == "status" else thresholds.sorted


def _is_narrowed(query: RunQuery) -> bool:
    """Whether the list leaves out runs for more than their status."""
    return bool(query.search) or _is_windowed(query) or query.by_duration


def _by_key(
    order: KeyOrder, total: int, count: int, gap: float, texts: Texts, thresholds: Thresholds
) -> list[RunRow]:
    query, position = order.query, order.query.slice.offset
    if order.is_merged:
        scans = _merged_scans(order, position, count, thresholds)
        return read_page(order.filters, order.values(), scans, texts)
    is_near = (position + count) * gap <= thresholds.near
    if order.window_is_residual and (query.search or not position):
        return _and_without_key(order, first_scan_of_window(order, position, count), total, count, texts)
    if is_near and not order.window_is_residual and not (order.may_lack_keys and position):
        return _and_without_key(order, [order.scan(position, count)], total, count, texts)
    if order.window_is_residual or (_is_windowed(query) and not query.search):
        scans = scans_of_window(order, position, count)
    elif query.search:
        scans = scans_of_people(order, position, count)
    else:
        scans = scans_by_histogram(order, position, count, thresholds)
    return read_page(order.filters, order.values(), scans, texts)


def _merged_scans(order: KeyOrder, position: int, count: int, thresholds: Thresholds) -> list[IndexScan]:
    if _is_windowed(order.query) and (order.window_is_residual or not order.query.search):
        return scans_of_window(order, position, count)
    if order.query.search:
        return scans_of_people(order, position, count)
    return scans_by_histogram(order, position, count, thresholds)


def _is_sorted(order: KeyOrder, total: int, count: int, in_all: int, thresholds: Thresholds) -> bool:
    """Whether all runs of a list that no histogram tells are read and sorted, which costs less than a scan
    that passes over others.
    """
    position = order.query.slice.offset
    passed = (min(position, total - position - count) + count) * in_all / total
    looked_up = order.key in ("started_at", "completed_at")
    each = thresholds.looked_up_like if looked_up else thresholds.sorted_like
    return total * each <= passed


def _nearer_end(order: KeyOrder, total: int, count: int, texts: Texts) -> list[RunRow]:
    """The page of a scan that passes over other runs, from the nearer end."""
    position = order.query.slice.offset
    if not position:
        return _and_without_key(order, [order.scan(position, count)], total, count, texts)
    lacking = 0
    if order.may_lack_keys:
        lacking = read(_counting_without(order.filters, order.key), **order.values()).scalar_one()
    keyed, scans = total - lacking, []
    if position < keyed:
        scans.append(order.scan(position, min(count, keyed - position)).nearer(keyed))
    if position + count > keyed:
        offset = max(0, position - keyed)
        rest = order.scan_without_key(offset, position + count - keyed - offset)
        scans.append(rest.nearer(lacking))
    return read_page(order.filters, order.values(), scans, texts)


def _is_windowed(query: RunQuery) -> bool:
    return bool(query.created_from or query.created_to)


def _and_without_key(
    order: KeyOrder, scans: list[IndexScan], total: int, count: int, texts: Texts
) -> list[RunRow]:
    """The rows of a scan, which ends where the runs with a key do, and then those without one."""
    rows = read_page(order.filters, order.values(), scans, texts) if scans else []
    if len(rows) == count or not order.may_lack_keys:
        return rows
    offset = order.query.slice.offset
    if rows or not offset:
        offset = 0
    else:
        lacking = read(_counting_without(order.filters, order.key), **order.values()).scalar_one()
        offset -= total - lacking
    rest = order.scan_without_key(offset, count - len(rows))
    return rows + read_page(order.filters, order.values(), [rest], texts)


@lru_cache(maxsize=64)
def _counting_without(filters: Filters, key: str) -> sa.Executable:
    return sa.select(sa.func.count()).where(*scannable(filters), getattr(Run, key).is_(None))


def _by_status(
    scope: Scope,
    query: RunQuery,
    counts: Mapping[str, int],
    count: int,
    texts: Texts,
    thresholds: Thresholds,
) -> list[RunRow]:
    """One status after the other, each by id."""
    scans: list[IndexScan] = []
    position, order = query.slice.offset, KeyOrder(scope, query, "id", False, ())
    for status in sorted(query.status or counts, reverse=query.order == "desc"):
        here, order = counts[status], KeyOrder(scope, query, "id", False, (status,))
        wanted = min(count, here - position)
        if wanted > 0:
            scans += _by_id(order, position, wanted, here, thresholds)
            count -= wanted
        position = max(0, position - here)
    return read_page(order.filters, order.values(), scans, texts)


def _by_id(order: KeyOrder, position: int, count: int, total: int, thresholds: Thresholds) -> list[IndexScan]:
    """What is narrowed is not counted by id: it is scanned from the nearer end, or counted first."""
    if order.is_merged and _is_narrowed(order.query):
        return scans_of_counted(order, position, count, total, thresholds)
    if _is_narrowed(order.query) and 2 * position + count > total:
        backwards = KeyOrder(order.scope, order.query, "id", True, order.statuses)
        return [backwards.scan(total - position - count, count)]
    is_near = position + count <= thresholds.near and not order.is_merged
    if _is_narrowed(order.query) or is_near:
        return [order.scan(position, count)]
    return scans_by_histogram(order, position, count, thresholds)


def _sorted_page(scope: Scope, query: RunQuery, total: int, count: int, texts: Texts) -> list[RunRow]:
    """Find all that match in the narrowest index, read their keys, and sort them, the nearer end first."""
    position, backwards = query.slice.offset, 2 * query.slice.offset + count > total
    if backwards:
        position = total - position - count
    page = _sorting(Filters.of(scope, query), query.sort_column, query.order == "desc", backwards, texts)
    return run_rows(page, values(scope, query) | {"offset": position, "limit": count}, texts)


@lru_cache(maxsize=256)
def _sorting(
    filters: Filters, sort: str, descending: bool, backwards: bool, texts: Texts
) -> statements.Columns:
    """All keys apart from their order, or a planner reads an index for that."""
    key: sa.ColumnElement[SortValue] = getattr(Run, sort).expression
    narrow: statements.Columns = sa.select(key.label("key"), Run.id.label("id"))
    paired = filters.searched and filters.scope is not Kind.WORKFLOW
    if paired:
        who = _runs_of_people(filters.scope)
        by_them = (Run.workflow_id == who.c.workflow_id) & (Run.person_id == who.c.person_id)
        rest = filtering(filters._replace(searched=False))
        narrow = narrow.join_from(who, Run, by_them).where(*rest)
    else:
        narrow = narrow.where(*matching(filters))
    named = sort in ("created_at", "status")  # in all indexes that narrow
    named = named or (sort == "duration_ms" and filters.narrow_by_more_than_status and not paired)
    covered = named or (filters.searched and not paired)
    if covered and not named:
        narrow = narrow.add_columns(Run.run_number)  # or SQLite reads all of an index that has the rest
    elif not named:
        narrow = narrow.with_only_columns(Run.id.label("id"))
    found = narrow.cte("found").prefix_with("MATERIALIZED")
    if covered:
        keys = sa.select(found.c.key, found.c.id)
    else:
        keys = sa.select(key.label("key"), Run.id.label("id")).join_from(found, Run, Run.id == found.c.id)
    offset, limit = (sa.bindparam(name, type_=sa.BigInteger()) for name in ("offset", "limit"))
    key, run_id = keys.selected_columns
    first = keys.order_by(*_ordering(key, run_id, sort, descending, backwards))
    page = first.offset(offset).limit(limit).subquery("page")
    return rows_of(page, texts).order_by(*_ordering(page.c.key, page.c.id, sort, descending, False))


def _runs_of_people(kind: Kind) -> sa.CTE:
    """The workflows of a scope with those people searched for who have runs of them."""
    pairs = sa.select(PersonRuns.workflow_id, PersonRuns.person_id)
    pairs = pairs.where(PersonRuns.person_id.in_(PEOPLE_NAMED), in_workflows(kind, PersonRuns.workflow_id))
    return pairs.cte("who").prefix_with("MATERIALIZED")


def _ordering(
    key: sa.ColumnElement[SortValue],
    run_id: sa.ColumnElement[UUID],
    sort: str,
    descending: bool,
    backwards: bool,
) -> tuple[sa.ColumnElement[SortValue], sa.ColumnElement[UUID]]:
    """The order of the query, missing keys last in both directions, ties by id ascending (contract 3.1)."""
    directed = key.desc() if descending != backwards else key.asc()
    if sort not in ("created_at", "status"):
        directed = directed.nulls_first() if backwards else directed.nulls_last()
    return directed, run_id.desc() if backwards else run_id.asc()
