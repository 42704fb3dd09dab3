"""The sample workspace: voice workflows with three months of history. Deterministic for a given moment."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Member, Role, User, Workspace
from portal.database.transactions import writing
from portal.history.demo import audio, uploads
from portal.history.demo.definitions import definition
from portal.history.importer import import_lines
from portal.history.summary import ImportSummary
from portal.moments import format_moment

WORKSPACE_NAME, WORKSPACE_SLUG = "Acme Voice", "acme-voice"
USER_EMAIL = "demo@acme.example"

_NAMESPACE = UUID("3a2ef3b4-5f0e-5c0b-8a39-d7f35c7c4f10")
_USER_ID = uuid5(_NAMESPACE, "user:ada")
_DAYS = 90
_AUDIO_AGE = timedelta(days=4)
"""Runs that are younger than this have audio."""
_VALIDATORS = {
    "validator_error_rate": "word error rate {:.2f} over 0.10",
    "validator_naturalness": "naturalness {:.2f} under 0.80",
    "validator_noise": "noise {:.2f} over 0.05",
    "validator_pronunciation": "pronunciation {:.2f} under 0.90",
}
_PROVIDER_ERRORS = (
    "{} {}: the provider did not answer within 60 s",
    "{} {}: the provider refused the request (429)",
    "{} {}: the text is longer than the model takes",
)

_ADA: Mapping[str, str] = {"id": str(_USER_ID), "name": "Ada Lovelace", "email": USER_EMAIL}
_GRACE: Mapping[str, str] = {"id": "u-grace", "name": "Grace Hopper", "email": "grace@acme.example"}
_KATHERINE: Mapping[str, str] = {
    "id": "u-katherine",
    "name": "Katherine Johnson",
    "email": "katherine@acme.example",
}
_ASA: Mapping[str, str] = {"id": "u-asa", "name": "Åsa Öberg", "email": "asa.oberg@acme.example"}
_MINSU: Mapping[str, str] = {"id": "u-minsu", "name": "김민수", "email": "minsu@acme.example"}
_OPS: Mapping[str, str] = {"email": "ops@acme.example"}
_SCHEDULE: Mapping[str, str] = {"name": "Nightly schedule"}


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """A workflow of the sample, and the properties of its history."""

    key: str
    name: str
    description: str
    node_types: Sequence[str]
    locales: Sequence[str]
    runs: int
    fail: float
    people: Sequence[tuple[Mapping[str, str] | None, int]]
    spoken: str = "en-us"
    """The language of the script."""
    text: str = ""
    """The script; if empty, it is an upload."""
    titles: Sequence[str] = ()
    seconds_a_step: float = 8.0
    bad_days: range = field(default_factory=lambda: range(0))
    """Days ago on which most runs fail."""
    active: Sequence[str] = ()
    """Statuses of the last runs, oldest first."""


_SAMPLES = (
    _Sample(
        key="nightly-dub",
        name="Nightly dub",
        description="Dubs the day's videos into every market's language before the morning.",
        node_types=(
            "source_script",
            "operator_translator",
            "operator_normalizer",
            "operator_generator",
            "validator_error_rate",
            "validator_naturalness",
            "sink_preview",
        ),
        locales=("de-de", "fr-fr", "ja-jp", "ko-kr", "pt-br"),
        runs=1200,
        fail=0.06,
        people=((_SCHEDULE, 60), (_ADA, 14), (_GRACE, 12), (_MINSU, 8), (_OPS, 4), (None, 2)),
        titles=("Morning news", "Product tour", "Release notes", "Help centre update"),
        active=("paused", "running", "running", "pending"),
    ),
    _Sample(
        key="podcast-intros",
        name="Podcast intros",
        description="Reads the introductions of new episodes.",
        node_types=(
            "source_script",
            "operator_translator",
            "operator_phoneme_injector",
            "operator_generator",
            "validator_pronunciation",
            "sink_preview",
        ),
        spoken="en-gb",
        locales=("en-gb", "es-es"),
        runs=400,
        fail=0.04,
        people=((_ASA, 50), (_KATHERINE, 30), (_ADA, 20)),
        titles=("Episode introduction", "Trailer", "Season recap"),
        seconds_a_step=5.0,
        active=("running",),
    ),
    _Sample(
        key="support-prompts",
        name="Support prompts",
        description="Phone menu prompts in all the languages that support answers in.",
        node_types=(
            "source_script",
            "operator_translator",
            "operator_generator",
            "validator_noise",
            "validator_error_rate",
            "operator_pronunciation_corrector",
            "sink_preview",
        ),
        locales=("en-us", "es-mx", "ko-kr"),
        runs=90,
        fail=0.08,
        people=((_KATHERINE, 40), (_OPS, 35), (_GRACE, 25)),
        titles=("Holiday hours", "New menu", "Outage notice"),
        seconds_a_step=11.0,
        bad_days=range(18, 25),
    ),
    _Sample(
        key="onboarding-tour",
        name="Onboarding tour",
        description="Narrates the product tour for new customers. Not started yet.",
        node_types=("source_script", "operator_generator", "sink_preview"),
        locales=("en-us",),
        text="Welcome to Acme Voice.\nYour projects are on the left.\nPress the green button to record.",
        runs=0,
        fail=0.0,
        people=(),
    ),
)


@dataclass(frozen=True)
class DemoSummary:
    """What `flask demo` did."""

    made: bool
    imported: ImportSummary | None = None

    def to_json(self) -> dict[str, object]:
        history = self.imported.to_json() if self.imported else None
        return {"made": self.made, "workspace": WORKSPACE_SLUG, "user": USER_EMAIL, "history": history}

    def to_text(self) -> str:
        if not self.made or self.imported is None:
            return f"The workspace {WORKSPACE_SLUG} exists already: nothing was changed."
        total = self.imported.total
        return (
            f"Made the workspace {WORKSPACE_SLUG} with {total.workflows_new} workflows, "
            f"{total.runs_new:,} runs and {total.people} people.\n"
            f"Sign in with: flask signin-link {USER_EMAIL}"
        )


def install_demo(now: datetime) -> DemoSummary:
    """Create the sample workspace, its user and its history.

    An existing sample does not change, except that an interrupted import of its history is completed.
    """
    workspace_id = uuid5(_NAMESPACE, "workspace")
    with writing() as session:
        existing = session.scalar(sa.select(Workspace).where(Workspace.slug == WORKSPACE_SLUG))
        if existing is None:
            _add_workspace(session, workspace_id, now)
        elif existing.id != workspace_id:
            return DemoSummary(made=False)
        else:
            now = existing.created_at
    lines = (json.dumps(line).encode() for line in demo_lines(now))
    locales = sorted({locale for sample in _SAMPLES for locale in sample.locales})
    files = {**audio.sounds(locales), **uploads.CONTENTS}
    imported = import_lines(workspace_id, lines, now=now, files=files)
    return DemoSummary(imported.total.runs_new > 0, imported)


def _add_workspace(session: Session, workspace_id: UUID, now: datetime) -> None:
    """Create the workspace with one member."""
    user_id = session.scalar(sa.select(User.id).where(User.email == USER_EMAIL))
    session.add(Workspace(id=workspace_id, name=WORKSPACE_NAME, slug=WORKSPACE_SLUG, created_at=now))
    if user_id is None:
        user_id = _USER_ID
        names = {"first_name": "Ada", "last_name": "Lovelace"}
        session.add(User(id=user_id, email=USER_EMAIL, **names, created_at=now))
    session.flush()
    session.add(Member(workspace_id=workspace_id, user_id=user_id, role=Role.ADMIN, created_at=now))


def simulated_workflows() -> tuple[UUID, ...]:
    """The sample's workflows with active runs."""
    return tuple(uuid5(_NAMESPACE, sample.key) for sample in _SAMPLES if sample.active)


