"""What has changed on a list of runs that somebody has open, without reading the list again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.models import Run
from portal.database.transactions import read
from portal.runs.counts.reading import read_counts
from portal.runs.filters.conditions import Filters, matching, values
from portal.runs.listing.rows import RunRow, Texts, read_rows
from portal.runs.query import RunQuery


@dataclass(frozen=True, kw_only=True)
class ListChanges:
    rows: Sequence[RunRow]
    """The watched runs as they are now, in brief."""
    counts: Mapping[str, int]
    """By status, under the other filters of the list."""
    in_all: int
    """The runs of the workflow, whatever the filters."""
    new: int
    """How many matching runs came since the list was read, whatever their numbers and times."""


def read_changes(workflow: SeenWorkflow, query: RunQuery, watched: Sequence[UUID], since: int) -> ListChanges:
    """How the watched runs stand, and how many runs came after this version of the workflow."""
    owners = read(_OWNERS, ids=list(watched)) if watched else ()
    known = {run_id for run_id, workflow_id in owners if workflow_id == workflow.id}
    counts = read_counts(workflow, query)
    return ListChanges(
        rows=read_rows([run_id for run_id in watched if run_id in known], Texts.BRIEF),
        counts=counts.by_status,
        in_all=counts.in_all,
        new=read(_counting_new(Filters.of(query)), **values(workflow, query), since=since).scalar_one(),
    )


@lru_cache(maxsize=64)
def _counting_new(filters: Filters) -> sa.Select[int]:
    return sa.select(sa.func.count()).where(*matching(filters), Run.arrived_in > sa.bindparam("since"))


_OWNERS = sa.select(Run.id, Run.workflow_id).where(Run.id.in_(sa.bindparam("ids", expanding=True)))
"""Without a condition on the workflow, for which SQLite would read all of its runs in an index."""
