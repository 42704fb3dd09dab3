"""How the engine fares: its workers, what waits for them, and why a run does not go on.

Command line, metrics and pages all read it here. Every figure comes from the database, at a cost that depends
on active runs and never on history.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from portal.config import EngineSettings
from portal.database.compatibility import NEWEST
from portal.database.engine import db
from portal.database.models import EngineClaim, EngineWorker, Run, RunStatus, Workflow
from portal.database.sql.clock import shared_now
from portal.definitions.catalog import CATALOG
from portal.engine.contract import Json

RELEASE = NEWEST
"""The latest migration that this release knows: workers of another one differ in it."""
STUCK_SECONDS = 600
"""A run that has waited so long is called stuck."""
MAX_AHEAD = 1_000
"""How many runs before another one are counted."""


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker process that is alive."""

    id: str
    host: str
    pid: int
    threads: int
    version: str
    """The latest migration that its release knows."""
    abilities: Json
    """What it can do with each node type, as JSON."""
    started_at: datetime
    beat_at: datetime
    draining: bool
    """Whether it has been told to stop."""
    silent_seconds: float
    """Since its last heartbeat."""


@dataclass(frozen=True)
class NodeAbility:
    """What the workers together can do with a node type."""

    node_type: str
    name: str
    reason: str | None
    """Why no worker can work on it; None if one can."""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """What the engine has to do.

    A run waits if it is pending or running and none of its steps is under way: held by a living worker, or
    waiting for the moment of its next attempt.
    """

    pending_runs: int = 0
    running_runs: int = 0
    waiting_runs: int = 0
    stuck_runs: int = 0
    """Those that have waited for more than STUCK_SECONDS."""
    oldest_waiting_seconds: float = 0
    """0 if no run waits."""
    running_steps: int = 0
    retrying_steps: int = 0
    """Steps that wait for the moment of their next attempt."""


@dataclass(frozen=True, kw_only=True)
class WaitingRun:
    """A run that waits."""

    id: UUID
    workflow_id: UUID
    workflow_name: str
    run_number: int
    status: str
    since: datetime
    stuck: bool


@dataclass(frozen=True, kw_only=True)
class OpenStep:
    """A step that has begun and not ended."""

    position: int
    node_id: str
    held: bool
    """Whether a living worker works on it."""
    done: int | None
    total: int | None
    waiting_for: str | None
    retry_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class RunProgress:
    """What happens with an active run of the engine."""

    sentence: str | None
    """Why nothing happens at the moment, for people; None while a worker works on it."""
    place: int | None
    """Its place among the runs that wait, from 1; at most MAX_AHEAD + 1. None if it does not wait."""
    steps: Sequence[OpenStep]


_NOT_ENDED = EngineClaim.ended_at.is_(None)
_ACTIVE = sa.text("runs.by_engine AND runs.status IN ('pending', 'running')")
"""Written as the index has it: a database must see that it is the same without knowing any value."""


def read_workers(settings: EngineSettings) -> list[Worker]:
    """The workers that are alive, by host and start."""
    now = shared_now(db.session())
    alive = sa.select(EngineWorker).where(EngineWorker.beat_at >= now - _lease(settings))
    rows = db.session.scalars(alive.order_by(EngineWorker.host, EngineWorker.started_at, EngineWorker.id))
    return [
        Worker(
            **{name: getattr(row, name) for name in _WORKER},
            silent_seconds=max((now - row.beat_at).total_seconds(), 0),
        )
        for row in rows
    ]


_WORKER = "id host pid threads version abilities started_at beat_at draining".split()


def node_abilities(workers: Sequence[Worker]) -> list[NodeAbility]:
    """The types of the catalog, then those that only workers know; none without a worker."""
    published = [worker.abilities for worker in workers]
    slugs = [*CATALOG, *sorted({slug for each in published for slug in each} - {*CATALOG})]
    names = {slug: CATALOG[slug].display_name if slug in CATALOG else slug for slug in slugs}
    return [NodeAbility(slug, names[slug], _reason(slug, published)) for slug in slugs if published]


def _reason(slug: str, published: Sequence[Json]) -> str | None:
    reasons = [each[slug].get("unavailable") if slug in each else _UNKNOWN_TYPE for each in published]
    return None if None in reasons else reasons[0]


_UNKNOWN_TYPE = "The workers do not have it."


def read_queue(settings: EngineSettings) -> Queue:
    """What the engine has to do in the whole installation."""
    now = shared_now(db.session())
    stuck_before = now - timedelta(seconds=STUCK_SECONDS)
    active = (
        sa.select(Run.status, Run.updated_at, _waits(now, settings).label("waits")).where(_ACTIVE).subquery()
    )
    waits, since = active.c.waits, active.c.updated_at
    pending, running, waiting, stuck, oldest = db.session.execute(
        sa.select(
            _count(active.c.status == RunStatus.PENDING),
            _count(active.c.status == RunStatus.RUNNING),
            _count(waits),
            _count(sa.and_(waits, since < stuck_before)),
            sa.func.min(sa.case((waits, since)), type_=since.type),
        )
    ).one()
    held, retrying = db.session.execute(
        sa.select(_count(EngineWorker.id.is_not(None)), _count(EngineClaim.retry_at > now))
        .select_from(EngineClaim)
        .outerjoin(EngineWorker, _holds(now, settings))
        .where(_NOT_ENDED)
    ).one()
    return Queue(
        pending_runs=pending,
        running_runs=running,
        waiting_runs=waiting,
        stuck_runs=stuck,
        oldest_waiting_seconds=max((now - oldest).total_seconds(), 0) if oldest else 0,
        running_steps=held,
        retrying_steps=retrying,
    )


