"""Recorded JSON objects as lists of key and value, cut after the first hundred."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice

from portal.runs.facts.facts import RunFacts

MAX_ROWS = 100
_OF_A_PERSON = {"id", "name", "email", "kind"}


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


def source_key_values(source: Mapping[str, object], facts: RunFacts) -> KeyValues:
    """The keys of a run's source that its page does not show elsewhere."""
    shown = {field.name for field in fields(facts) if getattr(facts, field.name)}
    if facts.labels and facts.labels != source.get("labels"):
        shown.remove("labels")  # some are no labels
    person = source.get("triggered_by")
    if isinstance(person, Mapping) and person.keys() <= _OF_A_PERSON:
        shown.add("triggered_by")
    rows = [(key, value) for key, value in source.items() if key not in shown | {"created_at_from"}]
    return KeyValues(rows[:MAX_ROWS], len(rows))
