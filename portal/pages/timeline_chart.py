"""The chart of a timeline: rows of bars, an axis, an overview of the whole run, and zooms as links."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from portal.pages.charts import Scale, Tick, merge, time_ticks
from portal.paging import Page
from portal.runs.detail.timeline import Lane, Span, Timeline, TimelineQuery, concurrency
from portal.runs.statuses import WORST_FIRST, RunStatus
from portal.web.formats import duration_ms

OVERVIEW_FROM = 41
"""Runs with at least this many steps have an overview above the lanes."""

OVERVIEW_COLUMNS, OVERVIEW_WINDOWS = 72, 12
MAX_BARS, LEAST_BARS = 1_200, 30
"""Bars of a chart, and how many a lane has at least; steps of a lane with more of them are drawn together."""

MAX_MARKS = 40
NAMED_BARS = 5
"""Up to how many bars of a lane say whose they are; of more, the lane alone does."""

MAX_WAVES = 24
ROW_HEIGHT = 2
_LEAST_MS = 10


@dataclass(frozen=True)
class Bar:
    at: float
    size: float
    status: str
    title: str


@dataclass(frozen=True)
class Row:
    lane: Lane
    bars: Sequence[Bar]
    marks: Sequence[float]
    """Positions of failures: marked by a shape, not by colour alone."""
    top: int
    """Of the row in the chart, in the height of a letter: it grows with the text."""


@dataclass(frozen=True)
class Zoom:
    key: str
    label: str
    query: TimelineQuery


@dataclass(frozen=True)
class Window:
    """A part of the overview that links to its zoom."""

    at: float
    size: float
    label: str
    query: TimelineQuery


@dataclass(frozen=True)
class Column:
    at: float
    size: float
    top: float
    height: float


@dataclass(frozen=True)
class TimelineChart:
    rows: Sequence[Row]
    height: int
    ticks: Sequence[Tick]
    waves: Sequence[float]
    zooms: Sequence[Zoom]
    columns: Sequence[Column]
    failures: Sequence[float]
    windows: Sequence[Window]
    most_at_once: int
    shown: tuple[float, float]


def draw_timeline(timeline: Timeline) -> TimelineChart:
    scale = Scale(timeline.begin, timeline.end)
    inside = [wave for wave in timeline.waves if timeline.begin < wave < timeline.end]
    most = max(MAX_BARS // max(len(timeline.lanes.rows), 1), LEAST_BARS)
    with_overview = len(timeline.spans) >= OVERVIEW_FROM and timeline.origin is not None
    busy = concurrency(timeline.spans, timeline.length, OVERVIEW_COLUMNS) if with_overview else []
    whole = Scale(0, timeline.length)
    return TimelineChart(
        rows=[_row(lane, scale, most, top=n * ROW_HEIGHT) for n, lane in enumerate(timeline.lanes.rows)],
        height=len(timeline.lanes.rows) * ROW_HEIGHT,
        ticks=time_ticks(timeline.begin, timeline.end),
        waves=[scale.at(wave) for wave in inside] if len(inside) <= MAX_WAVES else [],
        zooms=list(_zooms(timeline)),
        columns=_columns(busy),
        failures=_failures(timeline.spans, whole) if with_overview else [],
        windows=list(_windows(timeline)) if with_overview else [],
        most_at_once=_most_at_once(timeline.spans) if with_overview else 0,
        shown=(whole.at(timeline.begin), whole.between(timeline.begin, timeline.end)),
    )


def lane_pages(timeline: Timeline) -> list[tuple[str, TimelineQuery]]:
    """Links to the lanes before and after those shown."""
    page: Page[Lane] = timeline.lanes
    number = timeline.query.lane_page
    links = [("‹ Earlier lanes", number - 1)] if page.slice.offset else []
    links += [("Later lanes ›", number + 1)] if page.next else []
    return [(label, timeline.query.on_page(target)) for label, target in links]


def _row(lane: Lane, scale: Scale, most: int, top: int) -> Row:
    failed = [span for span in lane.spans if span.status == RunStatus.FAILED]
    if lane.folded or len(lane.spans) > min(most, MAX_MARKS):
        bars = _merged(lane, scale, most)
    else:
        named = len(lane.spans) <= NAMED_BARS
        bars = [_bar(span, scale, named) for span in lane.spans]
    marks = sorted({round(scale.at(min(span.end, scale.end))) for span in failed})
    every = -(-len(marks) // min(most, MAX_MARKS)) or 1
    return Row(lane, bars, [float(mark) for mark in marks[::every]], top)


def _bar(span: Span, scale: Scale, named: bool) -> Bar:
    [(at, size)] = merge([(span.begin, span.end)], scale)
    who = [span.label] if named else []
    who += [f"attempt {span.iteration}"] if span.iteration > 1 else []
    length = duration_ms(span.end - span.begin) if span.ended else "end not recorded"
    if not span.ended and span.end > span.begin:
        length = f"{duration_ms(span.end - span.begin)} so far"
    went = f"{span.status}, {length}"
    return Bar(at, size, span.status, f"{', '.join(who)}: {went}" if who else went)


def _merged(lane: Lane, scale: Scale, most: int) -> list[Bar]:
    """Bars of many steps: those of one status that touch, or of many that nearly do, are drawn as one."""
    bars = []
    each = max(most // len({span.status for span in lane.spans}), 1)
    for status in reversed(WORST_FIRST):  # the worst is drawn last, on top
        alike = [(span.begin, span.end) for span in lane.spans if span.status == status]
        title = f"{len(alike):,} {status} of {len(lane.spans):,}"
        pieces = merge(alike, scale)
        if len(pieces) > each:
            pieces = merge(alike, scale, least=100 / each)
        bars += [Bar(at, size, status, title) for at, size in pieces]
    return bars


def _zooms(timeline: Timeline) -> Iterator[Zoom]:
    """Closer, wider and aside: each a link that says where it leads."""
    begin, end, whole = timeline.begin, timeline.end, timeline.length
    width = end - begin
    centre = begin + width // 2
    query = timeline.query
    if width // 2 >= _LEAST_MS:
        yield Zoom("in", "Zoom in", query.zoom((centre - width // 4, centre + width // 4)))
    if not timeline.zoomed:
        return
    wider = (max(centre - width, 0), min(centre + width, whole))
    yield Zoom("out", "Zoom out", query.zoom(None if wider == (0, whole) else wider))
    aside = width // 2 or 1
    if begin > 0:
        left = max(begin - aside, 0)
        yield Zoom("earlier", "‹ Earlier", query.zoom((left, left + width)))
    if end < whole:
        right = min(end + aside, whole)
        yield Zoom("later", "Later ›", query.zoom((right - width, right)))
    yield Zoom("whole", "Whole run", query.zoom(None))


def _columns(busy: Sequence[float]) -> list[Column]:
    size = 100 / len(busy) if busy else 0
    heights = [Scale(0, max(busy, default=0)).at(value) for value in busy]
    return [
        Column(round(n * size, 2), round(size, 2), round(100 - height, 2), height)
        for n, height in enumerate(heights)
        if height
    ]


def _failures(spans: Sequence[Span], whole: Scale) -> list[float]:
    places = {round(whole.at(span.end)) for span in spans if span.status == RunStatus.FAILED}
    return [float(place) for place in sorted(places)]


def _windows(timeline: Timeline) -> Iterator[Window]:
    if timeline.length < OVERVIEW_WINDOWS * _LEAST_MS:
        return
    edges = [timeline.length * n // OVERVIEW_WINDOWS for n in range(OVERVIEW_WINDOWS + 1)]
    scale = Scale(0, timeline.length)
    for begin, end in pairwise(edges):
        label = f"Zoom to {duration_ms(begin)} – {duration_ms(end)}"
        yield Window(scale.at(begin), scale.between(begin, end), label, timeline.query.zoom((begin, end)))


def _most_at_once(spans: Sequence[Span]) -> int:
    changes = sorted([(span.begin, 1) for span in spans] + [(span.end, -1) for span in spans])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most
