"""What a run of the engine does at the moment, in words: its open steps, and what it waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.definitions.locales import display_name
from portal.engine.reporting.health import OpenStep, RunProgress
from portal.moments import elapsed_ms
from portal.pages.graph import names_in
from portal.runs.detail.pause import HeldNode, Pause
from portal.runs.detail.run import RunExcerpt
from portal.runs.statuses import RunStatus
from portal.web import formats

MAX_OPEN = 20
"""Open steps that are named."""


@dataclass(frozen=True, kw_only=True)
class OpenLine:
    """A step that has begun and not ended."""

    name: str
    word: str
    """What it does or waits for."""
    reason: str | None
    """Why it waits, as the provider's client said it."""
    done: int | None
    total: int | None


@dataclass(frozen=True, kw_only=True)
class Now:
    """What `runs/_now.html` shows."""

    sentence: str | None
    """Why nothing happens, or what is about to."""
    steps: Sequence[OpenLine] = ()
    more: int = 0
    """The number of open steps left out."""
    held: Sequence[tuple[str, str]] = ()
    """Nodes in front of which lines wait, and the languages of these lines."""
    more_held: int = 0
    resume_at: datetime | None = None
    """When a paused run goes on by itself."""


def now_of(run: RunExcerpt, progress: RunProgress | None, pause: Pause | None, now: datetime) -> Now | None:
    """None where there is nothing to say."""
    names = names_in(run.definition_snapshot)
    if pause is not None:
        return Now(
            sentence=None,
            held=[_held(node, names) for node in pause.held],
            more_held=pause.more,
            resume_at=pause.resume_at if pause.resume_at and pause.resume_at > now else None,
        )
    if progress is None:
        return None
    pausing = run.status == RunStatus.RUNNING and run.pause_requested_at is not None
    sentence = "It pauses when the steps that are running have ended." if pausing else progress.sentence
    lines = [_line(step, names, now) for step in progress.steps]
    return Now(sentence=sentence, steps=lines[:MAX_OPEN], more=max(0, len(lines) - MAX_OPEN))


def _line(step: OpenStep, names: Mapping[str, str], now: datetime) -> OpenLine:
    return OpenLine(
        name=names.get(step.node_id, step.node_id),
        word=_word(step, now),
        reason=step.waiting_for,
        done=step.done if step.total else None,
        total=step.total or None,
    )


def _word(step: OpenStep, now: datetime) -> str:
    if step.held:
        return "Running"
    if step.retry_at is not None and step.retry_at > now:
        return f"Tries again in {formats.duration_ms(elapsed_ms(now, step.retry_at, None))}"
    return "Waits for a worker"


def _held(node: HeldNode, names: Mapping[str, str]) -> tuple[str, str]:
    return names.get(node.node_id, node.node_id), ", ".join(map(display_name, node.locales))
