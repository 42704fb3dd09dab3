"""The row of an imported run as driver parameters.

Encoding a row costs more than storing it and needs no database, so another process can do it in advance.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Run, RunStatus
from portal.database.sql.bulk import Parameters, Row, encode_rows
from portal.runs.causes.counting import KnownCause
from portal.runs.causes.fingerprints import cause_id, fingerprint
from portal.runs.causes.lasting import NONE, lasting_of
from portal.runs.causes.why import is_told, why
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


def explain(columns: dict[str, Any], steps: Sequence[Row], workspace_id: UUID) -> KnownCause | None:
    """Add to the columns of a run, whose steps these are, why it failed, and its cause, if it did."""
    columns["why"] = columns["cause_id"] = None
    if columns["status"] != RunStatus.FAILED:
        return None
    error: str | None = columns["error"]
    failures = NONE if is_told(error) else lasting_of(steps)
    text = fingerprint(error, failures)
    cause = KnownCause(cause_id(workspace_id, text), workspace_id, text)
    columns["why"], columns["cause_id"] = why(error, failures), cause.id
    return cause


def encoded_id(parameters: Parameters) -> object:
    """The run's id as the driver binds it."""
    encoded: object = parameters[0]
    return encoded


def encoded_error(parameters: Parameters) -> str | None:
    """The run's error, which drivers bind as it is."""
    error: str | None = parameters[_ERROR]
    return error


_ERROR = ENCODED_COLUMNS.index("error")
