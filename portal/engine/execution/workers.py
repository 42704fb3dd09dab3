"""The workers that there are: registered, beating, found dead, by a clock that they share."""

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.columns import JsonObject
from portal.database.compatibility import NEWEST
from portal.database.models import EngineWorker
from portal.database.sql.clock import shared_now


@dataclass(frozen=True)
class WorkerIdentity:
    """Who a worker process is; new at every start."""

    id: str
    host: str
    pid: int

    @classmethod
    def new(cls) -> "WorkerIdentity":
        host = socket.gethostname()[:80]
        return cls(f"{_place()}-{os.getpid()}-{uuid4().hex}", host, os.getpid())


def register(session: Session, identity: WorkerIdentity, threads: int, abilities: JsonObject) -> None:
    """Add a worker, and remove those of the same machine whose process is gone: nobody waits for them."""
    now = shared_now(session)
    place = f"{_place()}-"
    for worker in session.scalars(sa.select(EngineWorker).where(EngineWorker.id.startswith(place))):
        if not _is_running(worker.pid):
            session.delete(worker)
    session.add(
        EngineWorker(
            id=identity.id,
            host=identity.host,
            pid=identity.pid,
            threads=threads,
            version=NEWEST,
            abilities=abilities,
            started_at=now,
            beat_at=now,
        )
    )


def beat(session: Session, worker_id: str, *, draining: bool) -> bool:
    """Say that a worker is alive; whether it is still registered."""
    updated = session.execute(
        sa.update(EngineWorker)
        .where(EngineWorker.id == worker_id)
        .values(beat_at=shared_now(session), draining=draining)
        .returning(EngineWorker.id)
        .execution_options(synchronize_session=False)
    )
    return updated.first() is not None


def remove(session: Session, worker_id: str) -> None:
    """Remove a worker that stops: what it has claimed is free at once."""
    session.execute(sa.delete(EngineWorker).where(EngineWorker.id == worker_id))


def alive(session: Session, lease: float) -> set[str]:
    """The ids of workers whose last heartbeat is younger than the lease, in seconds."""
    since = shared_now(session) - timedelta(seconds=lease)
    return set(session.scalars(sa.select(EngineWorker.id).where(EngineWorker.beat_at >= since)))


def forget_dead(session: Session, lease: float) -> None:
    """Remove workers that have been silent for ten leases."""
    since = shared_now(session) - timedelta(seconds=10 * lease)
    session.execute(sa.delete(EngineWorker).where(EngineWorker.beat_at < since))


def has_ended(worker_id: str) -> bool:
    """Whether an id is that of a process of this machine that is gone. Of other machines nothing is known."""
    place, pid, _ = worker_id.rsplit("-", 2)
    return place == _place() and not _is_running(int(pid))


def _place() -> str:
    """This boot of this machine, and the namespace of its process ids."""
    parts = [socket.gethostname()[:60]]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8])
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return "-".join(parts)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
