"""Recorded JSON objects as lists of key and value, cut after the first hundred."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

MAX_ROWS = 100


@dataclass(frozen=True)
class KeyValues:
    rows: Sequence[tuple[str, object]]
    total: int

    @property
    def more(self) -> int:
        """How many keys are left out."""
        return self.total - len(self.rows)


def first_key_values(recorded: Mapping[str, object]) -> KeyValues:
    return KeyValues(list(islice(recorded.items(), MAX_ROWS)), len(recorded))


def source_key_values(source: Mapping[str, object]) -> KeyValues:
    """The keys of a run's source, with its labels listed like keys of their own."""
    labels = source.get("labels")
    rows = [(key, value) for key, value in source.items() if key != "created_at_from"]
    if isinstance(labels, Mapping):
        rows = [(key, value) for key, value in rows if key != "labels"] + list(labels.items())
    return KeyValues(rows[:MAX_ROWS], len(rows))
