"""Runs of imported history as the database takes them.

Making that costs more than storing it, and needs no database: another process can do it beforehand.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa

from portal.database.models import Run
from portal.runs import bulk
from portal.runs.counts import COUNTED, Counted

RUNS = cast(sa.Table, Run.__table__)
_LATE = ("person_id", "run_number", "import_digest")
"""What is known only when the run is stored, last in its row."""
_ONCE = ("arrived_in",)
"""What a run that is stored already keeps."""
EARLY = tuple(column.name for column in RUNS.columns if column.name not in (*_LATE, *_ONCE))
NAMES = (*EARLY, *_LATE)
NEW_NAMES = (*NAMES, *_ONCE)
_known = itemgetter(*COUNTED[:-1])


Ready = tuple[tuple[Any, ...], tuple[Any, ...]]
"""A run's values of EARLY as the driver takes them, and what the counts know of it but for the person."""


def id_of(ready: Ready) -> Any:
    """A run's id as the driver takes it."""
    return ready[0][0]


def make_ready(dialect: sa.Dialect, rows: Sequence[Mapping[str, Any]]) -> list[Ready]:
    """Make runs ready for a database; each row has every column but those that are known late."""
    values = bulk.driver_values(dialect, RUNS, EARLY, rows)
    counted = (Counted.of_values(*_known(row)) for row in rows)
    return [(row, tuple(known[:-1])) for row, known in zip(values, counted, strict=True)]
