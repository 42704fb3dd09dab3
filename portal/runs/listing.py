"""Lists of runs: filters, order, exact totals.

In two to three statements: the counts, and with them where a deep page lies; then the page.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.transactions import read
from portal.paging import Page
from portal.runs.counts import Counting, by_status
from portal.runs.kept import reading, recall, remember
from portal.runs.page_ids import find_page, needs_blocks
from portal.runs.query import STATUSES, RunQuery
from portal.runs.rows import RunRow, Texts


def list_runs(workflow: SeenWorkflow, query: RunQuery, texts: Texts = Texts.LISTED) -> Page[RunRow]:
    """One page of a workflow's runs and the exact number of all that match."""
    query = replace(query, status=tuple(status for status in STATUSES if status in query.status))
    counting = Counting.of(workflow, query)
    if needs_blocks(query) and recall(workflow, query.sort, query.status) is None:
        statement = _with_blocks(counting.statement, query.status)
        rows = read(statement, **counting.values, ordered_by=query.sort).all()
        counts = by_status([row[1:] for row in rows if row[0] is None])
        remember(workflow, query.sort, query.status, [row[:5] for row in rows if row[0] is not None])
    else:
        counts = by_status(read(counting.statement, **counting.values).all())
    total = sum(counts[status] for status in query.status or counts)
    count = min(query.slice.limit, total - query.slice.offset)
    page = find_page(workflow, query, counts, count, texts) if count > 0 else []
    return Page(page, total, query.slice)


@lru_cache(maxsize=256)
def _with_blocks(counting: Any, statuses: tuple[str, ...]) -> Any:
    """Rows of six counts and rows of the kept blocks of an order, which alone begin with an id."""
    counts, blocks = counting.subquery(), reading(statuses).subquery()
    whole = [sa.cast(count, sa.BigInteger) for count in counts.c]
    nothing: Any = sa.literal_column("0")
    return sa.union_all(sa.select(sa.null(), *whole), sa.select(*blocks.c, nothing, nothing))
