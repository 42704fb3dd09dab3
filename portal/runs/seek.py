"""Which runs stand on a page: a measure says where to walk an index, and for how long.

So a page deep in a list costs what the first one does. Runs with equal keys stand by id ascending in both
directions, which is not how an index reads backwards: a group of equal keys that a page cuts is read again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.db import db
from portal.models import Run
from portal.runs.blocks import NO_KEY, within
from portal.runs.measure import WHOLE, WITH_KEY, WITHOUT_KEY, Half, Measure, Stretch

NEAR = 2048
"""So many entries of an index are walked rather than skipped."""


@dataclass(frozen=True)
class Walk:
    """A list to read pages of: one order of a workflow's runs, one direction, some statuses."""

    workflow_id: UUID
    order: str
    descending: bool
    statuses: tuple[str, ...]
    measure: Measure
    narrowing: tuple[sa.ColumnElement[bool], ...] = ()
    """Conditions beside the status."""
    measured: bool = False
    """Whether the beginning of the list is to be found like any other place."""

    def ids(self, position: int, count: int, total: int, gap: float) -> list[UUID]:
        """The ids at these positions of `total` runs, which are one in `gap` of those in the index."""
        nulls = self.order in ("started_at", "completed_at")
        near = not self.measured and (position + count) * gap <= NEAR
        found = self._with_key(position, count, WITH_KEY if nulls else WHOLE, near)
        if nulls and len(found) < min(count, total - position):
            after = max(0, position - self.measure.keyed())
            found += self._forward(self.measure.find(after, WITHOUT_KEY, False), count - len(found))
        return found

    def _with_key(self, position: int, count: int, half: Half, near: bool) -> list[UUID]:
        before = 1 if self.descending and position else 0  # the run before says whether a group is cut
        first = position - before
        stretch: Stretch | None = Stretch(*half, first)
        if not near:
            stretch = self.measure.find(first, half, self.descending)
        if stretch is None:
            return []
        if not self.descending:
            return self._forward(stretch, count)
        return self._backward(stretch, before, count)

    @property
    def _key(self) -> Any:
        return Run.id if self.order == "id" else getattr(Run, self.order)

    def _select(self, *conditions: sa.ColumnElement[bool]) -> Any:
        select = sa.select(self._key, Run.id).where(Run.workflow_id == self.workflow_id, *conditions)
        if len(self.statuses) < 6:
            select = select.where(Run.status.in_(self.statuses))
        return select.where(*self.narrowing)

    def _forward(self, stretch: Stretch | None, count: int) -> list[UUID]:
        if stretch is None:
            return []
        select = self._select(*within(self.order, stretch.begin, stretch.end))
        keyed = self.order != "id" and stretch.begin[0] != NO_KEY
        select = select.order_by(*((self._key, Run.id) if keyed else (Run.id,)))
        rows = db.session.execute(select.offset(stretch.skip).limit(count))
        return [run_id for _, run_id in rows]

    def _backward(self, stretch: Stretch, before: int, count: int) -> list[UUID]:
        """Read an index backwards from the end of a stretch, and put groups of equal keys in order."""
        select = self._select(*within(self.order, stretch.begin, stretch.end))
        select = select.order_by(self._key.desc(), Run.id.desc())
        rows = db.session.execute(select.offset(stretch.skip).limit(before + count + 1)).all()
        page = rows[before : before + count]
        if not page:
            return []
        begins_cut = bool(before) and rows[0][0] == page[0][0]
        ends_cut = len(rows) > before + count and rows[-1][0] == page[-1][0]
        return list(self._settle(page, begins_cut, ends_cut))

    def _settle(self, page: Sequence[Any], begins_cut: bool, ends_cut: bool) -> Iterator[UUID]:
        groups = [(key, [row[1] for row in rows]) for key, rows in groupby(page, key=lambda row: row[0])]
        for number, (key, ids) in enumerate(groups):
            cut_before = begins_cut and number == 0
            if not cut_before and not (ends_cut and number == len(groups) - 1):
                yield from sorted(ids)
                continue
            skip = self._group_before(key, ids[0]) if cut_before else 0
            group = self._select(self._key == key).order_by(Run.id).offset(skip).limit(len(ids))
            yield from (run_id for _, run_id in db.session.execute(group))

    def _group_before(self, key: Any, run_id: UUID) -> int:
        """How many runs of a group of equal keys the pages before hold."""
        group = self._select(self._key == key, Run.id > run_id).subquery()
        return db.session.scalar(sa.select(sa.func.count()).select_from(group)) or 0