def sample_error(node_type: str, chance: random.Random) -> str:
    """An error message for a step of this type."""
    locales = next(sample.locales for sample in _SAMPLES if node_type in sample.node_types)
    return _error(chance, node_type, chance.choice(locales))


def demo_lines(now: datetime) -> Iterator[dict[str, object]]:
    """The sample's history in the import format."""
    now = now.replace(microsecond=0)
    made_at = now - timedelta(days=_DAYS + 4)
    for sample in _SAMPLES:
        yield {
            "type": "workflow",
            "id": str(uuid5(_NAMESPACE, sample.key)),
            "name": sample.name,
            "description": sample.description,
            "definition": _definition(sample),
            "created_at": format_moment(made_at),
        }
    for sample in _SAMPLES:
        person = next((person for person, _ in sample.people if person and "id" in person), None)
        if person is not None:
            yield from uploads.upload_lines(uuid5(_NAMESPACE, sample.key), sample.name, person, made_at)
    for sample in _SAMPLES:
        chance = random.Random(f"run-portal {sample.key}")  # noqa: S311 (a sample, no secret)
        yield from _runs(sample, chance, now)


def _definition(sample: _Sample) -> dict[str, object]:
    workflow_id = uuid5(_NAMESPACE, sample.key)
    return definition(workflow_id, sample.node_types, sample.spoken, sample.locales, sample.text)


