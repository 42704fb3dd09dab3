"""The runs on a page, in order, by the way that reads least.

A list is one of three: so few runs that all are read and sorted; one order of the workflow's index, walked
where a measure says; or, by status, one such list after the other.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.models import Run
from portal.runs import seek
from portal.runs.filters import Filters, matching, values
from portal.runs.measure import ByBlocks, ByPeriods, Measure, Unmeasured
from portal.runs.orders import Order
from portal.runs.query import RunQuery
from portal.runs.rows import RunRow, Texts, rows_of, run_rows
from portal.runs.seek import Walk, read_page

FEW = 1000
"""So many runs are read one by one and sorted."""
FEW_OF_PEOPLE = 20_000
"""So many are, where the index of people's runs finds them."""
FEW_IN_WINDOW = 8000
"""So many are, where the index of creation says all that is needed."""

SEARCH_GAP = 16
"""One run in so many is supposed to be found by a search, before its runs are measured."""


def find_page(
    workflow: SeenWorkflow,
    query: RunQuery,
    counts: Mapping[str, int],
    count: int,
    texts: Texts,
) -> list[RunRow]:
    """As many runs as stand at the query's offset; `counts` are those of all statuses."""
    total = sum(counts[status] for status in query.status or counts)
    if total <= _few(query) and (_narrowed(query) or total < sum(counts.values())):
        return _gather(workflow, query, total, count, texts)
    if query.sort == "status":
        return _by_status(workflow, query, counts, count, texts)
    order = Order(workflow, query, query.sort, query.order == "desc", query.status)
    gap = sum(counts.values()) / total
    if query.search:
        gap = SEARCH_GAP
    elif query.sort == "created_at" and len(query.status) == 1:
        gap = 1  # there is an index of each status
    return _by_key(order, count, total, gap, texts)


def _few(query: RunQuery) -> int:
    """So many runs are read and sorted, rather than walked along."""
    far = _narrowed_by_window(query) and query.slice.offset * SEARCH_GAP > seek.NEAR
    if query.search:
        return FEW_OF_PEOPLE if far or query.sort == "status" else FEW
    return FEW_IN_WINDOW if far and query.sort == "status" else FEW


def needs_blocks(query: RunQuery) -> bool:
    """Whether the kept blocks of the query's order will say where its page lies, however many match."""
    if query.sort == "status" or (query.search and not _narrowed_by_window(query)):
        return False
    if query.sort == "created_at":
        windowed = bool(query.created_from or query.created_to)
        several = len(query.status) > 1
        return query.slice.offset + query.slice.limit > seek.NEAR or (windowed and several)
    return _narrowed_by_window(query) or query.slice.offset > 0


def _narrowed(query: RunQuery) -> bool:
    """Whether the list leaves out runs for more than their status."""
    return bool(query.search or query.created_from or query.created_to)


def _narrowed_by_window(query: RunQuery) -> bool:
    return bool(query.created_from or query.created_to) and query.sort != "created_at"


def _by_key(order: Order, count: int, total: int, gap: float, texts: Texts) -> list[RunRow]:
    position, bound = order.query.slice.offset, order.values()
    if _is_near(order, (position + count) * gap):
        rows = read_page(order.filters, bound, [order.with_key(position, count)], texts)
        if len(rows) < count and order.may_lack_keys:
            rows += read_page(order.filters, bound, [order.without_key(0, count - len(rows))], texts)
        return rows
    searched = order.filters.searched and not _narrowed_by_window(order.query)
    measure: Measure = ByPeriods(order) if searched else ByBlocks(order)
    return read_page(order.filters, bound, measure.walks(position, count, total), texts)


def _is_near(order: Order, entries: float) -> bool:
    """Whether the list is walked from its beginning."""
    if _narrowed_by_window(order.query) or (order.may_lack_keys and order.query.slice.offset):
        return False
    return entries <= seek.NEAR


def _by_status(
    workflow: SeenWorkflow, query: RunQuery, counts: Mapping[str, int], count: int, texts: Texts
) -> list[RunRow]:
    """One status after the other, each by id."""
    walks: list[Walk] = []
    position, order = query.slice.offset, Order(workflow, query, "id", False, ())
    for status in sorted(query.status or counts, reverse=query.order == "desc"):
        here, order = counts[status], Order(workflow, query, "id", False, (status,))
        wanted = min(count, here - position)
        if wanted > 0:
            walks += _by_id(order, position, wanted, here)
            count -= wanted
        position = max(0, position - here)
    return read_page(order.filters, order.values(), walks, texts)


def _by_id(order: Order, position: int, count: int, total: int) -> list[Walk]:
    if _narrowed(order.query):
        return Unmeasured(order).walks(position, count, total)
    if position + count <= seek.NEAR:
        return [order.with_key(position, count)]
    return ByBlocks(order).walks(position, count, total)


def _gather(workflow: SeenWorkflow, query: RunQuery, total: int, count: int, texts: Texts) -> list[RunRow]:
    """Find all that match in the narrowest index, read their keys, and sort them, the nearer end first."""
    position, backwards = query.slice.offset, 2 * query.slice.offset + count > total
    if backwards:
        position = total - position - count
    page = _gathered(Filters.of(query), query.sort, query.order == "desc", backwards, texts)
    return run_rows(page, values(workflow, query) | {"skip": position, "count": count}, texts)


@lru_cache(maxsize=256)
def _gathered(filters: Filters, sort: str, descending: bool, backwards: bool, texts: Texts) -> Any:
    """All keys apart from their order, or a planner reads an index for that."""
    key: sa.ColumnElement[Any] = getattr(Run, sort).expression
    narrow = sa.select(key.label("key"), Run.id.label("id")).where(*matching(filters))
    named = sort in ("created_at", "status")  # in all indexes that narrow
    if filters.searched and not named:
        narrow = narrow.add_columns(Run.run_number)  # or SQLite reads all of an index that has the rest
    elif not named:
        narrow = narrow.with_only_columns(Run.id.label("id"))
    found = narrow.cte("found").prefix_with("MATERIALIZED")
    if named or filters.searched:
        keys = sa.select(found.c.key, found.c.id)
    else:
        keys = sa.select(key.label("key"), Run.id.label("id")).join_from(found, Run, Run.id == found.c.id)
    skip, count = (sa.bindparam(name, type_=sa.BigInteger()) for name in ("skip", "count"))
    key, run_id = keys.selected_columns
    first = keys.order_by(*_ordering(key, run_id, sort, descending, backwards))
    page = first.offset(skip).limit(count).subquery("page")
    return rows_of(page, texts).order_by(*_ordering(page.c.key, page.c.id, sort, descending, False))


def _ordering(key: Any, run_id: Any, sort: str, descending: bool, backwards: bool) -> tuple[Any, ...]:
    """The asked order, missing keys last in both directions, ties by id ascending (contract 3.1)."""
    directed = key.desc() if descending != backwards else key.asc()
    if sort in ("started_at", "completed_at"):
        directed = directed.nulls_first() if backwards else directed.nulls_last()
    return directed, run_id.desc() if backwards else run_id.asc()
