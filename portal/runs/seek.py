"""Which runs stand on a page: found by adding up blocks and walking an index within one.

So a page deep in a list costs what the first one does. Runs with equal keys stand by id ascending in both
directions, which is not how an index reads backwards: a group of equal keys that a page cuts is read again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from portal.db import db
from portal.models import Run, RunBlock
from portal.runs.blocks import NO_KEY, NULLS, START, Place, within
from portal.runs.query import RunQuery
from portal.workflows.access import SeenWorkflow

NEAR = 2048
"""So many entries of an index are walked rather than skipped by blocks."""


class Stretch(NamedTuple):
    """Where to walk: from one place up to another, after so many runs that match."""

    begin: Place
    end: Place | None
    skip: int


@dataclass(frozen=True)
class Walk:
    """A list to read pages of: one order of a workflow's runs, one direction, some statuses."""

    workflow_id: UUID
    order: str
    descending: bool
    statuses: tuple[str, ...]
    narrowing: tuple[sa.ColumnElement[bool], ...] = ()
    """Conditions that leave whole groups of equal keys in or out."""

    def ids(self, position: int, count: int, matching: int, of: int) -> list[UUID]:
        """The ids at these positions of a list in which `matching` runs of `of` stand."""
        nulls = self.order in ("started_at", "completed_at")
        found = self._with_key(position, count, matching, of, NULLS if nulls else None)
        if nulls and len(found) < min(count, matching - position):
            keyed = self._keyed()
            found += self._forward(
                self._find(max(0, position - keyed), NULLS, None, False), count - len(found)
            )
        return found

    def _with_key(self, position: int, count: int, matching: int, of: int, end: Place | None) -> list[UUID]:
        before = 1 if self.descending and position else 0  # the run before says whether a group is cut
        first = position - before
        stretch: Stretch | None = Stretch(START, end, first)
        if (position + count) * of > NEAR * max(matching, 1):
            stretch = self._find(first, START, end, self.descending)
        if stretch is None:
            return []
        if not self.descending:
            return self._forward(stretch, count)
        return self._backward(stretch, before, count)

    def _find(self, position: int, begin: Place, end: Place | None, descending: bool) -> Stretch | None:
        """Where in the blocks between two places this position lies; None beyond the last run."""
        here = sum(
            (getattr(RunBlock, s) for s in self.statuses[1:]), start=getattr(RunBlock, self.statuses[0])
        )
        key, run_id = RunBlock.key.expression, RunBlock.id.expression
        backwards = (key.desc(), run_id.desc())
        inner = sa.select(
            key.label("key"),
            run_id.label("id"),
            here.label("here"),
            sa.func.sum(here).over(order_by=backwards if descending else (key, run_id)).label("upto"),
            sa.func.lead(key).over(order_by=(key, run_id)).label("next_key"),
            sa.func.lead(run_id, type_=run_id.type).over(order_by=(key, run_id)).label("next_id"),
        ).where(RunBlock.workflow_id == self.workflow_id, RunBlock.ordered_by == self.order)
        inner = inner.where(key >= begin[0]) if end is None else inner.where(key >= begin[0], key < end[0])
        block = inner.subquery()
        upto = block.c.upto
        row = db.session.execute(
            sa.select(block).where(upto > position, upto - block.c.here <= position)
        ).first()
        if row is None:
            return None
        following = end if row.next_key is None else (row.next_key, row.next_id)
        skip = position - int(row.upto - row.here)
        if descending:
            return Stretch(begin, following, skip)
        return Stretch((row.key, row.id), end, skip)

    def _keyed(self) -> int:
        """How many runs of the list have a key."""
        here = sum(
            (getattr(RunBlock, s) for s in self.statuses[1:]), start=getattr(RunBlock, self.statuses[0])
        )
        keyed = sa.select(sa.func.sum(here)).where(
            RunBlock.workflow_id == self.workflow_id,
            RunBlock.ordered_by == self.order,
            RunBlock.key < NO_KEY,
        )
        return int(db.session.scalar(keyed) or 0)

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


def by_status(
    workflow: SeenWorkflow, query: RunQuery, counts: Mapping[str, int], position: int, count: int
) -> list[UUID]:
    """Ids of a list by status: one status after the other, each by id."""
    ids: list[UUID] = []
    for status in sorted(set(query.status) or counts, reverse=query.order == "desc"):
        if position < counts[status] and len(ids) < count:
            walk = Walk(workflow.id, "id", False, (status,))
            wanted = min(count - len(ids), counts[status] - position)
            ids += walk.ids(position, wanted, counts[status], counts[status])
        position = max(0, position - counts[status])
    return ids
