"""What events say of a run or a step, each field with its moment: the same whatever the order of the events.

Fields give way to each other as in lines of history (`history.merging`). So lines made from some of the
events, and then lines made from all of them, come to the same run as the latter alone.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from portal import moments
from portal.database.models import RunStatus
from portal.history.merging.entries import ENDING
from portal.history.parsing.decoding import canonical

Line = dict[str, object]


class Value(NamedTuple):
    """What was said of a field, and whether by an event that ends what it is about."""

    at: datetime
    of_end: bool
    value: object


@dataclass
class Fields:
    """What was said of one run or step."""

    said: dict[str, Value] = field(default_factory=dict)
    ends: dict[datetime, str] = field(default_factory=dict)
    """The statuses in which events said that it ended."""
    started_at: datetime | None = None
    has_begun: bool = False
    first_at: datetime | None = None
    last_at: datetime | None = None

    def say(self, at: datetime, name: str, value: object, *, of_end: bool = False) -> None:
        """Take the value of a field; None says that it has none."""
        value = moments.format_moment(value) if isinstance(value, datetime) else value
        new = Value(at, of_end, value)
        before = self.said.get(name)
        self.said[name] = new if before is None or not _wins(name, before, new) else before

    def say_if_known(self, at: datetime, name: str, value: object, *, of_end: bool = False) -> None:
        if value is not None:
            self.say(at, name, value, of_end=of_end)

    def hear(self, time: datetime, at: datetime) -> None:
        """Note that something of that time was said at that moment."""
        self.first_at = min(self.first_at or time, time)
        self.last_at = max(self.last_at or at, at)

    def begin(self, started_at: datetime | None = None) -> None:
        """It has begun: at that moment or before, if one is known."""
        self.has_begun = True
        if started_at is not None:
            self.started_at = min(self.started_at or started_at, started_at)

    def finish(self, at: datetime, status: str, outcome: str, word: str) -> None:
        """It has ended; `word` is what the source calls that."""
        self.ends[at] = max(self.ends.get(at, ""), str(status))
        self.say(at, "outcome", outcome, of_end=True)
        self.say(at, "source_status", word, of_end=True)

    @property
    def has_ended(self) -> bool:
        return bool(self.ends)

    @property
    def status(self) -> Value:
        """The status; an active one was so when it was last heard of."""
        if self.ends:
            at = max(self.ends)
            return Value(at, True, self.ends[at])
        return Value(self.last_at or moments.EPOCH, False, self._active)

    @property
    def _active(self) -> str:
        return str(RunStatus.RUNNING if self.has_begun else RunStatus.PENDING)

    def lines(self) -> Iterator[Line]:
        """Its fields in as many lines as they have moments, the one with its status first.

        Each line needs a status. Those of other moments have one that gives way to it.
        """
        status = self.status
        by_moment: dict[tuple[datetime, bool], Line] = defaultdict(dict)
        by_moment[status.at, status.of_end] = {}
        for name, each in self.said.items():
            by_moment[each.at, each.of_end][name] = each.value
        for (at, of_end), line in sorted(
            by_moment.items(), key=lambda each: (each[0] != status[:2], each[0])
        ):
            is_status = (at, of_end) == status[:2]
            started_at = self.started_at if is_status else None
            yield {
                "at": moments.format_moment(at),
                "status": self.ends[at] if of_end else self._active,
                **({"started_at": moments.format_moment(started_at)} if started_at else {}),
                **dict(sorted(line.items())),
            }

    def overrides(self, before: "Fields") -> bool:
        """Whether what was said before gives way to this where lines of history are merged."""
        if before.said.keys() - self.said.keys() or before.ends.keys() - self.ends.keys():
            return False
        if any(_wins(name, each, self.said[name]) for name, each in before.said.items()):
            return False
        if _wins("status", before.status, self.status):
            return False
        start, known = self.started_at, before.started_at
        return known is None or (start is not None and start <= known)


def _wins(name: str, one: Value, other: Value) -> bool:
    """Whether the first of two values of a field counts, if they differ."""
    if name in ENDING and one.of_end != other.of_end:
        return one.of_end
    if (one.at, one.of_end) != (other.at, other.of_end):
        return (one.at, one.of_end) > (other.at, other.of_end)
    return one.value != other.value and canonical(one.value) > canonical(other.value)
