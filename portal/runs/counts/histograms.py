"""Which histograms a workflow's runs have: by which key, in buckets of which widths.

Buckets lie on a fixed grid, so those of several workflows can be added up. Narrow ones exist only within a
bucket of the level above that holds many runs, or always where a level says so.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from portal.moments import EPOCH
from portal.runs.counts.key_range import KeyRange
from portal.runs.scope import Kind

SECOND = 1_000_000
HOUR, DAY, PERIOD = 3600 * SECOND, 86_400 * SECOND, 32 * 86_400 * SECOND
FIRST_KEY, NO_KEY = -(2**62), 2**62

_TICK = timedelta(microseconds=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_ID_BITS, _KEY_BITS = 128, 32


class Level(NamedTuple):
    """Buckets of one width."""

    width: int
    always: bool = False
    """Whether they exist however few runs the bucket above holds."""


class Histogram(NamedTuple):
    """Runs counted by a key. Another numeric key needs only its widths."""

    name: str
    key: str
    """The column: a moment, a number, or the id, whose leading 32 bits are the key."""
    levels: tuple[Level, ...]
    without: str = ""
    """Only runs without a value in this column are counted."""
    of_moments: bool = False
    """Whether the key is a moment; only such buckets say when their runs were created."""

    @property
    def is_by_id(self) -> bool:
        return self.key == "id"

    @property
    def always(self) -> tuple[Level, ...]:
        return tuple(level for level in self.levels if level.always)

    def levels_of(self, kind: Kind) -> tuple[Level, ...]:
        """The levels at which buckets of a scope can be added up: others do not exist for each workflow."""
        return self.always if kind is Kind.WORKFLOWS else self.levels

    def ranges(self, width: int, numbers: Collection[int]) -> Iterator[KeyRange]:
        """The keys in these buckets, adjacent buckets together."""
        ordered = sorted(numbers)
        begins = [number for number in ordered if number - 1 not in numbers]
        ends = [number + 1 for number in ordered if number + 1 not in numbers]
        for begin, end in zip(begins, ends, strict=True):
            yield self.range(begin * width, end * width)

    def range(self, begin: int, end: int) -> KeyRange:
        """The keys from one number up to another; beyond what a column can hold is no bound."""
        value = id_of_key if self.is_by_id else moment_of_key if self.of_moments else number_of_key
        return KeyRange(self.key, value(begin), value(end), self.without)


def _moments(name: str, *, hours: bool = False) -> Histogram:
    widths = Level(PERIOD, always=True), Level(DAY, always=True), Level(HOUR, always=hours)
    return Histogram(name, name, (*widths, Level(60 * SECOND), Level(SECOND)), of_moments=True)


_IDS = (Level(1 << 28, always=True), *(Level(1 << bits) for bits in (24, 20, 16, 12, 8, 0)))
CREATED = _moments("created_at", hours=True)
"""With hours always: activity is charted by days of any time zone."""
DURATION = Histogram(
    "duration_ms",
    "duration_ms",
    (
        *(Level(1 << bits, always=True) for bits in (32, 24, 16)),
        *(Level(1 << bits) for bits in (12, 8, 4, 0)),
    ),
)
"""In milliseconds: from 50 days over five hours and a minute to one."""
HISTOGRAMS = (
    CREATED,
    _moments("started_at"),
    _moments("completed_at"),
    DURATION,
    Histogram("id", "id", _IDS),
    Histogram("not_started", "id", _IDS, without="started_at"),
    Histogram("not_completed", "id", _IDS, without="completed_at"),
    Histogram("no_duration", "id", _IDS, without="duration_ms"),
)
BY_KEY = {histogram.key: histogram for histogram in HISTOGRAMS if not histogram.without}
WITHOUT = {histogram.without: histogram for histogram in HISTOGRAMS if histogram.without}
"""Of the runs that lack a key, which lists show last, by id."""


def microseconds(moment: datetime | None) -> int:
    """The key of a moment."""
    return NO_KEY if moment is None else (moment - EPOCH) // _TICK


def moment_of_key(key: int) -> datetime | None:
    """The moment, or None where a column can hold none so early or so late."""
    return EPOCH + key * _TICK if _FIRST_KEY < key <= _LAST_KEY else None


def number_of_key(key: int) -> int | None:
    return key if 0 <= key < NO_KEY else None


def id_of_key(key: int) -> UUID | None:
    """The least id with these leading bits."""
    return UUID(int=key << (_ID_BITS - _KEY_BITS)) if 0 < key < 1 << _KEY_BITS else None


def key_of_id(run_id: int) -> int:
    return run_id >> (_ID_BITS - _KEY_BITS)


def digits(width: int) -> int:
    """How many hexadecimal digits of an id tell its bucket."""
    return (_KEY_BITS + 1 - width.bit_length()) // 4


_FIRST_KEY, _LAST_KEY = microseconds(_FIRST), microseconds(_LAST)


class Keys(NamedTuple):
    """Runs as histograms see them, a column each; keys are whole numbers, which compare fast."""

    id: Sequence[int]
    status: Sequence[int]
    """The position of each in STATUSES."""
    created_at: Sequence[int]
    started_at: Sequence[int]
    completed_at: Sequence[int]
    duration_ms: Sequence[int]
