"""Parses the steps of a run, in its line or each in a line of its own."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from uuid import UUID

from portal.history.parsing import readers
from portal.history.parsing.fields.known import STEP_FACTS
from portal.history.parsing.fields.said import STEP_BITS, said_by_step
from portal.history.parsing.readers import BadField, Fields, Reader, Values
from portal.history.parsing.results import STEP_KEYS, take_step_result

STEP_COLUMNS: Mapping[str, Reader] = {
    "node_id": readers.node,
    "node_type": readers.node,
    "name": readers.text,
    "status": readers.status,
    "iteration": readers.number,
    "created_at": readers.moment,
    "started_at": readers.moment,
    "completed_at": readers.moment,
    "error": readers.text,
}
UNKNOWN_TYPE = "unknown"

_MOMENTS = ("created_at", "started_at", "completed_at")


def steps_of(run_id: UUID) -> Callable[[object], list[Values]]:
    """A reader of the list of a run's steps: their rows, with `gave` where one has a result."""

    def read(value: object) -> list[Values]:
        if not isinstance(value, list):
            raise ValueError("must be a list.")
        return [_step(run_id, position, step) for position, step in enumerate(value)]

    return read


def _step(run_id: UUID, position: int, value: object) -> Values:
    try:
        return read_step(run_id, position, readers.object_(value))
    except ValueError as error:
        inner = f".{error.field}" if isinstance(error, BadField) else ""
        raise BadField(f"{position}{inner}", str(error)) from None


def read_step(run_id: UUID, position: int, values: Mapping[str, object]) -> Values:
    """The row of one step, with `gave` if it has a result. Raises BadField."""
    fields = Fields(values)
    columns = fields.take_all(STEP_COLUMNS, STEP_FACTS)
    for name in ("node_id", "status"):
        if columns[name] is None:
            raise BadField(name, "is missing.")
    gave = {}
    said = said_by_step(tuple(values))
    if STEP_KEYS & fields.rest.keys():
        gave = {"gave": take_step_result(fields, run_id, position)}
        if "result" in fields.rest:  # not an object: kept as it is
            said &= ~STEP_BITS["result"]
    columns["node_type"] = columns["node_type"] or UNKNOWN_TYPE
    columns["iteration"] = columns["iteration"] or 1
    provenance = {"cleared": cleared} if (cleared := cleared_by(values, STEP_COLUMNS, STEP_KEYS)) else None
    row = {"run_id": run_id, "position": position, **columns, "source": fields.rest or None}
    return row | {"said": said, "provenance": provenance} | gave


def cleared_by(values: Mapping[str, object], *known: Collection[str]) -> list[str]:
    """The fields without a bit that are null."""
    if None not in values.values():
        return []
    return sorted(
        name for name, value in values.items() if value is None and not any(name in each for each in known)
    )


def moments_of(steps: list[Values]) -> list[datetime]:
    return [step[name] for step in steps for name in _MOMENTS if step[name] is not None]