def _runs(sample: _Sample, chance: random.Random, now: datetime) -> Iterator[dict[str, object]]:
    ended = sample.runs - len(sample.active)
    spread = sorted(chance.random() for _ in range(max(ended, 0)))
    begin = now - timedelta(days=_DAYS)
    span = timedelta(days=_DAYS) - timedelta(hours=2)
    for number, share in enumerate(spread, 1):
        created_at = _whole_second(begin + span * share)
        days_ago = (now - created_at).days
        fail = 0.75 if days_ago in sample.bad_days else sample.fail
        status = chance.choices(("failed", "cancelled", "completed"), (fail, 0.02, 0.98 - fail))[0]
        yield _run(sample, chance, number, status, created_at, now)
    for position, status in enumerate(sample.active):
        created_at = now - timedelta(minutes=9 - 2 * position, seconds=chance.randrange(60))
        yield _run(sample, chance, ended + position + 1, status, created_at, now)


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _run(
    sample: _Sample, chance: random.Random, number: int, status: str, created_at: datetime, now: datetime
) -> dict[str, object]:
    run_id = uuid5(_NAMESPACE, f"{sample.key}/{number}")
    locales = sorted(chance.sample(sample.locales, chance.randint(1, len(sample.locales))))
    started_at = None if status == "pending" else created_at + timedelta(seconds=chance.randint(1, 20))
    steps = _steps(sample, chance, status, locales, started_at, now) if started_at else []
    lines = chance.randint(4, 60) * len(locales)
    run: dict[str, object] = {
        "type": "run",
        "id": str(run_id),
        "workflow_id": str(uuid5(_NAMESPACE, sample.key)),
        "run_number": number,
        "status": status,
        "created_at": format_moment(created_at),
        "total_nodes": len(sample.node_types),
        "total_steps": max(len(steps), len(sample.node_types)),
        "finished_steps": sum("completed_at" in step for step in steps),
        "finished_nodes": len({step["node_id"] for step in steps if step["status"] == "completed"}),
        "title": f"{chance.choice(sample.titles)}, {created_at:%d %B}",
        "labels": _labels(locales, lines),
        "steps": steps,
    }
    person = chance.choices([person for person, _ in sample.people], [weight for _, weight in sample.people])[
        0
    ]
    if person is not None:
        run["triggered_by"] = dict(person)
    if started_at is not None:
        run["started_at"] = format_moment(started_at)
        run["usage_summary"] = _usage(chance, len(steps), len(locales))
        run["credits"] = lines * (3 if status == "completed" else 1)
        run["definition_snapshot"] = _definition(sample)
    _end(run, chance, status, lines, started_at, steps)
    if status == "completed" and now - created_at < _AUDIO_AGE:
        _add_output(run, sample, locales, steps)
    return run


def _labels(locales: Sequence[str], lines: int) -> dict[str, object]:
    return {"locales": ", ".join(locales), "lines": lines}


def _add_output(
    run: dict[str, object], sample: _Sample, locales: Sequence[str], steps: Sequence[dict[str, object]]
) -> None:
    """Add output lines with audio, and the counts that go with them."""
    validators = [node_type for node_type in sample.node_types if node_type in _VALIDATORS]
    own = random.Random(str(run["id"]))  # noqa: S311 (a sample, no secret)
    output_lines = audio.output_lines(own, locales, validators)
    count = len(output_lines) * len(locales)
    run |= {
        "output_lines": output_lines,
        "output_line_count": count,
        "delivered_audio_ms": count * audio.LINE_MS,
        "labels": _labels(locales, count),
    }
    for step in steps:
        step |= {"locales": list(locales), "result": {"lines": count}}


