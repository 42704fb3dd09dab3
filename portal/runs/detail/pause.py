"""What a paused run of the engine waits for: which nodes are held, and when it goes on by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import EngineRun, RunResult

MAX_HELD = 50
"""Held nodes that are told."""


@dataclass(frozen=True)
class HeldNode:
    """A node with lines waiting in front of it, and their locales."""

    node_id: str
    locales: Sequence[str]


@dataclass(frozen=True)
class Pause:
    held: Sequence[HeldNode]
    more: int
    """The number of held nodes left out."""
    resume_at: datetime | None
    """When it goes on by itself; None if it waits for a person."""


def read_pause(run_id: UUID) -> Pause | None:
    """None if the engine does not drive the run. The caller has checked access."""
    row = db.session.execute(
        sa.select(EngineRun.resume_at, RunResult.held_nodes)
        .outerjoin(RunResult, RunResult.run_id == EngineRun.run_id)
        .where(EngineRun.run_id == run_id)
    ).first()
    if row is None:
        return None
    held = [_held(node) for node in row.held_nodes or ()]
    return Pause(held[:MAX_HELD], max(0, len(held) - MAX_HELD), row.resume_at)


def _held(node: Mapping[str, object]) -> HeldNode:
    locales = node.get("locales")
    return HeldNode(
        str(node.get("node_id")), [str(each) for each in locales] if isinstance(locales, list) else []
    )
