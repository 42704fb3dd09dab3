"""What a source says of a run, key by key: the first keys, and how many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

MAX_FACTS = 100


@dataclass(frozen=True)
class Facts:
    rows: Sequence[tuple[str, Any]]
    total: int

    @property
    def more(self) -> int:
        return self.total - len(self.rows)


def facts(said: Mapping[str, Any]) -> Facts:
    return Facts(list(islice(said.items(), MAX_FACTS)), len(said))


def source_facts(source: Mapping[str, Any]) -> Facts:
    """The keys of a run's source, its labels among them as if they were keys of it."""
    labels = source.get("labels")
    rest = [(key, value) for key, value in source.items() if key != "created_at_from"]
    if isinstance(labels, Mapping):
        rest = [(key, value) for key, value in rest if key != "labels"] + list(labels.items())
    return Facts(rest[:MAX_FACTS], len(rest))