def list_waiting_runs(settings: EngineSettings, workspace_id: UUID, limit: int) -> list[WaitingRun]:
    """The runs of a workspace that wait, the longest first."""
    now = shared_now(db.session())
    select = (
        sa.select(Run.id, Run.workflow_id, Workflow.name, Run.run_number, Run.status, Run.updated_at)
        .join(Workflow, Workflow.id == Run.workflow_id)
        .where(_ACTIVE, _waits(now, settings), Workflow.workspace_id == workspace_id)
        .where(Workflow.deleted_at.is_(None))
        .order_by(Run.updated_at, Run.id)
        .limit(limit)
    )
    stuck_before = now - timedelta(seconds=STUCK_SECONDS)
    return [
        WaitingRun(
            id=row.id,
            workflow_id=row.workflow_id,
            workflow_name=row.name,
            run_number=row.run_number,
            status=row.status,
            since=row.updated_at,
            stuck=row.updated_at < stuck_before,
        )
        for row in db.session.execute(select)
    ]


def run_progress(settings: EngineSettings, run_id: UUID) -> RunProgress | None:
    """What happens with a run; None if the engine does not drive it, or it is not pending or running.

    The caller has checked access.
    """
    now = shared_now(db.session())
    run = db.session.execute(sa.select(Run.updated_at).where(Run.id == run_id, _ACTIVE)).first()
    if run is None:
        return None
    steps = _open_steps(run_id, now, settings)
    if any(step.held for step in steps):
        return RunProgress(sentence=None, place=None, steps=steps)
    retries = [step for step in steps if step.retry_at and step.retry_at > now]
    place = None if retries else 1 + _ahead(run_id, run.updated_at, now, settings)
    sentence = idleness(settings, read_workers(settings)) or _words(place, retries)
    return RunProgress(sentence=sentence, place=place, steps=steps)


def idleness(settings: EngineSettings, workers: Sequence[Worker]) -> str | None:
    """Why no step of any run begins, in a sentence; None if there is somebody to begin them."""
    if not settings.enabled:
        return "Waiting for the engine: it is switched off."
    if not workers:
        return "Waiting for a worker: none is running."
    if all(worker.draining for worker in workers):
        return "Waiting for a worker: those that are running are about to stop."
    return None


def _open_steps(run_id: UUID, now: datetime, settings: EngineSettings) -> list[OpenStep]:
    columns = [EngineClaim.position, EngineClaim.node_id, EngineClaim.done, EngineClaim.total]
    columns += [EngineClaim.waiting_for, EngineClaim.retry_at]
    rows = db.session.execute(
        sa.select(*columns, EngineWorker.id.is_not(None).label("held"))
        .select_from(EngineClaim)
        .outerjoin(EngineWorker, _holds(now, settings))
        .where(EngineClaim.run_id == run_id, _NOT_ENDED)
        .order_by(EngineClaim.position)
    )
    return [OpenStep(**row._mapping) for row in rows]


def _words(place: int | None, retries: Sequence[OpenStep]) -> str:
    """Why a run waits although there are workers, in a sentence."""
    if place is None:
        reason = next((step.waiting_for for step in retries if step.waiting_for), "")
        return f"Waiting for the next attempt. {reason}".rstrip()
    if place == 1:
        return "Waiting for a worker: this run is next."
    ahead = f"{MAX_AHEAD:,} or more" if place > MAX_AHEAD else f"{place - 1:,}"
    return f"Waiting for a worker: {ahead} other {'run is' if place == 2 else 'runs are'} before it."


def _ahead(run_id: UUID, since: datetime, now: datetime, settings: EngineSettings) -> int:
    """How many runs have waited longer, up to MAX_AHEAD."""
    longer = sa.or_(Run.updated_at < since, sa.and_(Run.updated_at == since, Run.id < run_id))
    some = sa.select(Run.id).where(_ACTIVE, _waits(now, settings), longer).limit(MAX_AHEAD)
    return db.session.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0


def _waits(now: datetime, settings: EngineSettings) -> sa.ColumnElement[bool]:
    """Whether an active run waits; it has waited since its last change.

    Without DISTINCT, SQLite reads the open claims from their index.
    """
    under_way = (
        sa.select(EngineClaim.run_id)
        .outerjoin(EngineWorker, _holds(now, settings))
        .where(_NOT_ENDED, sa.or_(EngineWorker.id.is_not(None), EngineClaim.retry_at > now))
    )
    return Run.id.not_in(under_way)


def _holds(now: datetime, settings: EngineSettings) -> sa.ColumnElement[bool]:
    """Whether a worker is alive and holds a claim."""
    return sa.and_(EngineWorker.id == EngineClaim.worker, EngineWorker.beat_at >= now - _lease(settings))


def _lease(settings: EngineSettings) -> timedelta:
    return timedelta(seconds=settings.lease)


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((condition, 1)))
