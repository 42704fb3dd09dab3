"""Which fields a line names: absent says nothing, null clears. Kept as bits of a number beside the row.

Only fields with a column of their own need a bit; the others are there by name.
"""

from collections.abc import Iterable
from functools import lru_cache

RUN_FIELDS = (
    "status",
    "created_at",
    "started_at",
    "completed_at",
    "updated_at",
    "total_nodes",
    "finished_nodes",
    "total_steps",
    "finished_steps",
    "usage_summary",
    "credits",
    "pause_requested_at",
    "paused_at",
    "paused_ms",
    "pause_reason",
    "pause_error",
    "output_line_count",
    "delivered_audio_ms",
    "error",
    "outcome",
    "trigger",
    "source",
    "run_number",
    "triggered_by",
    "definition_snapshot",
    "token_cost",
    "credits_absorbed",
    "held_nodes",
    "output_lines",
    "files",
)
"""The position of a field is its bit: new ones are added at the end."""
STEP_FIELDS = (
    "node_type",
    "name",
    "status",
    "created_at",
    "started_at",
    "completed_at",
    "error",
    "active_ports",
    "locales",
    "pause_reason",
    "pause_error",
    "result",
)
RUN_BITS = {name: 1 << position for position, name in enumerate(RUN_FIELDS)}
STEP_BITS = {name: 1 << position for position, name in enumerate(STEP_FIELDS)}


@lru_cache(maxsize=1000)  # the lines of a source have the same keys
def said_by_run(names: tuple[str, ...]) -> int:
    """The bits of those fields that a line with these keys names."""
    return sum(RUN_BITS.get(name, 0) for name in names)


@lru_cache(maxsize=1000)
def said_by_step(names: tuple[str, ...]) -> int:
    return sum(STEP_BITS.get(name, 0) for name in names)


def named_run_fields(said: int) -> Iterable[str]:
    return (name for name, bit in RUN_BITS.items() if said & bit)


def named_step_fields(said: int) -> Iterable[str]:
    return (name for name, bit in STEP_BITS.items() if said & bit)
