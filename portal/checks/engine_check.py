"""Diagnosis of the engine: its workers, what they can do, what waits for them, the queue and the clocks."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import sqlalchemy as sa

from portal import moments
from portal.checks.diagnosis import Diagnosis
from portal.config import EngineSettings, Settings
from portal.database.engine import db
from portal.engine.queue import dbos_queue
from portal.engine.reporting import health
from portal.engine.reporting.health import Worker
from portal.speech import espeak

MAX_SKEW = timedelta(seconds=2)
"""How much the clock of this machine may differ from the database's."""


def examine(settings: Settings) -> Iterator[Diagnosis]:
    """All checks of the engine, on a database that is migrated."""
    if not settings.engine.enabled:
        yield Diagnosis("engine", "note", "off: PORTAL_ENGINE is off, and no workflow runs here")
        return
    workers = health.read_workers(settings.engine)
    yield Diagnosis("engine", "ok", "on")
    yield _queue_tables()
    yield from _clock()
    yield _workers(workers)
    yield from _waiting(settings.engine, workers)
    yield from _node_types(workers)
    yield _espeak()


def _queue_tables() -> Diagnosis:
    found, needed = dbos_queue.versions(db.engine)
    if found < needed:
        return Diagnosis(
            "queue", "bad", f"its tables are at version {found} of {needed}: run flask db upgrade"
        )
    newer = f", of a newer release than this one ({needed})" if found > needed else ""
    return Diagnosis("queue", "note" if newer else "ok", f"its tables are at version {found}{newer}")


def _clock() -> Iterator[Diagnosis]:
    """The clock of this machine beside PostgreSQL's; the asking itself takes time, which is not skew."""
    if db.engine.dialect.name != "postgresql":
        return
    before = moments.now()
    theirs = db.session.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    skew = max(before - theirs, theirs - moments.now(), timedelta())
    if skew > MAX_SKEW:
        seconds = skew.total_seconds()
        detail = f"this machine and the database differ by {seconds:,.1f} s: synchronise both"
        yield Diagnosis("clock", "bad", detail)
    else:
        yield Diagnosis("clock", "ok", "this machine and the database agree")


def _workers(workers: Sequence[Worker]) -> Diagnosis:
    if not workers:
        return Diagnosis("workers", "note", "none is alive, and runs wait until one is: flask worker")
    old = any(worker.version != health.RELEASE for worker in workers)
    return Diagnosis("workers", "note" if old else "ok", "; ".join(map(_describe, workers)))


def _describe(worker: Worker) -> str:
    state = ", about to stop" if worker.draining else ""
    release = "" if worker.version == health.RELEASE else f", of another release (migration {worker.version})"
    threads = f"{worker.threads} thread{'' if worker.threads == 1 else 's'}"
    beat = f"heartbeat {worker.silent_seconds:.0f} s ago"
    return f"{worker.host} with {threads}, process {worker.pid}, {beat}{release}{state}"


def _waiting(settings: EngineSettings, workers: Sequence[Worker]) -> Iterator[Diagnosis]:
    queue = health.read_queue(settings)
    if not queue.waiting_runs:
        yield Diagnosis("waiting runs", "ok", "none")
        return
    runs = f"{queue.waiting_runs:,} run{'' if queue.waiting_runs == 1 else 's'}"
    detail = f"{runs}, the first for {queue.oldest_waiting_seconds:,.0f} s"
    if not workers:
        yield Diagnosis("waiting runs", "bad", f"{detail}, and no worker is alive")
    elif queue.stuck_runs:
        yield Diagnosis("waiting runs", "bad", f"{detail}; {queue.stuck_runs:,} for more than ten minutes")
    else:
        yield Diagnosis("waiting runs", "ok", detail)


def _node_types(workers: Sequence[Worker]) -> Iterator[Diagnosis]:
    """What the workers published; without one, only a start tells."""
    abilities = health.node_abilities(workers)
    if not abilities:
        return
    able = sum(each.reason is None for each in abilities)
    yield Diagnosis(
        "node types", "ok" if able == len(abilities) else "note", f"{able} of {len(abilities)} work"
    )
    for each in abilities:
        if each.reason is not None:
            yield Diagnosis(each.node_type, "note", each.reason)


def _espeak() -> Diagnosis:
    if espeak.is_here():
        return Diagnosis("espeak-ng", "ok", "found on this machine")
    return Diagnosis("espeak-ng", "note", "not on this machine; Debian's package is espeak-ng")
