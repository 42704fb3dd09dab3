"""A worker process: takes deliveries, beats, and looks after what others have lost."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import sqlalchemy as sa
from flask import Flask

from portal import moments
from portal.config import settings_of
from portal.database import outages, postgresql
from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import TERMINAL, EngineClaim, Run
from portal.database.refusals import ReadOnlyDatabase, WriteRefused
from portal.database.transactions import writing
from portal.engine.control.steering import resume_by_itself
from portal.engine.execution import reconcile, workers
from portal.engine.execution.work import Work
from portal.engine.execution.workers import WorkerIdentity
from portal.engine.queue import dbos_queue
from portal.engine.reporting import step_totals

LOOK_SECONDS = 1.0
"""How often a worker looks whether its steps are still wanted."""
RESUME_SECONDS, REAP_SECONDS, RECONCILE_SECONDS, PRUNE_SECONDS = 5.0, 5.0, 15.0, 3600.0
STOP_SECONDS = 30
"""A worker that is told to stop has left after so long."""
_FINISH_SECONDS = 20
"""How long its steps may go on meanwhile, before they are handed back."""

log = logging.getLogger(__name__)

Chore = Callable[[], object]


@dataclass
class Worker:
    """One worker. `chores` are done every few seconds beside its own, such as starting what is scheduled."""

    app: Flask
    work: Work
    identity: WorkerIdentity
    threads: int
    queues: Collection[str]
    abilities: JsonObject
    chores: list[tuple[float, Chore]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _reason: str | None = None
    _after: UUID | None = None

    def run(self) -> str | None:
        """Work until SIGTERM or SIGINT; returns why it ended, if it was not told to."""
        with self.app.app_context():
            postgresql.end_idle_transactions(db.engine, self.work.settings.lease)
            with writing() as session:
                workers.register(session, self.identity, self.threads, self.abilities)
            db.session.remove()
        beating = threading.Thread(target=self._in_context, args=(self._beat,), name="heartbeat", daemon=True)
        beating.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        settings = self.work.settings
        server = dbos_queue.QueueServer(
            settings_of(self.app).database_url,
            self.identity.id,
            partial(self._within_app, self.work.deliver),
            partial(self._within_app, self.work.give_up_run),
            self.work.draining,
            threads=self.threads,
            queues=self.queues,
            poll=settings.poll,
            partition=settings.per_workspace,
            lease=settings.lease,
        )
        looking_after = threading.Thread(
            target=self._in_context, args=(lambda: self._look_after(server),), name="chores", daemon=True
        )
        looking_after.start()
        while not self._stop.wait(3600):
            pass
        self._drain(server)
        return self._reason

    def _within_app(self, deliver: dbos_queue.Deliver, run_id: UUID, node_id: str, iteration: int) -> None:
        with self.app.app_context():
            try:
                deliver(run_id, node_id, iteration)
            except WriteRefused as refusal:
                self._end_if_too_old(refusal)
                raise
            finally:
                db.session.remove()

    def _drain(self, server: dbos_queue.QueueServer) -> None:
        """Let steps end, hand back what takes longer, and leave, also from a handler that hears nothing."""
        at_once = threading.Timer(STOP_SECONDS - 1, os._exit, (1 if self._reason else 0,))
        at_once.daemon = True
        at_once.start()
        self.work.draining.set()
        until = time.monotonic() + (0 if self._reason else _FINISH_SECONDS)
        while self.work.active() and time.monotonic() < until:
            time.sleep(0.05)
        for _, context in self.work.active():
            context.lost.set()
        server.close(5)
        with self.app.app_context(), suppress(Exception), writing() as session:
            workers.remove(session, self.identity.id)

    def _end_if_too_old(self, refusal: WriteRefused) -> None:
        """End the worker if its release may not write any more; a database that is read-only may recover."""
        if not isinstance(refusal, ReadOnlyDatabase):
            self._reason = str(refusal)
            self.work.draining.set()
            self._stop.set()

    def _in_context(self, loop: Callable[[], None]) -> None:
        with self.app.app_context():
            loop()

    def _beat(self) -> None:
        """Say that the worker is alive, and leave the steps that nobody wants any more."""
        every, last = self.work.settings.lease / 6, 0.0
        while True:
            try:
                if self.work.active():
                    self._look()
                if time.monotonic() - last >= every:
                    self._say_alive()
                    last = time.monotonic()
            except WriteRefused as refusal:
                self._end_if_too_old(refusal)
            except Exception as error:  # noqa: BLE001 (a worker whose heart stops would lose its steps)
                outages.warn(log, "a heartbeat was missed", error)
            finally:
                db.session.remove()
            time.sleep(LOOK_SECONDS)

    def _say_alive(self) -> None:
        with writing() as session:
            if not workers.beat(session, self.identity.id, draining=self.work.draining.is_set()):
                workers.register(session, self.identity, self.threads, self.abilities)

    def _look(self) -> None:
        """Mark the steps that were cancelled or taken over, and write down how far the others are."""
        active = self.work.active()
        rows = db.session.execute(
            sa.select(EngineClaim.fence, Run.status)
            .join(Run, Run.id == EngineClaim.run_id)
            .where(EngineClaim.fence.in_([step.fence for step, _ in active]))
        )
        wanted = {row.fence for row in rows if row.status not in TERMINAL}
        db.session.rollback()
        for step, context in active:
            if step.fence not in wanted:
                context.lost.set()
        news = [
            pair for pair in active if pair[0].fence in wanted and (pair[1].done or pair[1].step_log.waits)
        ]
        if not news:
            return
        with writing() as session:
            for step, context in news:
                if context.done is not None:
                    (done, total), context.done = context.done, None
                    session.execute(
                        sa.update(EngineClaim)
                        .where(EngineClaim.fence == step.fence, EngineClaim.run_id == step.run_id)
                        .values(done=done, total=total)
                    )
                context.step_log.store(session, step.run_id, step.position)

    def _look_after(self, server: dbos_queue.QueueServer) -> None:
        """Do the chores, each in its own interval."""
        chores: list[tuple[float, Chore]] = [
            (RESUME_SECONDS, self._resume),
            (REAP_SECONDS, lambda: self._reap(server)),
            (RECONCILE_SECONDS, self._reconcile),
            (PRUNE_SECONDS, server.prune),
            *self.chores,
        ]
        due = [time.monotonic() + every for every, _ in chores]
        while not self._stop.wait(max(min(due) - time.monotonic(), 0.05)):
            for number, (every, chore) in enumerate(chores):
                if time.monotonic() < due[number]:
                    continue
                try:
                    chore()
                except WriteRefused as refusal:
                    self._end_if_too_old(refusal)
                except Exception as error:  # noqa: BLE001 (the next time it may succeed)
                    outages.warn(log, "a chore of the worker failed", error)
                finally:
                    db.session.remove()
                due[number] = time.monotonic() + every

    def _resume(self) -> None:
        due = reconcile.due_to_resume(db.session(), moments.now())
        db.session.rollback()
        for run_id in due:
            resume_by_itself(run_id, moments.now(), self.work.settings)

    def _reap(self, server: dbos_queue.QueueServer) -> None:
        """Deliver again what dead workers had begun."""
        begun = server.executors()
        alive = workers.alive(db.session(), self.work.settings.lease)
        db.session.rollback()
        recovered = server.recover(begun - alive - {self.identity.id})
        if recovered:
            log.warning("%d deliveries of lost workers come again", recovered)

    def _reconcile(self) -> None:
        with writing() as session:
            if not reconcile.take_lease(session, self.identity.id):
                return
            workers.forget_dead(session, self.work.settings.lease)
            step_totals.merge_totals(session)
        found, self._after = reconcile.reconcile(moments.now(), self.work.settings.lease, self._after)
        if found:
            log.warning("%d steps were set going again", found)


def stop_with(reason: str | None) -> None:
    """End the process: with a line on standard error and exit code 1 if there is a reason."""
    if reason:
        sys.exit(f"The worker has stopped: {reason}")
