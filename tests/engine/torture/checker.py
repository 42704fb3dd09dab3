"""What must be true of a database after workers were killed: every step once, nothing lost, nothing odd."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import (
    TERMINAL,
    EngineClaim,
    EngineRun,
    Run,
    RunEvent,
    RunStatus,
    Step,
    Take,
    TakeStatus,
)
from portal.errors import Conflict
from portal.runs.counts.recount import find_drift
from portal.runs.recording.state_machine import Event, next_status
from tests.engine.torture import handlers


@dataclass
class Findings:
    """What came of a trial; `faults` is empty if nothing was wrong."""

    kills: int = 0
    zombies: int = 0
    restarts: int = 0
    runs: int = 0
    completed: int = 0
    cancelled: int = 0
    steps: int = 0
    executions: int = 0
    """How often work on a step began; more than `steps` where a worker was killed within one."""
    most_claims: int = 0
    seconds: float = 0
    faults: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def check(findings: Findings, folder: Path, frozen: Collection[int] = ()) -> None:
    """Add what the database and the handlers' notes say, within the application.

    `frozen` are processes that were stopped for a while: one that was stopped between a claim and its work
    begins when it wakes, after somebody else's end, and can only be kept from committing.
    """
    session = db.session()
    runs = {run.id: run for run in session.scalars(sa.select(Run).where(Run.by_engine))}
    begun = list(_begun(folder))
    findings.runs, findings.executions = len(runs), len(begun)
    findings.completed = sum(run.status == RunStatus.COMPLETED for run in runs.values())
    findings.cancelled = sum(run.status == RunStatus.CANCELLED for run in runs.values())
    claims: dict[UUID, list[EngineClaim]] = {run_id: [] for run_id in runs}
    for claim in session.scalars(sa.select(EngineClaim)):
        claims[claim.run_id].append(claim)
    findings.steps = sum(map(len, claims.values()))
    findings.most_claims = max((each.claims for found in claims.values() for each in found), default=0)
    for run_id, run in runs.items():
        faults = [*_of_run(run), *_of_steps(run, claims[run_id]), *_of_events(run)]
        if run.status == RunStatus.COMPLETED:
            faults += [*_of_completed(run, claims[run_id])]
        findings.faults += [f"run {run_id} ({run.status}): {fault}" for fault in faults]
    findings.faults += [*_of_numbers(), *_of_beginnings(begun, claims, frozen)]
    findings.faults += [f"counts of {key} drifted: {tables}" for key, tables in find_drift(session).items()]
    if session.get_bind().dialect.name == "sqlite":
        said = session.scalar(sa.text("PRAGMA integrity_check"))
        findings.faults += [] if said == "ok" else [f"integrity: {said}"]
    db.session.rollback()


def _of_run(run: Run) -> Iterator[str]:
    if run.status not in (RunStatus.COMPLETED, RunStatus.CANCELLED):
        yield f"has not ended: {run.error}"
    elif db.session.get_one(EngineRun, run.id).settled_at is None:
        yield "is not settled"
    if run.status == RunStatus.COMPLETED and run.finished_steps != run.total_steps:
        yield f"{run.finished_steps} of {run.total_steps} steps are counted"


def _of_steps(run: Run, claims: list[EngineClaim]) -> Iterator[str]:
    steps = db.session.scalars(sa.select(Step).where(Step.run_id == run.id).order_by(Step.position)).all()
    if run.finished_steps != len(steps):
        yield f"{run.finished_steps} of its {len(steps)} steps are counted"
    if [step.position for step in steps] != list(range(len(steps))):
        yield "positions of steps have gaps"
    if Counter((step.node_id, step.iteration) for step in steps) != Counter(
        (claim.node_id, claim.iteration) for claim in claims
    ):
        yield "its steps are not its claims"
    for step in steps:
        if step.status not in TERMINAL:
            yield f"step {step.position} is {step.status}"
    for claim in claims:
        if claim.ended_at is None:
            yield f"the claim of {claim.node_id} {claim.iteration} has not ended"
    takes = db.session.scalars(sa.select(Take).where(Take.run_id == run.id)).all()
    for line in {take.line for take in takes}:
        positions = sorted(take.position for take in takes if take.line == line)
        if positions != list(range(len(positions))):
            yield f"the takes of line {line} are {positions}"


def _of_completed(run: Run, claims: list[EngineClaim]) -> Iterator[str]:
    found = Counter(claim.node_id for claim in claims)
    if found != handlers.STEPS:
        yield f"it has the steps {dict(found)}"
    takes = Counter(db.session.scalars(sa.select(Take.status).where(Take.run_id == run.id)))
    if takes.total() != handlers.TAKES or TakeStatus.GENERATED in takes:
        yield f"it has the takes {dict(takes)}"


def _of_events(run: Run) -> Iterator[str]:
    """Replay the state machine: each event must have been legal where it happened."""
    status, pausing, started = None, False, 0
    events = db.session.scalars(sa.select(RunEvent).where(RunEvent.run_id == run.id).order_by(RunEvent.id))
    for row in events:
        if row.from_status != status:
            yield f"{row.event} from {row.from_status} where it was {status}"
        if row.event == Event.START:
            started += 1
            after = RunStatus.PENDING
        else:
            try:
                after = next_status(RunStatus(row.from_status or ""), pausing, Event(row.event))
            except Conflict as conflict:
                yield str(conflict)
                return
        if row.to_status != after:
            yield f"{row.event} led to {row.to_status}, not {after}"
        status = row.to_status
        pausing = row.event == Event.PAUSE and status == RunStatus.RUNNING
    if started != 1 or status != run.status:
        yield f"its events say {status}, and it began {started} times"


def _of_numbers() -> Iterator[str]:
    numbers: dict[UUID, list[int]] = {}
    for workflow_id, number in db.session.execute(sa.select(Run.workflow_id, Run.run_number)):
        numbers.setdefault(workflow_id, []).append(number)
    for workflow_id, found in numbers.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            yield f"the runs of workflow {workflow_id} are numbered {sorted(found)}"


class Beginning(NamedTuple):
    key: str
    """Of the step (`Context.key`)."""
    at: datetime
    pid: int


def _begun(folder: Path) -> Iterator[Beginning]:
    for file in (folder / "begun").iterdir():
        for line in file.read_text(encoding="ascii").splitlines():
            key, at = line.split()
            yield Beginning(key, datetime.fromisoformat(at), int(file.name))


def _of_beginnings(
    begun: Collection[Beginning], claims: Mapping[UUID, list[EngineClaim]], frozen: Collection[int]
) -> Iterator[str]:
    """Nobody begins a step whose end is committed, and no step ends that nobody began."""
    known = {each.key for each in begun}
    last: dict[str, datetime] = {}
    for each in begun:
        if each.pid not in frozen:
            last[each.key] = max(each.at, last.get(each.key, each.at))
    for run_id, found in claims.items():
        for claim in found:
            name = f"{run_id}:{claim.node_id}:{claim.iteration}:"
            key = hashlib.sha256(name.encode()).hexdigest()
            if key not in known and claim.counts:
                yield f"{name} ended and never began"
            if key in last and claim.ended_at is not None and last[key] > claim.ended_at:
                yield f"{name} began again after its end"
