"""The timeline of a run: its steps as spans in lanes, in milliseconds from the start of the first step.

Each node has a lane. If there are many nodes, those of one type share a lane until it is unfolded.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Step
from portal.database.sql.excerpts import cut
from portal.input import parameters
from portal.input.parameters import Reader
from portal.paging import Page, Slice
from portal.runs.detail.attempts import attempt_order, last_attempts
from portal.runs.detail.step_excerpts import (
    MAX_LABEL,
    MAX_MS,
    MAX_STEPS,
    StepTimes,
    read_step_times,
    step_duration_ms,
)
from portal.runs.statuses import WORST_FIRST, RunStatus, is_active

FOLD_OVER = 40
"""With more nodes than this, the nodes of one type share a lane."""

LANES_A_PAGE = 40
_CLOCK_SKEW_MS = 1000
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True)
class TimelineQuery:
    """The visible range of a timeline, and which node type is unfolded."""

    from_ms: int | None = None
    to_ms: int | None = None
    node_type: str = ""
    lane_page: int = 1

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Read a page's parameters. Raises InvalidQuery."""
        reader = Reader(args)
        query = cls(
            from_ms=reader.read("from_ms", _milliseconds, None),
            to_ms=reader.read("to_ms", _milliseconds, None),
            node_type=reader.read("node_type", parameters.linked_text, ""),
            lane_page=reader.read("lane_page", parameters.page_number, 1),
        )
        if query.from_ms is not None and query.to_ms is not None and query.from_ms >= query.to_ms:
            reader.refuse("from_ms", "must be less than to_ms.")
        reader.finish()
        return query

    def to_args(self) -> dict[str, str]:
        """The parameters that differ from the defaults."""
        texts = {"from_ms": self.from_ms, "to_ms": self.to_ms, "node_type": self.node_type or None}
        texts["lane_page"] = self.lane_page if self.lane_page > 1 else None
        return {name: str(value) for name, value in texts.items() if value is not None}

    def zoom(self, window: tuple[int, int] | None) -> Self:
        """Another visible range; None for the entire run."""
        begin, end = window or (None, None)
        return replace(self, from_ms=begin, to_ms=end, lane_page=1)

    def on_page(self, number: int) -> Self:
        return replace(self, lane_page=number)

    def of_type(self, node_type: str) -> Self:
        """Only the steps of one node type, unfolded; all steps for an empty type."""
        return replace(self, node_type=node_type, lane_page=1)


@dataclass(frozen=True, kw_only=True)
class Span:
    """One step as a range of time."""

    position: int
    node_id: str
    node_type: str
    label: str
    status: str
    iteration: int
    begin: int
    end: int
    ended: bool
    """Whether the end is recorded; the span of a running step ends now."""