def _end(
    run: dict[str, object],
    chance: random.Random,
    status: str,
    lines: int,
    started_at: datetime | None,
    steps: Sequence[dict[str, object]],
) -> None:
    """Add the fields of ended and paused runs."""
    ended = [str(step["completed_at"]) for step in steps if "completed_at" in step]
    last = max(ended, default=format_moment(started_at) if started_at else str(run["created_at"]))
    if status in ("completed", "failed", "cancelled"):
        run["completed_at"] = last
    if status == "completed":
        run["output_line_count"] = lines
        run["delivered_audio_ms"] = lines * chance.randint(1800, 5200)
    elif status == "failed":
        run["error"] = next((step["error"] for step in reversed(steps) if "error" in step), "Stopped")
    elif status == "paused":
        run |= {"pause_requested_at": last, "paused_at": last, "pause_reason": "provider_rate_limited"}
        run["pause_error"] = "The voice provider asks us to slow down."


def _usage(chance: random.Random, steps: int, locales: int) -> dict[str, object]:
    return {
        "cpu_seconds": round(steps * locales * chance.uniform(0.4, 2.2), 1),
        "memory_mb": chance.choice((256, 512, 768, 1024)),
        "api_calls": steps * locales + chance.randint(0, 9),
    }


def _steps(
    sample: _Sample,
    chance: random.Random,
    status: str,
    locales: Sequence[str],
    started_at: datetime,
    now: datetime,
) -> list[dict[str, object]]:
    """The steps that a run of this status has, sometimes with a second attempt of a validator."""
    types = sample.node_types
    count = len(types) if status == "completed" else chance.randint(2, len(types) - 1)
    steps: list[dict[str, object]] = []
    moment = started_at
    for position, node_type in enumerate(types[:count]):
        is_last = position == count - 1
        if node_type in _VALIDATORS and chance.random() < 0.15:
            moment = _add_step(steps, chance, sample, node_type, 1, "failed", locales, moment)
            moment = _add_step(steps, chance, sample, node_type, 2, _last(status, is_last), locales, moment)
        else:
            moment = _add_step(steps, chance, sample, node_type, 1, _last(status, is_last), locales, moment)
    return _not_after(now, steps)


def _last(status: str, is_last: bool) -> str:
    return status if is_last and status in ("failed", "cancelled", "running") else "completed"


def _add_step(
    steps: list[dict[str, object]],
    chance: random.Random,
    sample: _Sample,
    node_type: str,
    iteration: int,
    status: str,
    locales: Sequence[str],
    moment: datetime,
) -> datetime:
    """Append one step that starts at a moment. Returns its end."""
    end = moment + timedelta(seconds=max(1, round(chance.expovariate(1 / sample.seconds_a_step))))
    step: dict[str, object] = {
        "node_id": node_type,
        "node_type": node_type,
        "name": _name(node_type),
        "status": status,
        "iteration": iteration,
        "created_at": format_moment(moment),
        "started_at": format_moment(moment),
    }
    if status != "running":
        step["completed_at"] = format_moment(end)
    if status == "failed":
        step["error"] = _error(chance, node_type, chance.choice(locales))
    steps.append(step)
    return end


def _name(node_type: str) -> str:
    return node_type.partition("_")[2].replace("_", " ").capitalize()


def _error(chance: random.Random, node_type: str, locale: str) -> str:
    template = _VALIDATORS.get(node_type)
    if template is None:
        return chance.choice(_PROVIDER_ERRORS).format(_name(node_type), locale)
    return f"Validate {locale}: {template.format(chance.uniform(0.15, 0.45))}"


def _not_after(now: datetime, steps: list[dict[str, object]]) -> list[dict[str, object]]:
    """Move times in the future to the present."""
    present = format_moment(now)
    for step in steps:
        for name in ("created_at", "started_at", "completed_at"):
            if str(step.get(name, "")) > present:
                step[name] = present
    return steps
