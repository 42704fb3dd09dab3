"""What the database says for metrics, read anew at each scrape: no process has to remember it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from portal.config import EngineSettings
from portal.database.engine import db
from portal.database.models import RunTotals
from portal.engine.reporting import health, step_totals
from portal.engine.reporting.health import Queue, Worker
from portal.engine.reporting.step_totals import StepTotal
from portal.runs.statuses import STATUSES


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of the whole installation: nothing of them tells one workspace from another."""

    runs: Mapping[str, int]
    """By status, of deleted workflows too."""
    enabled: bool
    """Whether the engine is on."""
    queue: Queue
    workers: Sequence[Worker]
    steps: Sequence[StepTotal]


def read_figures(settings: EngineSettings) -> Figures:
    """Read them all, in time that does not grow with the history of runs."""
    sums = [sa.func.coalesce(sa.func.sum(getattr(RunTotals, status)), 0) for status in STATUSES]
    counted = db.session.execute(sa.select(*sums)).one()
    return Figures(
        runs={status: int(number) for status, number in zip(STATUSES, counted, strict=True)},
        enabled=settings.enabled,
        queue=health.read_queue(settings),
        workers=health.read_workers(settings),
        steps=step_totals.read_totals(),
    )
