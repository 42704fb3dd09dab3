"""Pages of a list, read in one statement: each part of a page is a scan of a range of an index.

Runs with equal keys stand by id ascending in both directions, which is not how an index reads backwards: a
scan backwards finds the first run of the page so, and begins again with all runs of its key. Where no index
has an order, the ranges of the workflows are sorted together: whoever asks for that bounds them on both ends.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from portal.database.models import Run
from portal.database.sql import statements
from portal.runs.counts.key_range import Key, KeyRange, RangeShape, in_range
from portal.runs.filters.conditions import Filters, scannable
from portal.runs.filters.status import of_statuses, status_values
from portal.runs.listing.rows import RunRow, Texts, rows_of, run_rows


class IndexScan(NamedTuple):
    """A part of a page: a range in one direction, runs of some statuses (none: any), by offset and limit.

    `from_end` says that the offset is counted from the end of the part of the list, which is read backwards.
    """

    range: KeyRange
    descending: bool
    statuses: tuple[str, ...]
    offset: int
    limit: int
    from_end: bool = False

    def nearer(self, total: int) -> "IndexScan":
        """The same runs of a part of this many, read from its nearer end."""
        rest = total - self.offset - self.limit
        return self._replace(offset=rest, from_end=True) if rest < self.offset else self


class _Shape(NamedTuple):
    """What the statements of scans differ by, but for values."""

    range: RangeShape
    descending: bool
    statuses: int
    from_first: bool
    from_end: bool

    @classmethod
    def of(cls, scan: IndexScan) -> "_Shape":
        return cls(scan.range.shape, scan.descending, len(scan.statuses), not scan.offset, scan.from_end)


def read_page(
    filters: Filters, values: statements.Values, scans: Sequence[IndexScan], texts: Texts
) -> list[RunRow]:
    """The rows that these scans find, in the order of the scans."""
    bound = dict(values)
    for number, scan in enumerate(scans):
        prefix = f"s{number}_"
        bound |= {f"{prefix}offset": scan.offset, f"{prefix}limit": scan.limit}
        bound |= scan.range.values(prefix) | status_values(scan.statuses, prefix)
    shapes = tuple(_Shape.of(scan) for scan in scans)
    return run_rows(_page(filters._replace(statuses=0), shapes, texts), bound, texts)


@lru_cache(maxsize=512)
def _page(filters: Filters, shapes: tuple[_Shape, ...], texts: Texts) -> statements.Columns:
    parts = [_part(filters, shape, number) for number, shape in enumerate(shapes)]
    if len(parts) == 1:
        page = parts[0].subquery("page")
    else:
        page = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery("page")
    key = page.c.key.desc() if shapes[0].descending else page.c.key
    by_key = [key] if shapes[0].range.key != "id" else []
    return rows_of(page, texts).order_by(page.c.part, *by_key, page.c.id)


def _part(filters: Filters, shape: _Shape, number: int) -> statements.Columns:
    """Key and id of the runs of one scan."""
    prefix = f"s{number}_"
    offset, limit = (sa.bindparam(f"{prefix}{name}", type_=sa.BigInteger()) for name in ("offset", "limit"))
    key: InstrumentedAttribute[Key | None] = getattr(Run, shape.range.without or shape.range.key)
    part: sa.Label[int] = sa.literal_column(str(number)).label("part")
    page = sa.select(part, key.label("key"), Run.id.label("id")).limit(limit)
    merged = filters.scope.is_merged(None if shape.range.without else shape.range.key)
    among = scannable(filters, None if merged else shape.range.key)
    if shape.statuses:
        among.append(of_statuses(shape.statuses, prefix))
    inside = in_range(shape.range, prefix)
    falls = shape.descending != shape.from_end
    if shape.range.key == "id":
        ids = Run.id.desc() if falls else Run.id
        return page.where(*among, *inside).order_by(ids).offset(offset)
    keys, along, back = (key.desc(), Run.id.desc(), Run.id) if falls else (key, Run.id, Run.id.desc())
    if not shape.descending:  # as an index reads, in one direction or the other
        return page.where(*among, *inside).order_by(keys, along).offset(offset)
    across = page.order_by(keys, back)
    if merged:
        return across.where(*among, *inside).offset(offset)
    if shape.from_first:
        return across.where(*among, *inside)
    ends_at = sa.select(key.label("key"), Run.id.label("id")).where(*among, *inside)
    first = ends_at.order_by(keys, along).limit(1).offset(offset).cte(f"{prefix}first")
    first_key, first_id = (sa.select(column).scalar_subquery() for column in (first.c.key, first.c.id))
    passed = Run.id > first_id if falls else Run.id < first_id
    before = sa.select(sa.func.count()).where(*among, key == first_key, passed)
    rest = shape.range._replace(ends=False) if falls else shape.range._replace(begins=False)
    onwards = [*in_range(rest, prefix), key <= first_key if falls else key >= first_key]
    return across.where(*among, *onwards).offset(before.scalar_subquery())
