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

from portal import moments
from portal.config import EngineSettings
from portal.database import outages
from portal.database.refusals import ReadOnlyDatabase, WriteRefused
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
from portal.engine.execution import finish
from portal.engine.execution.claimed_step import ClaimedStep
from portal.engine.execution.claims import claim_step
from portal.engine.execution.finish import Spent
from portal.engine.execution.step_context import StepContext
from portal.engine.flow import StepKey
from portal.errors import Unavailable

INTERNAL_ERROR = "Something went wrong in the portal: an internal error, which its log describes."

End = Callable[..., bool]
"""Ends a step; takes `now`."""

_TRIES = 3
"""How often the end of a step is tried where the error is not an outage: two threads may have collided."""

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
    _at: set[tuple[UUID, StepKey]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def active(self) -> list[tuple[ClaimedStep, StepContext]]:
        """The steps that it is working on."""
        with self._lock:
            return list(self._active.values())

    def deliver(self, run_id: UUID, node_id: str, iteration: int) -> None:
        """Do what a delivery asks for, if anything is left to do.

        Raises what the database raises, and WriteRefused where it belongs to a newer release. The same
        delivery may come again then.
        """
        key = StepKey(node_id, iteration)
        with self._alone(run_id, key) as alone:
            step = claim_step(self.worker_id, run_id, key, moments.now(), self.settings.lease, idle=alone)
            if step is None:
                return
            self._crash_point("claimed")
            with self._context(step) as context:
                self._run(step, context)

    def give_up_run(self, run_id: UUID, node_id: str, iteration: int) -> None:
        """Fail a run whose step can't even be claimed or ended: nobody could."""
        finish.fail_run(self.worker_id, run_id, StepKey(node_id, iteration), INTERNAL_ERROR, moments.now())

    def _run(self, step: ClaimedStep, context: StepContext) -> None:
        """Let the handler work, and end the step."""
        begun = time.thread_time()
        try:
            output = self._work(step, context)
            spent = self._spent(step, output.usage, begun)
        except Exception as error:  # noqa: BLE001 (each kind ends the step in its way)
            spent = self._spent(step, Usage(), begun)
            end = self._end_of(step, error, context, spent)
        else:
            self._crash_point("ran")
            end = partial(finish.complete, step, output, spent, context)
        try:
            self._surely(end, context)
        except Exception as error:
            if _passes(error) or isinstance(error, WriteRefused):
                raise
            log.error("the output of step %s of run %s is refused", step.key, step.run_id, exc_info=error)
            self._surely(partial(finish.fail, step, INTERNAL_ERROR, spent, context), context)
        self._crash_point("finished")

    def _end_of(self, step: ClaimedStep, error: Exception, context: StepContext, spent: Spent) -> End:
        """How a step ends whose handler raised this."""
        if isinstance(error, Cancelled):
            return partial(finish.give_up, step, spent, context)
        if isinstance(error, Refused):
            return partial(finish.fail, step, error.message, spent, context)
        if _passes(error):
            log.warning("the step %s of run %s is tried again", step.key, step.run_id, exc_info=error)
            error = Outage("The portal could not use its database or its files.")
        if isinstance(error, StepError):
            return partial(finish.postpone, step, error, context, auto_resumes=self.settings.auto_resumes)
        log.error("the step %s of run %s failed", step.key, step.run_id, exc_info=error)
        return partial(finish.fail, step, INTERNAL_ERROR, spent, context)

    def _surely(self, end: End, context: StepContext) -> None:
        """End a step, again and again while the database fails: its work would be lost.

        Raises what will not pass, after a few attempts, and anything once the worker has to leave.
        """
        pause, tries = 0.1, 0
        while True:
            try:
                end(now=moments.now())
            except Exception as error:
                tries += not _passes(error)
                leaving = self.draining.is_set() and context.cancelled()
                if leaving or tries == _TRIES or (isinstance(error, WriteRefused) and not _passes(error)):
                    raise
                outages.warn(log, "the end of a step is tried again", error)
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
    def _alone(self, run_id: UUID, key: StepKey) -> Iterator[bool]:
        """Note that a thread is at a step; says whether no other thread of this worker is."""
        place = run_id, key
        with self._lock:
            alone = place not in self._at
            self._at.add(place)
        try:
            yield alone
        finally:
            if alone:
                with self._lock:
                    self._at.discard(place)

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


def _passes(error: Exception) -> bool:
    """Whether it is an outage of the database or of the system, after which another attempt may succeed."""
    if isinstance(error, WriteRefused) and not isinstance(error, ReadOnlyDatabase):
        return False
    return isinstance(error, Unavailable) or outages.cause_of(error) is not None
