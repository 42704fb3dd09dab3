"""Handlers whose work is a function of what they get, and a worker without a queue that runs them.

They take the place of our own node types: their takes are tiny WAV files, their verdicts depend on line,
locale and round alone, so that an interpreter of its own can say what must come out.
"""

import io
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from hashlib import blake2b
from uuid import UUID

from portal import moments
from portal.config import EngineSettings
from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import EngineRun, Run, Workflow
from portal.database.transactions import writing
from portal.definitions.catalog import CATALOG, NodeType
from portal.engine.contract import (
    Ability,
    Context,
    Handler,
    Item,
    StepInput,
    StepOutput,
    Take,
    Usage,
    Verdict,
)
from portal.engine.environment import Environment
from portal.engine.execution import advance, plans, workers
from portal.engine.execution.work import Work
from portal.engine.execution.workers import WorkerIdentity
from portal.engine.flow import Plan, StepKey
from portal.runs.recording.recorder import add_run
from tests.factories import CAN_ALL

SETTINGS = EngineSettings(
    enabled=True,
    prices="",
    runs_per_person=20,
    runs_per_workspace=50,
    lease=30,
    poll=0.05,
    per_workspace=8,
    max_queued=20_000,
    auto_resumes=3,
)

Job = Callable[[StepInput, Context], StepOutput]


@dataclass(frozen=True)
class JobHandler:
    """A handler that does a job."""

    node_type: NodeType
    job: Job

    def ability(self, _environment: Environment) -> Ability:
        return Ability()

    def run(self, step: StepInput, context: Context) -> StepOutput:
        return self.job(step, context)


def read_lines(step: StepInput, _context: Context) -> StepOutput:
    texts = [text for text in (step.setting("text") or "").split("\n") if text.strip()]
    locale = step.setting("source_language") or "en-us"
    items = [
        Item(source=step.node_id, line=number, locale=locale, text=text) for number, text in enumerate(texts)
    ]
    return StepOutput(items=items)


def translate(step: StepInput, _context: Context) -> StepOutput:
    found: dict[Item, None] = {}
    for item in step.items:
        for locale in step.setting("target_languages"):
            same = item.locale == locale
            found[item if same else replace(item, locale=locale, text=f"{item.text} in {locale}")] = None
    return StepOutput(items=list(found))


def change_text(step: StepInput, _context: Context) -> StepOutput:
    return StepOutput(items=[replace(item, text=f"{item.text} by {step.node_id}") for item in step.items])


def speak(step: StepInput, context: Context) -> StepOutput:
    items = []
    for item in step.items:
        context.check()
        audio = context.store(io.BytesIO(sound(item.text)), "audio/wav")
        take = Take(audio=audio, duration_ms=100, voice="Test", provider="test", model="test")
        items.append(replace(item, take=take))
    usage = Usage(characters=sum(len(item.text) for item in items), audio_ms=100 * len(items))
    return StepOutput(items=items, usage=usage)


def judge(step: StepInput, _context: Context) -> StepOutput:
    verdicts = []
    for item in step.items:
        passed = verdict_of(step.node_id, item.line, item.locale, step.iteration)
        score = None if passed is None else 90.0 if passed else 10.0
        reason = "This one cannot be judged." if passed is None else None
        verdicts.append(Verdict(passed=passed, score=score, reason=reason))
    return StepOutput(verdicts=verdicts)


def export(step: StepInput, _context: Context) -> StepOutput:
    takes: dict[object, Item] = {}
    for item in step.items:
        assert item.take is not None
        takes.setdefault((item.source, item.line, item.take.position), item)
    return StepOutput(delivered=list(takes.values()))


def verdict_of(node_id: str, line: int, locale: str, round_: int) -> bool | None:
    """What a validator says: True for a third, None for a sixth, False for the rest."""
    number = blake2b(f"{node_id} {line} {locale} {round_}".encode(), digest_size=2).digest()[0] % 6
    return None if number == 0 else number < 3


@cache
def sound(text: str) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(blake2b(text.encode()).digest() * 12)
    return content.getvalue()


def _job_of(node_type: NodeType) -> Job:
    if node_type.slug == "operator_translator":
        return translate
    if node_type.category == "operator":
        makes_audio = "audio" in node_type.outputs[0].fields
        return speak if makes_audio else change_text
    return {"source": read_lines, "validation": judge, "output": export}[node_type.category]


JOBS: Mapping[str, Job] = {slug: _job_of(CATALOG[slug]) for slug in CATALOG}
"""What each node type does here, unless a test gives it another job."""


@dataclass
class Bench:
    """A worker of a test, and the runs that it drives; deliveries are made at once, in the order of steps."""

    jobs: dict[str, Job] = field(default_factory=dict)
    settings: EngineSettings = SETTINGS
    worker_id: str = ""
    costs: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.worker_id:
            self.worker_id = self.new_worker()
        self.work = self.work_of(self.worker_id)

    def new_worker(self) -> str:
        """Register another worker, which is alive until its heartbeat is too old."""
        identity = WorkerIdentity.new()
        with writing() as session:
            workers.register(session, identity, 4, CAN_ALL)
        return identity.id

    def work_of(self, worker_id: str) -> Work:
        return Work(
            worker_id=worker_id,
            settings=self.settings,
            environment=Environment(),
            handler_for=self._handler,
            cost_of=lambda slug, _usage: self.costs.get(slug, Decimal(0)),
        )

    def _handler(self, slug: str) -> Handler:
        return JobHandler(CATALOG[slug], {**JOBS, **self.jobs}[slug])

    def start(self, workflow: Workflow, definition: JsonObject, now: datetime | None = None) -> Run:
        """Start a run of this definition, with no check of whether it can run."""
        plan = Plan.of(definition)
        with writing() as session:
            run = add_run(
                session,
                workflow.id,
                now=now or moments.now(),
                person_id=None,
                api_key_id=None,
                total_nodes=len(definition["graph"]["nodes"]),
                total_steps=len(plan.nodes),
                definition_snapshot=definition,
                workflow_version=None,
                by_engine=True,
            )
            session.add(EngineRun(run_id=run.id, workspace_id=workflow.workspace_id))
            session.flush()
            for node_id in plan.sources:
                advance.deliver(session, run, StepKey(node_id, 1))
        return run

    def waiting(self, run_id: UUID) -> list[StepKey]:
        """The steps that may run and that no worker has."""
        with writing() as session:
            plan = plans.plan_of(session, run_id)
            return [step.key for step in plans.progress_of(session, run_id).waiting(plan)]

    def deliver(self, run_id: UUID, key: StepKey) -> None:
        self.work.deliver(run_id, *key)

    def finish(self, run_id: UUID, most: int = 1000) -> Run:
        """Deliver what waits until nothing does."""
        for _ in range(most):
            keys = self.waiting(run_id)
            run = self.run(run_id)
            if not keys or run.status not in ("pending", "running"):
                return run
            self.deliver(run_id, keys[0])
        raise AssertionError("the run does not end")

    def run(self, run_id: UUID) -> Run:
        db.session.rollback()
        db.session.expire_all()
        return db.session.get_one(Run, run_id)
