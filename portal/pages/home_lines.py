"""The rows of the page of workflows: what is said of each, and the strip of its last runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.engine.control.schedules.expectations import Late, late_of
from portal.runs.statuses import RunStatus, is_active
from portal.web import formats
from portal.workflows.attention.figures import RecentRun
from portal.workflows.attention.home import Entry, Home
from portal.workflows.attention.verdicts import Look
from portal.workflows.listing import WorkflowRow

_BAR, _STEP = 5, 7
"""Width of a bar of the strip, and from one to the next."""
_LINE, _TALLEST, _LEAST, _BELOW = 13, 12, 3, 6
"""Where the line is, heights of the bars on it, and of those below it."""


@dataclass(frozen=True)
class Strip:
    """The last runs of a workflow, newest right: as high as they took long, failed ones below a line."""

    paths: Mapping[str, str]
    """The path of the bars of each kind."""
    width: int
    words: str


@dataclass(frozen=True, kw_only=True)
class HomeLine:
    """A row of the page."""

    entry: Entry
    row: WorkflowRow
    strip: Strip
    late: Late | None
    """A run that was expected and did not come."""
    said: str
    """What is said of a workflow that needs no look."""
    times: str
    """How many times slower it became, or how many usual durations its longest run has taken."""
    running_ms: int
    """How long its longest run has been running."""

    @property
    def look(self) -> Look | None:
        return self.entry.verdict.look


def home_lines(home: Home, now: datetime) -> list[HomeLine]:
    return [_line(entry, home.rows[entry.workflow.id], now) for entry in home.page.rows]


def _line(entry: Entry, row: WorkflowRow, now: datetime) -> HomeLine:
    begun = entry.figures.running_since
    return HomeLine(
        entry=entry,
        row=row,
        strip=strip_of(entry.figures.strip),
        late=late_of(row.expected, row.last_run_at, row.created_at, now),
        said=_said(entry),
        times=_times(entry.verdict.times or 0),
        running_ms=(now - begun) // timedelta(milliseconds=1) if begun else 0,
    )


def _times(times: float) -> str:
    return formats.number(int(times)) if times >= 10 else f"{int(times * 10) / 10:g}"


def _said(entry: Entry) -> str:
    """In words, for a workflow that needs no look."""
    last = entry.figures.last
    if last is None:
        return "No runs yet"
    if entry.verdict.silence_ms is not None:
        return f"Dormant: no run for {formats.span_ms(entry.verdict.silence_ms)}"
    if is_active(last.status):
        return f"{last.status.capitalize()} now" + (", as usual so far" if entry.usual else ", no usual yet")
    if last.status == RunStatus.CANCELLED:
        return "Last run cancelled"
    if not entry.usual:
        runs = entry.workflow.runs_count
        return f"{formats.number(runs)} {'run' if runs == 1 else 'runs'}, no usual yet"
    return "As usual"


def strip_of(runs: Sequence[RecentRun]) -> Strip:
    longest = max((run.took_ms or 0 for run in runs if run.status == RunStatus.COMPLETED), default=0)
    bars: dict[str, list[str]] = {}
    for position, run in enumerate(runs):
        kind, height = _bar(run, longest)
        top = _LINE + 1 if kind == RunStatus.FAILED else _LINE - height
        bars.setdefault(kind, []).append(f"M{position * _STEP} {top}h{_BAR}v{height}h-{_BAR}z")
    failed = sum(run.status == RunStatus.FAILED for run in runs)
    words = f"{len(runs)} runs, oldest first" if len(runs) > 1 else "run"
    return Strip(
        {kind: "".join(paths) for kind, paths in bars.items()},
        max(len(runs) * _STEP - (_STEP - _BAR), 0),
        f"Last {words}: {formats.number(failed) if failed else 'none'} failed",
    )


def _bar(run: RecentRun, longest: int) -> tuple[str, int]:
    """The kind of a bar, which names its colour, and its height."""
    if run.status == RunStatus.FAILED:
        return run.status, _BELOW
    if run.status != RunStatus.COMPLETED or run.took_ms is None or not longest:
        return ("active" if is_active(run.status) else run.status), _LEAST
    return run.status, _LEAST + round((_TALLEST - _LEAST) * run.took_ms / longest)
