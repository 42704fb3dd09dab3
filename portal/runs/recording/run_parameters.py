"""The row of an imported run as driver parameters.

Encoding a row costs more than storing it and needs no database, so another process can do it in advance.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import cast

import sqlalchemy as sa

from portal.database.models import Run
from portal.database.sql.bulk import Parameters, Row, encode_rows
from portal.runs.counts import COUNTED, Counted

RUNS = cast(sa.Table, Run.__table__)

_ASSIGNED = ("person_id", "run_number", "import_digest")
"""Columns whose values are known only when the run is stored."""
_INSERTED_ONLY = ("arrived_in", "workspace_id")
"""Columns that an update of the run leaves alone."""
_MADE_HERE = ("workflow_version", "by_engine")
"""Columns of runs made here, which imports leave empty."""
ENCODED_COLUMNS = tuple(
    column.name for column in RUNS.columns if column.name not in (*_ASSIGNED, *_INSERTED_ONLY, *_MADE_HERE)
)
UPDATED_COLUMNS = (*ENCODED_COLUMNS, *_ASSIGNED)
INSERTED_COLUMNS = (*UPDATED_COLUMNS, *_INSERTED_ONLY)

_counted_values = itemgetter(*COUNTED[:-1])

CountedValues = tuple[object, ...]
"""The fields of `Counted` except the last, the person."""

EncodedRow = tuple[Parameters, CountedValues]
"""The driver parameters of ENCODED_COLUMNS, and what the counts need of the run."""


def encode_runs(dialect: sa.Dialect, rows: Sequence[Row]) -> list[EncodedRow]:
    """Encode runs for a database; each row has all ENCODED_COLUMNS."""
    parameters = encode_rows(dialect, RUNS, ENCODED_COLUMNS, rows)
    counted = (Counted.of_values(*_counted_values(row)) for row in rows)
    return [(encoded, tuple(known[:-1])) for encoded, known in zip(parameters, counted, strict=True)]


def encoded_id(parameters: Parameters) -> object:
    """The run's id as the driver binds it."""
    encoded: object = parameters[0]
    return encoded


def encoded_error(parameters: Parameters) -> str | None:
    """The run's error, which drivers bind as it is."""
    error: str | None = parameters[_ERROR]
    return error


_ERROR = ENCODED_COLUMNS.index("error")
