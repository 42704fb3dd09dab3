"""Putting a worker together from the settings of the portal."""

from collections.abc import Collection, Sequence

from flask import Flask

from portal import moments
from portal.config import settings_of
from portal.engine import pricing
from portal.engine.control.schedules.due import run_due
from portal.engine.control.starting import start
from portal.engine.environment import environment_of
from portal.engine.execution.work import Work
from portal.engine.execution.workers import WorkerIdentity
from portal.engine.handlers import registry
from portal.engine.preparing import abilities
from portal.engine.workers.worker import Chore, Worker
from portal.errors import Conflict

SCHEDULE_SECONDS = 5.0
"""How often a worker looks for schedules whose time has come."""


def open_worker(
    app: Flask, threads: int, queues: Collection[str], chores: Sequence[tuple[float, Chore]] = ()
) -> Worker:
    """A worker of this portal, ready to run, with more chores. Raises Conflict if the engine is off."""
    settings = settings_of(app)
    if not settings.engine.enabled:
        raise Conflict("The engine is off: PORTAL_ENGINE is off.")
    identity = WorkerIdentity.new()
    work = Work(
        worker_id=identity.id,
        settings=settings.engine,
        environment=environment_of(settings),
        handler_for=registry.handler_for,
        cost_of=pricing.cost_of,
    )
    able = abilities.to_json(abilities.own_abilities())
    scheduled = (SCHEDULE_SECONDS, lambda: run_due(moments.now(), start))
    return Worker(app, work, identity, threads, queues, able, chores=[scheduled, *chores])
