"""Pages of a list, read in one statement: each part of a page is a walk along an index from one place on.

Runs with equal keys stand by id ascending in both directions, which is not how an index reads backwards: a
walk backwards finds the first run of the page so, and begins again with all runs of its key.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from portal.database.models import Run
from portal.runs.blocks import Bounds, Place, place_values, within
from portal.runs.filters import Filters, checked, of_statuses, status_values
from portal.runs.rows import RunRow, Texts, rows_of, run_rows

NEAR = 2048
"""So many entries of an index are walked rather than skipped."""


class Stretch(NamedTuple):
    """Where to walk: from one place up to another, so many runs after the first ones that match."""

    begin: Place
    end: Place | None
    skip: int
    take: int


class Walk(NamedTuple):
    """A part of a page: a stretch of one order, in one direction, of runs of some statuses (none: any)."""

    order: str
    descending: bool
    statuses: tuple[str, ...]
    stretch: Stretch


class _Shape(NamedTuple):
    """What the statements of walks differ by, but for values."""

    bounds: Bounds
    descending: bool
    statuses: int
    from_first: bool

    @classmethod
    def of(cls, walk: Walk) -> "_Shape":
        bounds = Bounds.of(walk.order, walk.stretch.begin, walk.stretch.end)
        from_first = not walk.stretch.skip and not bounds.ends
        return cls(bounds, walk.descending, len(walk.statuses), from_first)


def read_page(filters: Filters, values: dict[str, Any], walks: Sequence[Walk], texts: Texts) -> list[RunRow]:
    """The rows that these walks find, in the order of the walks."""
    bound = dict(values)
    for number, walk in enumerate(walks):
        begin, end, skip, count = walk.stretch
        prefix = f"w{number}_"
        bound |= {f"{prefix}skip": skip, f"{prefix}count": count}
        bound |= place_values(begin, end, prefix) | status_values(walk.statuses, prefix)
    shapes = tuple(_Shape.of(walk) for walk in walks)
    return run_rows(_page(filters._replace(statuses=0), shapes, texts), bound, texts)


@lru_cache(maxsize=512)
def _page(filters: Filters, shapes: tuple[_Shape, ...], texts: Texts) -> sa.Select[Any]:
    parts = [_part(filters, shape, number) for number, shape in enumerate(shapes)]
    if len(parts) == 1:
        page: Any = parts[0].subquery("page")
    else:
        page = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery("page")
    key = page.c.key.desc() if shapes[0].descending else page.c.key
    by_key = [key] if shapes[0].bounds.order != "id" else []
    return rows_of(page, texts).order_by(page.c.part, *by_key, page.c.id)


def _part(filters: Filters, shape: _Shape, number: int) -> sa.Select[Any]:
    """Key and id of the runs of one walk."""
    prefix = f"w{number}_"
    skip, count = (sa.bindparam(f"{prefix}{name}", type_=sa.BigInteger()) for name in ("skip", "count"))
    bounds, descending = shape.bounds, shape.descending
    key: Any = getattr(Run, bounds.order)
    part: Any = sa.literal_column(str(number)).label("part")
    page = sa.select(part, key.label("key"), Run.id.label("id"))
    among = checked(filters)
    if shape.statuses:
        among.append(of_statuses(shape.statuses, prefix))
    inside = within(bounds, prefix)
    if bounds.order == "id" or not bounds.keyed:
        ids = Run.id.desc() if descending and bounds.keyed else Run.id
        return page.where(*among, *inside).order_by(ids).limit(count).offset(skip)
    if not descending:
        return page.where(*among, *inside).order_by(key, Run.id).limit(count).offset(skip)
    backwards = page.order_by(key.desc(), Run.id).limit(count)
    if shape.from_first:
        return backwards.where(*among, *inside)
    backwards_to = sa.select(key.label("key"), Run.id.label("id")).where(*among, *inside)
    backwards_to = backwards_to.order_by(key.desc(), Run.id.desc()).limit(1).offset(skip)
    first = backwards_to.cte(f"{prefix}first")
    first_key, first_id = (sa.select(column).scalar_subquery() for column in (first.c.key, first.c.id))
    before = sa.select(sa.func.count()).where(*among, key == first_key, Run.id > first_id)
    return backwards.where(*among, key <= first_key).offset(before.scalar_subquery())
