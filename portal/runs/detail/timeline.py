"""When the steps of a run ran: lanes of spans on one scale, in milliseconds from the first step's begin.

Few nodes have a lane each. Many are folded, a lane for each type of node, until somebody opens one.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import ACTIVE, Step
from portal.database.sql.excerpts import cut, excerpt, short_key
from portal.input import parameters
from portal.input.parameters import Reader
from portal.moments import elapsed_ms
from portal.paging import Page, Slice
from portal.runs.detail.node_states import attempt_order, last_attempts

MAX_STEPS = 5_000
"""How many steps of a run are drawn; a table shows them all."""

FOLD_OVER = 40
"""From how many lanes on nodes of one type share a lane."""

LANES_A_PAGE = 40
MAX_LABEL = 80
"""Characters of a step's name that are read to call its node by."""

MAX_DIGITS = 40
"""Characters of the seconds that a source gives, as they stand in JSON: longer ones are no duration."""
MAX_MS = 10**15
"""More than there is from the year 1 to the year 9999."""
_CLOCKS_APART_MS = 1000
_MILLISECOND = timedelta(milliseconds=1)


def step_columns(most_name: int = MAX_LABEL) -> tuple[Any, ...]:
    """Little of each step, however much is stored: a page that follows a run reads thousands of them."""
    return (
        Step.position,
        short_key(Step.node_id).label("node_id"),
        short_key(Step.node_type).label("node_type"),
        excerpt(Step.name, most_name).label("name"),
        Step.status,
        Step.iteration,
        Step.started_at,
        Step.completed_at,
        excerpt(sa.cast(Step.source["duration_seconds"], sa.Text()), MAX_DIGITS).label("duration_seconds"),
    )


STEP_COLUMNS = step_columns()


