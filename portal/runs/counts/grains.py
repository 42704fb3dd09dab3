"""Counts of runs per workflow or workspace, and per person: which tables, what a row of each stands for."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Run, Workflow
from portal.database.sql import bulk, statements
from portal.runs.counts.columns import bucket_column, count_columns
from portal.runs.counts.histograms import DAY, NO_KEY, Keys
from portal.runs.scope import WORKFLOW_COUNTS, WORKSPACE_COUNTS, CountTables
from portal.runs.statuses import STATUSES

MOMENTS = ("created_at", "started_at", "completed_at")
PERIOD_DAYS = 32
NO_PERIOD = 2**31 - 1
"""The period of runs that have not started, or not completed."""

OwnKey = tuple[object, ...]
"""The key of a row within its workflow or workspace."""
Key = tuple[UUID, *tuple[object, ...]]
"""The key of a row: the workflow or workspace, and the key within it."""
Counts = list[defaultdict[OwnKey, list[int]]]
"""For each grain the counts of a workflow or workspace by key."""


@dataclass(frozen=True)
class Grain:
    """One table of counts by status, and the columns that tell its rows apart, the owner's first."""

    table: sa.Table
    keys: tuple[str, ...]

    @property
    def owner(self) -> sa.Column[UUID]:
        """The workflow or workspace of a row."""
        return self.table.c[self.keys[0]]


def _grains(tables: CountTables) -> tuple[Grain, Grain, Grain]:
    owner = tables.owner
    return (
        Grain(cast(sa.Table, tables.totals.__table__), (owner,)),
        Grain(cast(sa.Table, tables.people.__table__), (owner, "person_id")),
        Grain(cast(sa.Table, tables.periods.__table__), (owner, "ordered_by", "person_id", "period")),
    )


GRAINS = {tables: _grains(tables) for tables in (WORKFLOW_COUNTS, WORKSPACE_COUNTS)}
"""Totals, people and periods."""


def no_counts() -> Counts:
    return [defaultdict(partial(list, [0] * len(STATUSES))) for _ in GRAINS[WORKFLOW_COUNTS]]


def period_of(key: int) -> int:
    """The period of PERIOD_DAYS days that a moment lies in, counted from 1970-01-01."""
    return NO_PERIOD if key == NO_KEY else key // (PERIOD_DAYS * DAY)


def count(counts: Counts, sign: int, runs: Keys, people_of: Sequence[int | None]) -> None:
    """Count runs of one workflow in or out."""
    totals, people, periods = counts
    _tally(totals, sign, zip(runs.status, strict=True))
    _tally(people, sign, zip(people_of, runs.status, strict=True))
    for moment in MOMENTS:
        periods_of = [period_of(key) for key in getattr(runs, moment)]
        _tally(periods, sign, zip(repeat(moment), people_of, periods_of, runs.status, strict=False))


def _tally(counts: defaultdict[OwnKey, list[int]], sign: int, runs: Iterable[tuple[*OwnKey, int]]) -> None:
    """Count runs, each given as a key and its status's position; those triggered by nobody have no key."""
    for (*key, status), number in Counter(runs).items():
        if None not in key:
            counts[tuple(key)][status] += sign * number


def add(session: Session, grain: Grain, changes: Mapping[Key, Sequence[int]]) -> None:
    names = (*grain.keys, *STATUSES)
    rows = [dict(zip(names, (*key, *values), strict=True)) for key, values in changes.items()]
    bulk.add_rows(session.connection(), grain.table, grain.keys, rows)


def recount(session: Session, grain: Grain, owners: Collection[UUID] | None) -> dict[Key, tuple[int, ...]]:
    """The rows that there should be, counted from the runs."""
    if "period" not in grain.keys:
        return _counted(session, grain, owners, {})
    dialect = session.get_bind().dialect.name
    counted: dict[Key, tuple[int, ...]] = {}
    for moment in MOMENTS:
        period = bucket_column(dialect, getattr(Run, moment), PERIOD_DAYS * DAY)
        keys = {
            "ordered_by": sa.literal_column(f"'{moment}'"),
            "period": sa.func.coalesce(period, NO_PERIOD),
        }
        counted |= _counted(session, grain, owners, keys)
    return counted


def _counted(
    session: Session,
    grain: Grain,
    owners: Collection[UUID] | None,
    own_keys: Mapping[str, sa.SQLColumnExpression[object]],
) -> dict[Key, tuple[int, ...]]:
    keys: dict[str, sa.SQLColumnExpression[object]] = {
        "workflow_id": Run.workflow_id,
        "workspace_id": Run.workspace_id,
        "person_id": Run.person_id,
        **own_keys,
    }
    grouped: list[sa.Label[object]] = [keys[name].label(f"key_{name}") for name in grain.keys]
    select = sa.select(*grouped, *count_columns())
    select = select.group_by(*(sa.text(str(n + 1)) for n in range(len(grouped))))
    if "person_id" in grain.keys:
        select = select.where(Run.person_id.is_not(None))
    if "workspace_id" in grain.keys:
        deleted = sa.select(Workflow.id).where(Workflow.deleted_at.is_not(None))
        select = select.where(Run.workflow_id.not_in(deleted))
    if owners is not None:
        select = select.where(keys[grain.keys[0]].in_(owners))
    return _by_key(session, grain, select)


def stored(session: Session, grain: Grain, owners: Collection[UUID] | None) -> dict[Key, tuple[int, ...]]:
    """The rows that there are."""
    select = sa.select(*(grain.table.c[name] for name in (*grain.keys, *STATUSES)))
    if owners is not None:
        select = select.where(grain.owner.in_(owners))
    return _by_key(session, grain, select)


def _by_key(session: Session, grain: Grain, select: statements.Columns) -> dict[Key, tuple[int, ...]]:
    """The rows by key; one that counts nothing is as good as none."""
    width = len(grain.keys)
    rows = (tuple(row) for row in session.execute(select))
    return {row[:width]: row[width:] for row in rows if any(row[width:])}
