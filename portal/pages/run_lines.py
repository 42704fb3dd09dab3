"""The rows of a run list in words: title, duration, usage, and notes on what is odd."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portal import moments
from portal.auth.access import SeenWorkflow, SeenWorkspace
from portal.database.sql.excerpts import cut
from portal.runs.facts.outcomes import KIND_WORDS, TRIGGER_WORDS, outcome_word
from portal.runs.listing.rows import ListFacts, RowWorkflow, RunRow
from portal.runs.statistics.usual import UsualDuration, UsualOn, usual_durations
from portal.runs.statuses import RunStatus, is_active
from portal.web import formats

MAX_LABELS, MAX_LABEL = 2, 28
"""How many labels a line shows, and how long a value may be to be shown there."""
MAX_BRIEF = 40
"""Characters of a branch, and of the name of a trigger."""
MAX_USAGE = 40
"""Characters of the one count of the usage that a line shows."""


RowWorkflows = Mapping[UUID, RowWorkflow]


@dataclass(frozen=True, kw_only=True)
class RunLine:
    run: RunRow
    outcome: str
    """What became of it, where that says more than its status."""
    title: str | None
    labels: Sequence[tuple[str, str]]
    kind: str
    """Who triggered it, where that is no person: a bot, or a system."""
    branch: str
    trigger: str
    """What started it, and its name."""
    why: str
    """Why it failed or waits."""
    elapsed_ms: int | None
    ticking: bool
    times_usual: int | None
    """How many times the usual duration it took, if that is far from it."""
    duration_note: str
    steps_note: str
    usage: str
    """The first count."""
    usage_more: str
    """How many others there are."""

    @property
    def active(self) -> bool:
        return is_active(self.run.status)

    @property
    def steerable(self) -> bool:
        """Whether it can be cancelled, paused or resumed here."""
        return self.active and self.run.by_engine


def run_lines(
    rows: Sequence[RunRow], seen: SeenWorkflow | SeenWorkspace, workflows: RowWorkflows, now: datetime
) -> list[RunLine]:
    """The rows of a list that is opened for a workflow, or for a workspace with the workflows of its rows."""
    days = [_day(run, seen, workflows) for run in rows]
    shown_too = [UsualOn.at(seen.as_of, now)] if isinstance(seen, SeenWorkflow) else []  # by the overview
    usual = usual_durations([*filter(None, days), *shown_too])
    return [_line(run, usual[day] if day else None, now) for run, day in zip(rows, days, strict=True)]


def _day(run: RunRow, seen: SeenWorkflow | SeenWorkspace, workflows: RowWorkflows) -> UsualOn | None:
    """Which figure a run is held against; one that is not completed and does not run, against none."""
    if run.status not in (RunStatus.COMPLETED, RunStatus.RUNNING):
        return None
    version = seen.as_of if isinstance(seen, SeenWorkflow) else workflows[run.workflow_id].version
    return UsualOn.at(version, run.created_at)


def _line(run: RunRow, usual: UsualDuration | None, now: datetime) -> RunLine:
    ticking = run.status == RunStatus.RUNNING and run.started_at is not None and run.completed_at is None
    usage, usage_more = _usage(run)
    about = run.about or ListFacts()
    elapsed_ms = run.duration_ms
    if is_active(run.status):
        end = now if ticking else run.completed_at or run.paused_at
        elapsed_ms = moments.elapsed_ms(run.started_at, end, run.paused_ms)
    return RunLine(
        run=run,
        outcome=outcome_word(run.status, run.outcome),
        title=about.title if formats.is_visible(about.title or "") else None,
        labels=_labels(about.labels),
        kind=KIND_WORDS.get(run.triggered_by.kind or "", "") if run.triggered_by else "",
        branch=_brief(about.branch),
        trigger=trigger_words(run.trigger, _brief(about.trigger_name)),
        why=_why(run),
        elapsed_ms=elapsed_ms,
        ticking=ticking,
        times_usual=usual.times(elapsed_ms) if usual else None,
        duration_note=_duration_note(run) if elapsed_ms is None else "",
        steps_note="more than planned" if run.finished_steps > run.total_steps else "",
        usage=usage,
        usage_more=usage_more,
    )


def trigger_words(trigger: str | None, name: str) -> str:
    """What started a run, and its name where there is one: "Schedule: 0 2 * * *"."""
    return ": ".join(filter(None, (TRIGGER_WORDS.get(trigger or "", ""), name)))


def _why(run: RunRow) -> str:
    """Why a run failed or waits."""
    said = run.error or run.why or run.pause_error
    return said or formats.sentence(formats.humanize(run.pause_reason or ""))


def _brief(text: str | None) -> str:
    return cut(text, MAX_BRIEF) if text and formats.is_visible(text) else ""


def _duration_note(run: RunRow) -> str:
    """Why the duration of an ended run is not known."""
    if is_active(run.status):
        return ""
    if run.completed_at is None:
        return "no end recorded"
    if run.started_at is None:
        return "no start recorded" if run.status != RunStatus.CANCELLED else "never started"
    return "ends before its start" if run.completed_at < run.started_at else ""


def _labels(labels: Mapping[str, object]) -> Sequence[tuple[str, str]]:
    """The first labels that are short enough for a row."""
    shown = [(key, str(value)) for key, value in labels.items() if isinstance(value, str | int | float)]
    short = [
        (cut(key, MAX_LABEL), text)
        for key, text in shown
        if formats.is_visible(text) and len(text) <= MAX_LABEL
    ]
    return short[:MAX_LABELS]


def _usage(run: RunRow) -> tuple[str, str]:
    """The first count of the usage, and how many there are beside it."""
    counts = formats.usage(run.usage_summary)
    if run.usage_cut:
        return (cut(counts[0], MAX_USAGE), "and more") if counts else ("On its page", "")
    if not counts:
        return formats.NOTHING, ""
    return cut(counts[0], MAX_USAGE), f"{len(counts) - 1} more" if len(counts) > 1 else ""
