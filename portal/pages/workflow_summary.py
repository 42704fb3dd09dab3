"""The summary page of a workflow: charts over a range of days, each with its numbers as a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from flask import Response, make_response, request

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow, read_description
from portal.auth.gate import current_principal
from portal.errors import InvalidQuery
from portal.input.parameters import single
from portal.input.time_zones import day_at
from portal.pages import bp, conditional_get
from portal.pages.charts import Piece, Scale, Tick, count_ticks, histogram, stack, time_ticks
from portal.pages.days import window_of
from portal.pages.forms import Form, filled, id_in_path
from portal.paging import Page
from portal.runs.statistics.trends import WINDOWS, TrendColumn, TrendQuery, Trends, read_trends
from portal.runs.statuses import RunStatus
from portal.web import formats
from portal.web.rendering import render
from portal.workflows.uploads.listing import UploadsQuery, list_uploads
from portal.workflows.uploads.rows import UploadRow

ORDER = (
    RunStatus.COMPLETED,
    RunStatus.CANCELLED,
    RunStatus.PAUSED,
    RunStatus.PENDING,
    RunStatus.RUNNING,
    RunStatus.FAILED,
)
"""The pieces of a bar from the bottom up."""
WINDOW_LABELS = {"7": "7 days", "30": "30 days", "90": "90 days", "all": "All"}
WINDOW_OPTIONS = tuple((window, WINDOW_LABELS[window]) for window in WINDOWS)


@dataclass(frozen=True)
class Bar:
    column: TrendColumn
    at: float
    size: float
    pieces: Sequence[Piece]
    label: str


@dataclass(frozen=True)
class Chart:
    """Columns or dots over an axis; `top` is the value at its upper end."""

    bars: Sequence[Bar]
    ticks: Sequence[Tick]


@dataclass(frozen=True, kw_only=True)
class SummaryPage:
    """What `workflows/summary.html` shows."""

    workflow: SeenWorkflow
    description: str | None
    trends: Trends
    uploads: Page[UploadRow]
    present: Sequence[str]
    """The statuses that any run in the charts has."""
    form: Form
    activity: Chart
    spread: Sequence[tuple[float, float, float, int, int, int]]
    """The histogram of durations: x, width and height; from, to and number of runs."""
    trend: tuple[Sequence[tuple[float, float, str]], Sequence[Tick]]
    """Median durations as dots, and the ticks of their axis."""
    windows: Sequence[tuple[str, str]] = WINDOW_OPTIONS
    window: Callable[[date, date], dict[str, str]]
    """The parameters of the list of runs from one day to another."""


@bp.get("/workflows/<workflow_id>/summary")
def summary(workflow_id: str) -> Response:
    args, status = single(request.args), 200
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    try:
        query, form = TrendQuery.parse(args), filled(args)
    except InvalidQuery as refusal:
        query, form, status = TrendQuery(), filled(args, refusal.errors), refusal.status
    conditional_get.answer_304_if_unchanged(workflow)
    zone = formats.zone_on_show()
    page = _page(workflow, read_trends(workflow, query, day_at(moments.now(), zone), zone), form)
    return make_response(render("workflows/summary.html", page), status)


def _page(workflow: SeenWorkflow, trends: Trends, form: Form) -> SummaryPage:
    return SummaryPage(
        workflow=workflow,
        description=read_description(workflow),
        trends=trends,
        uploads=list_uploads(workflow, UploadsQuery(workflow.id)),
        present=[status for status in ORDER if trends.counts[status]],
        form=form,
        activity=_activity(trends),
        spread=_spread(trends),
        trend=_trend(trends),
        window=partial(window_of, zone=formats.zone_on_show()),
    )


def _activity(trends: Trends) -> Chart:
    ticks = count_ticks(max(column.total for column in trends.columns))
    return Chart([_bar(trends, place, ticks[-1].value) for place in range(len(trends.columns))], ticks)


def _bar(trends: Trends, place: int, top: int) -> Bar:
    column, size = trends.columns[place], 100 / len(trends.columns)
    pieces = stack([(status, column.counts[status]) for status in ORDER], top)
    upright = [
        Piece(round(100 - each.at - each.size, 2), each.size, each.kind, each.value) for each in pieces
    ]
    counts = ", ".join(f"{each.value:,} {each.kind}" for each in pieces) or "no runs"
    return Bar(column, round(place * size, 2), round(size * 0.8, 2), upright, f"{_days(column)}: {counts}")


def _spread(trends: Trends) -> list[tuple[float, float, float, int, int, int]]:
    """The bars of the histogram of durations."""
    bins = histogram(trends.durations)
    heights = Scale(0, max((each.count for each in bins), default=1))
    size = 100 / len(bins) if bins else 0
    return [
        (round(n * size, 2), round(size * 0.9, 2), heights.at(each.count), each.low, each.high, each.count)
        for n, each in enumerate(bins)
    ]


def _trend(trends: Trends) -> tuple[list[tuple[float, float, str]], list[Tick]]:
    """Median durations over time as dots, and the ticks of their axis."""
    known = [(n, column) for n, column in enumerate(trends.columns) if column.median_ms is not None]
    top = max((column.median_ms or 0 for _, column in known), default=0) or 1
    across, up = Scale(0, len(trends.columns)), Scale(0, top * 1.1)
    ticks = [Tick(up.at(tick.value), tick.value) for tick in time_ticks(0, top, most=4)]
    dots = [(across.at(n + 0.5), round(100 - up.at(c.median_ms or 0), 2), _days(c)) for n, c in known]
    return dots, ticks


def _days(column: TrendColumn) -> str:
    first, last = formats.day(column.first), formats.day(column.last)
    return first if column.first == column.last else f"{first} – {last}"