@dataclass(frozen=True)
class Lane:
    """The steps of one node, or of all nodes of one type if folded."""

    label: str
    node_type: str
    folded: bool
    spans: Sequence[Span]

    @property
    def failed(self) -> int:
        return sum(span.status == RunStatus.FAILED for span in self.spans)

    @property
    def total_ms(self) -> int:
        return sum(span.end - span.begin for span in self.spans)

    @property
    def status(self) -> str:
        """The status of the last attempt; the worst status if folded."""
        if not self.folded:
            return max(self.spans, key=attempt_order).status
        found = {span.status for span in self.spans}
        return next(status for status in WORST_FIRST if status in found)


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The spans of a run, and the page of lanes in the visible range."""

    query: TimelineQuery
    origin: datetime | None
    """The start of the first step; None if only durations are known and every span begins at zero."""
    begin: int
    end: int
    """The visible range."""
    length: int
    """The end of the last span; at least 1."""
    lanes: Page[Lane]
    spans: Sequence[Span]
    """All spans in order of execution, also outside of the visible range."""
    node_states: Mapping[str, str]
    """The status of each node's last attempt, by `excerpts.short_key_of` the node's id."""
    node_names: Mapping[str, str]
    """Node names as the steps give them."""
    waves: Sequence[int]
    """The moments at which a step begins after all earlier steps have ended."""
    unplaced: int
    """Steps without a start or a duration."""
    undrawn: int
    """Steps beyond MAX_STEPS."""
    backwards: int
    """Steps recorded to end before they begin."""

    @property
    def zoomed(self) -> bool:
        return (self.begin, self.end) != (0, self.length)


def read_timeline(run_id: UUID, query: TimelineQuery, now: datetime) -> Timeline:
    """The timeline of a run. The caller has checked access."""
    steps = read_step_times(run_id)
    total = len(steps)
    if total == MAX_STEPS:
        count = sa.select(sa.func.count()).select_from(Step).where(Step.run_id == run_id)
        total = db.session.scalar(count) or 0
    return build_timeline(steps, query, now, undrawn=total - len(steps))


def build_timeline(
    steps: Sequence[StepTimes], query: TimelineQuery, now: datetime, undrawn: int = 0
) -> Timeline:
    """The timeline of these steps. If none has a start, each begins at zero and has its recorded duration."""
    origin = min((step.started_at for step in steps if step.started_at), default=None)
    spans = [span for step in steps if (span := _span(step, origin, now)) is not None]
    length = max((span.end for span in spans), default=0) or 1
    begin, end = min(query.from_ms or 0, length - 1), min(query.to_ms or length, length)
    if begin >= end:
        begin, end = 0, length
    last = last_attempts(steps)
    return Timeline(
        query=query,
        origin=origin,
        begin=begin,
        end=end,
        length=length,
        lanes=Page.of(_lanes(spans, query, begin, end), Slice.of_page(query.lane_page, LANES_A_PAGE)),
        spans=spans,
        node_states={node_id: step.status for node_id, step in last.items()},
        node_names={node_id: _label(step) for node_id, step in last.items()},
        waves=waves(spans) if origin else (),
        unplaced=len(steps) - len(spans),
        undrawn=undrawn,
        backwards=sum(_is_backwards(step) for step in steps),
    )


def waves(spans: Sequence[Span]) -> list[int]:
    """The moments at which a step begins after all earlier ones have ended, without the first."""
    found: list[int] = []
    drained: int | None = None
    for span in sorted(spans, key=lambda span: (span.begin, span.end)):
        if drained is not None and span.begin >= drained and span.begin > (found[-1] if found else 0):
            found.append(span.begin)
        drained = max(span.end, drained or 0)
    return found


def concurrency(spans: Sequence[Span], length: int, parts: int) -> list[float]:
    """The average number of running steps in each of some equal parts of the timeline."""
    width = length / parts
    busy = [0.0] * parts
    for span in spans:
        first = min(int(span.begin / width), parts - 1)
        for part in range(first, min(int(span.end / width), parts - 1) + 1):
            overlap = min(span.end, (part + 1) * width) - max(span.begin, part * width)
            busy[part] += max(overlap, 0) / width
    return busy


def steps_before_start(timeline: Timeline, started_at: datetime | None) -> int:
    """The number of steps that began before the run, by more than a second of clock skew."""
    if timeline.origin is None or started_at is None:
        return 0
    start = (started_at - timeline.origin) // _MILLISECOND - _CLOCK_SKEW_MS
    return sum(span.begin < start for span in timeline.spans)


def _span(step: StepTimes, origin: datetime | None, now: datetime) -> Span | None:
    took, ended = step_duration_ms(step), True
    if origin is None:
        if took is None:
            return None
        begin = 0
    elif step.started_at is None:
        return None
    else:
        begin = (step.started_at - origin) // _MILLISECOND
        if took is None and step.completed_at is None and is_active(step.status):
            took = max((now - step.started_at) // _MILLISECOND, 0)
            ended = False
    return Span(
        position=step.position,
        node_id=step.node_id,
        node_type=step.node_type,
        label=_label(step),
        status=step.status,
        iteration=step.iteration,
        begin=begin,
        end=begin + (took or 0),
        ended=ended and took is not None,
    )


def _label(step: StepTimes) -> str:
    return cut(step.name or step.node_id, MAX_LABEL)


def _is_backwards(step: StepTimes) -> bool:
    return bool(step.started_at and step.completed_at and step.completed_at < step.started_at)


def _lanes(spans: Sequence[Span], query: TimelineQuery, begin: int, end: int) -> list[Lane]:
    """The lanes with a span in this range, ordered by their first span."""
    chosen = [span for span in spans if query.node_type in ("", span.node_type)]
    visible = [span for span in chosen if span.end >= begin and span.begin <= end]
    folded = not query.node_type and _may_fold(chosen)
    key: Callable[[Span], str] = (lambda span: span.node_type) if folded else (lambda span: span.node_id)
    groups: dict[str, list[Span]] = defaultdict(list)
    for span in visible:
        groups[key(span)].append(span)
    lanes = [
        Lane(name if folded else group[0].label, group[0].node_type, folded, group)
        for name, group in groups.items()
    ]
    return sorted(lanes, key=lambda lane: min((span.begin, span.position) for span in lane.spans))


def _may_fold(spans: Sequence[Span]) -> bool:
    """Whether there are many nodes, and fewer types than nodes."""
    nodes, types = {span.node_id for span in spans}, {span.node_type for span in spans}
    return len(nodes) > FOLD_OVER and 1 < len(types) < len(nodes)


def _milliseconds(text: str) -> int:
    return parameters.whole_number(text, 0, MAX_MS)