@dataclass(frozen=True, kw_only=True)
class TimelineQuery:
    """Which part of a timeline to show."""

    from_ms: int | None = None
    to_ms: int | None = None
    node_type: str = ""
    lane_page: int = 1

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Raises InvalidQuery."""
        reader = Reader(args)
        query = cls(
            from_ms=reader.read("from_ms", _milliseconds, None),
            to_ms=reader.read("to_ms", _milliseconds, None),
            node_type=reader.read("node_type", parameters.linked_text, ""),
            lane_page=reader.read("lane_page", page_number, 1),
        )
        if query.from_ms is not None and query.to_ms is not None and query.from_ms >= query.to_ms:
            reader.refuse("from_ms", "must be less than to_ms.")
        reader.finish()
        return query

    def to_args(self) -> dict[str, str]:
        """The shortest parameters that give this part."""
        texts = {"from_ms": self.from_ms, "to_ms": self.to_ms, "node_type": self.node_type or None}
        texts["lane_page"] = self.lane_page if self.lane_page > 1 else None
        return {name: str(value) for name, value in texts.items() if value is not None}

    def zoom(self, window: tuple[int, int] | None) -> Self:
        begin, end = window or (None, None)
        return replace(self, from_ms=begin, to_ms=end, lane_page=1)

    def on_page(self, number: int) -> Self:
        return replace(self, lane_page=number)

    def of_type(self, node_type: str) -> Self:
        """The steps of one type of node unfolded; all of them again for an empty one."""
        return replace(self, node_type=node_type, lane_page=1)


@dataclass(frozen=True, kw_only=True)
class Span:
    """One step in its place."""

    position: int
    node_id: str
    node_type: str
    label: str
    status: str
    iteration: int
    begin: int
    end: int
    ended: bool
    """Whether its end is known; a step that is still going reaches to the present."""


@dataclass(frozen=True)
class Lane:
    """The steps of one node, or of all nodes of one type where they are folded."""

    label: str
    node_type: str
    folded: bool
    spans: Sequence[Span]

    @property
    def failed(self) -> int:
        return sum(span.status == "failed" for span in self.spans)

    @property
    def total_ms(self) -> int:
        return sum(span.end - span.begin for span in self.spans)

    @property
    def status(self) -> str:
        """That of the last attempt; of folded ones the worst."""
        if not self.folded:
            return max(self.spans, key=attempt_order).status
        found = {span.status for span in self.spans}
        worst = ("failed", "running", "paused", "pending", "cancelled", "completed")
        return next(status for status in worst if status in found)


@dataclass(frozen=True, kw_only=True)
class Timeline:
    query: TimelineQuery
    origin: datetime | None
    """The begin of the first step; None where only durations are known and every span begins at zero."""
    begin: int
    end: int
    """What is shown of the whole, which goes from zero to `whole`."""
    whole: int
    lanes: Page[Lane]
    spans: Sequence[Span]
    """All that were placed, in order of execution, also those outside of what is shown."""
    node_states: Mapping[str, str]
    """The status of each node by its last attempt, placed or not; long ids by `excerpts.short_key_of`."""
    node_names: Mapping[str, str]
    """What the steps call their nodes."""
    waves: Sequence[int]
    """Where steps begin after all before them have ended."""
    unplaced: int
    """Steps without a begin or a duration."""
    undrawn: int
    """Steps past the first MAX_STEPS."""
    backwards: int
    """Steps that are recorded to end before they begin."""

    @property
    def zoomed(self) -> bool:
        return (self.begin, self.end) != (0, self.whole)


def read_timeline(run_id: UUID, query: TimelineQuery, now: datetime) -> Timeline:
    """The timeline of a run that the caller may see."""
    select = sa.select(*STEP_COLUMNS).where(Step.run_id == run_id).order_by(Step.position).limit(MAX_STEPS)
    rows = db.session.execute(select).all()
    total = len(rows)
    if total == MAX_STEPS:
        count = sa.select(sa.func.count()).select_from(Step).where(Step.run_id == run_id)
        total = db.session.scalar(count) or 0
    return draw(rows, query, now, undrawn=total - len(rows))


def draw(rows: Sequence[Any], query: TimelineQuery, now: datetime, undrawn: int = 0) -> Timeline:
    """Place these steps. Where none says when it began, each begins at zero and is as long as it took."""
    origin = min((row.started_at for row in rows if row.started_at), default=None)
    placed = [span for row in rows if (span := _place(row, origin, now)) is not None]
    whole = max((span.end for span in placed), default=0) or 1
    begin, end = min(query.from_ms or 0, whole - 1), min(query.to_ms or whole, whole)
    if begin >= end:
        begin, end = 0, whole
    last = last_attempts(rows)
    return Timeline(
        query=query,
        origin=origin,
        begin=begin,
        end=end,
        whole=whole,
        lanes=_page(_lanes(placed, query, begin, end), query.lane_page),
        spans=placed,
        node_states={node_id: row.status for node_id, row in last.items()},
        node_names={node_id: _label(row) for node_id, row in last.items()},
        waves=waves(placed) if origin else (),
        unplaced=len(rows) - len(placed),
        undrawn=undrawn,
        backwards=sum(_is_backwards(row) for row in rows),
    )


def step_duration_ms(step: Any) -> int | None:
    """How long a step took: by its times, else as the source of imported history says."""
    if step.started_at and step.completed_at:
        return elapsed_ms(step.started_at, step.completed_at)
    try:
        milliseconds = float(step.duration_seconds or "") * 1000
    except ValueError:
        return None
    return round(milliseconds) if 0 <= milliseconds < MAX_MS else None


def waves(spans: Sequence[Span]) -> list[int]:
    """Where a wave begins: all steps before it have ended. The first begin is not among them."""
    found: list[int] = []
    drained: int | None = None
    for span in sorted(spans, key=lambda span: (span.begin, span.end)):
        if drained is not None and span.begin >= drained and span.begin > (found[-1] if found else 0):
            found.append(span.begin)
        drained = max(span.end, drained or 0)
    return found


def in_progress(spans: Sequence[Span], whole: int, parts: int) -> list[float]:
    """How many steps were going on, on average, in each of equal parts of the whole."""
    width = whole / parts
    busy = [0.0] * parts
    for span in spans:
        first = min(int(span.begin / width), parts - 1)
        for part in range(first, min(int(span.end / width), parts - 1) + 1):
            overlap = min(span.end, (part + 1) * width) - max(span.begin, part * width)
            busy[part] += max(overlap, 0) / width
    return busy


def began_before(timeline: Timeline, started_at: datetime | None) -> int:
    """How many steps began before the run did, by more than the second that clocks are apart."""
    if timeline.origin is None or started_at is None:
        return 0
    start = (started_at - timeline.origin) // _MILLISECOND - _CLOCKS_APART_MS
    return sum(span.begin < start for span in timeline.spans)


def page_number(text: str) -> int:
    return parameters.whole_number(text, 1, 10**6, "must be a whole number from 1 to 1000000.")


def _place(row: Any, origin: datetime | None, now: datetime) -> Span | None:
    took, ended = step_duration_ms(row), True
    if origin is None:
        if took is None:
            return None
        begin = 0
    elif row.started_at is None:
        return None
    else:
        begin = (row.started_at - origin) // _MILLISECOND
        if took is None and row.completed_at is None and row.status in ACTIVE:
            took = max((now - row.started_at) // _MILLISECOND, 0)
            ended = False
    return Span(
        position=row.position,
        node_id=row.node_id,
        node_type=row.node_type,
        label=_label(row),
        status=row.status,
        iteration=row.iteration,
        begin=begin,
        end=begin + (took or 0),
        ended=ended and took is not None,
    )


def _label(row: Any) -> str:
    return cut(row.name or row.node_id, MAX_LABEL)


def _is_backwards(row: Any) -> bool:
    return bool(row.started_at and row.completed_at and row.completed_at < row.started_at)


def _lanes(spans: Sequence[Span], query: TimelineQuery, begin: int, end: int) -> list[Lane]:
    """The lanes that have something between begin and end, by the begin of their first step."""
    chosen = [span for span in spans if query.node_type in ("", span.node_type)]
    shown = [span for span in chosen if span.end >= begin and span.begin <= end]
    folded = not query.node_type and _may_fold(chosen)
    key: Callable[[Span], str] = (lambda span: span.node_type) if folded else (lambda span: span.node_id)
    together: dict[str, list[Span]] = defaultdict(list)
    for span in shown:
        together[key(span)].append(span)
    lanes = [
        Lane(name if folded else group[0].label, group[0].node_type, folded, group)
        for name, group in together.items()
    ]
    return sorted(lanes, key=lambda lane: min((span.begin, span.position) for span in lane.spans))


def _may_fold(spans: Sequence[Span]) -> bool:
    """Whether there are many nodes, and types that bring some of them together."""
    nodes, types = {span.node_id for span in spans}, {span.node_type for span in spans}
    return len(nodes) > FOLD_OVER and 1 < len(types) < len(nodes)


def _page(lanes: Sequence[Lane], number: int) -> Page[Lane]:
    slice_ = Slice.of_page(number, LANES_A_PAGE)
    return Page(lanes[slice_.offset : slice_.offset + slice_.limit], len(lanes), slice_)


def _milliseconds(text: str) -> int:
    return parameters.whole_number(text, 0, MAX_MS, f"must be a whole number from 0 to {MAX_MS}.")
