"""The work of a worker: claim a delivered step, let its handler do it, and end it."""

import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from portal import moments
from portal.config import EngineSettings
from portal.database.models import Run
from portal.database.transactions import writing
from portal.engine.contract import (
    Cancelled,
    Handler,
    Outage,
    Refused,
    StepError,
    StepInput,
    StepOutput,
    Usage,
)
from portal.engine.environment import Environment
from portal.engine.execution import advance, finish
from portal.engine.execution.claimed_step import ClaimedStep
from portal.engine.execution.claims import claim_step
from portal.engine.execution.finish import Spent
from portal.engine.execution.step_context import StepContext
from portal.engine.flow import StepKey
from portal.errors import Unavailable

INTERNAL_ERROR = "Something went wrong in the portal: an internal error, which its log describes."

End = Callable[..., bool]
"""Ends a step; takes `now`."""

log = logging.getLogger(__name__)


@dataclass
class Work:
    """What a worker process is working on."""

    worker_id: str
    settings: EngineSettings
    environment: Environment
    handler_for: Callable[[str], Handler]
    cost_of: Callable[[str, Usage], Decimal]
    """What a step of a node type costs, in credits."""
    draining: threading.Event = field(default_factory=threading.Event)
    """Set when the worker is to stop: it claims nothing more."""
    _active: dict[UUID, tuple[ClaimedStep, StepContext]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def active(self) -> list[tuple[ClaimedStep, StepContext]]:
        """The steps that it is working on."""
        with self._lock:
            return list(self._active.values())

    def deliver(self, run_id: UUID, node_id: str, iteration: int) -> None:
        """Do what a delivery asks for, if anything is left to do."""
        key = StepKey(node_id, iteration)
        if self.draining.is_set():
            _send_back(run_id, key)
            return
        step = claim_step(self.worker_id, run_id, key, moments.now(), self.settings.lease)
        if step is None:
            return
        self._crash_point("claimed")
        with self._context(step) as context:
            self._run(step, context)

    def _run(self, step: ClaimedStep, context: StepContext) -> None:
        """Let the handler work, and end the step; a database that fails meanwhile is waited for."""
        begun = time.thread_time()
        try:
            output = self._work(step, context)
        except Exception as error:  # noqa: BLE001 (each kind ends the step in its way)
            end = self._end_of(step, error, context, self._spent(step, Usage(), begun))
        else:
            spent = self._spent(step, output.usage, begun)
            self._crash_point("ran")
            end = partial(finish.complete, step, output, spent, context)
        self._surely(end, context)
        self._crash_point("finished")

    def _end_of(self, step: ClaimedStep, error: Exception, context: StepContext, spent: Spent) -> End:
        """How a step ends whose handler raised this."""
        if isinstance(error, Cancelled):
            return partial(finish.give_up, step, spent, context)
        if isinstance(error, Refused):
            return partial(finish.fail, step, error.message, spent, context)
        if isinstance(error, Unavailable | OSError | sa.exc.OperationalError):
            log.warning("the step %s of run %s is tried again", step.key, step.run_id, exc_info=error)
            error = Outage("The portal could not use its database or its files.")
        if isinstance(error, StepError):
            return partial(finish.postpone, step, error, context, auto_resumes=self.settings.auto_resumes)
        log.error("the step %s of run %s failed", step.key, step.run_id, exc_info=error)
        return partial(finish.fail, step, INTERNAL_ERROR, spent, context)

    def _surely(self, end: End, context: StepContext) -> None:
        """End a step, again and again while the database fails: its work would be lost."""
        pause = 0.1
        while True:
            try:
                end(now=moments.now())
            except sa.exc.DBAPIError:
                log.warning("the end of a step is tried again", exc_info=True)
                if self.draining.is_set() and context.cancelled():
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                return

    def _work(self, step: ClaimedStep, context: StepContext) -> StepOutput:
        output = self.handler_for(step.node.type.slug).run(
            StepInput(
                node_id=step.node.id,
                node_type=step.node.type,
                config=step.node.json.get("config") or {},
                iteration=step.key.iteration,
                items=step.items,
            ),
            context,
        )
        if step.node.type.category == "validation" and len(output.verdicts) != len(step.items):
            raise ValueError("a validator must judge every item once")
        if context.cancelled():
            raise Cancelled
        return output

    def _spent(self, step: ClaimedStep, usage: Usage, begun: float) -> Spent:
        used = round(usage.processor_seconds + time.thread_time() - begun, 3)
        usage = replace(usage, processor_seconds=used)
        return Spent(usage, self.cost_of(step.node.type.slug, usage))

    def _crash_point(self, name: str) -> None:
        """Where tests end the process at once (PORTAL_TEST_DIE_AT)."""
        if self.settings.crash_at == name:
            os._exit(9)

    @contextmanager
    def _context(self, step: ClaimedStep) -> Iterator[StepContext]:
        folder = Path(tempfile.mkdtemp(prefix="portal-step-"))
        deadline = moments.now() + timedelta(seconds=self.environment.node_seconds)
        context = StepContext(step, self.environment, deadline, folder)
        with self._lock:
            self._active[step.fence] = step, context
        try:
            yield context
        finally:
            with self._lock:
                del self._active[step.fence]
            shutil.rmtree(folder, ignore_errors=True)


def _send_back(run_id: UUID, key: StepKey) -> None:
    """Leave a delivery to another worker."""
    with writing() as session:
        run = session.get(Run, run_id)
        if run is not None and run.by_engine:
            advance.deliver(session, run, key, 1.0)
