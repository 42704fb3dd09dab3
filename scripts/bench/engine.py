"""How fast the engine is: `python -m scripts.bench.engine`; prints figures for docs/performance.md.

Steps do no work: what is measured is the engine. Workers are those of the trials (tests/engine/torture), with
the default settings. SQLite is a file in a temporary folder, PostgreSQL a cluster of its own without fsync.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal import create_app, moments
from portal.database.engine import db
from portal.database.models import EngineClaim, EngineRun, Run, RunEvent, RunStatus, Workflow
from portal.database.transactions import writing
from portal.engine.execution import advance
from portal.engine.flow import Plan, StepKey
from portal.history.importer import import_lines
from portal.runs.recording.recorder import add_run
from tests import cluster as clusters
from tests.engine.torture import handlers
from tests.engine.torture.driver import Traffic, prepare
from tests.engine.torture.processes import Worker, environment
from tests.factories import make_workflow, make_workspace
from tests.history.lines import WORKFLOW, run_line, workflow_line

DEFAULTS = {"PORTAL_ENGINE_LEASE": "30", "PORTAL_ENGINE_POLL": "0.25"}
PARTS = ("first", "steps", "cancel", "idle", "lists", "queue")
LISTED = 50_000
"""Runs of the workflow whose list is asked for beside a busy worker."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Place:
    """A portal in a folder, and its workers."""

    folder: Path
    given: Mapping[str, str]
    traffic: Traffic
    workers: list[Worker]

    def add_workers(self, number: int, threads: int = 4) -> None:
        self.workers += [Worker.start(self.folder, self.given, threads) for _ in range(number)]

    def rows(self, statement: sa.Select[Any]) -> Sequence[Any]:
        with self.traffic.client.application.app_context():
            found = db.session.execute(statement).all()
            db.session.remove()
        return found

    def number(self, *conditions: sa.ColumnElement[bool]) -> int:
        """How many runs are so."""
        [[number]] = self.rows(sa.select(sa.func.count()).select_from(Run).where(*conditions))
        return int(number)

    def wait_for(self, *conditions: sa.ColumnElement[bool], runs: int = 1) -> None:
        while self.number(*conditions) < runs:
            if any(worker.has_ended for worker in self.workers):
                raise RuntimeError("a worker has ended")
            time.sleep(0.1)

    def memory(self) -> list[float]:
        """The resident memory of each worker, in megabytes."""
        pids = [worker.process.pid for worker in self.workers]
        return [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6 for pid in pids]


@contextmanager
def place(kind: str, definitions: Sequence[Mapping[str, Any]], **settings: str) -> Iterator[Place]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if kind == "sqlite":
            url = f"sqlite:///{folder / 'portal.sqlite3'}"
        else:
            url = stack.enter_context(clusters.cluster()).url()
        given = environment(folder, url, **DEFAULTS | settings)
        sys.path.insert(0, str(folder / "packages"))
        app = create_app(given, instance=folder / "portal")
        found = Place(folder, given, prepare(app, definitions, Random(1)), [])  # noqa: S311 (which runs are steered)
        try:
            yield found
        finally:
            for worker in found.workers:
                worker.kill()
            sys.path.remove(str(folder / "packages"))
            with app.app_context():
                db.engine.dispose()


def first_step(kind: str, starts: int) -> None:
    """From a start over the API to the claim of its first step."""
    with place(kind, [handlers.straight(0)]) as here:
        here.add_workers(1)
        for number in range(starts + 1):
            here.traffic.start()
            here.wait_for(Run.status == RunStatus.COMPLETED, runs=number + 1)
        rows = here.rows(
            sa.select(Run.created_at, EngineClaim.claimed_at, Run.completed_at)
            .join(EngineClaim, EngineClaim.run_id == Run.id)
            .where(EngineClaim.node_id == "source")
            .order_by(Run.created_at)
        )
    waits = sorted((claimed - created).total_seconds() for created, claimed, _ in rows[1:])
    whole = statistics.median((ended - created).total_seconds() for created, _, ended in rows[1:])
    say(f"{kind}: start to first step, {starts} runs: median {statistics.median(waits) * 1000:.0f} ms, "
        f"slowest {waits[-1] * 1000:.0f} ms; run of three empty steps: median {whole:.2f} s")  # fmt: skip


def steps_a_second(kind: str, workers: int, runs: int, threads: int) -> None:
    """How fast queued runs of three empty steps go through."""
    with place(kind, []) as here:
        queue_runs(here, runs, "steps")
        here.add_workers(workers, threads)
        here.wait_for(Run.status != RunStatus.PENDING)
        begun, before = time.monotonic(), processor_seconds(here)
        here.wait_for(Run.status == RunStatus.COMPLETED, runs=runs)
        took = time.monotonic() - begun
        used = processor_seconds(here) - before
        say(f"{kind}: {workers} workers of {threads} threads: {3 * runs / took:.0f} steps/s "
            f"({3 * runs} steps, {took:.0f} s), {used / 3 / runs * 1000:.0f} ms of processor a step, "
            f"{max(here.memory()):.0f} MB a worker")  # fmt: skip


def cancel_latency(kind: str, times: int) -> None:
    """From a cancel over the API to the end of the step that was running."""
    waits = []
    with place(kind, [handlers.straight(600)]) as here:
        here.add_workers(1)
        for number in range(times):
            here.traffic.start()
            here.wait_for(Run.status == RunStatus.RUNNING)
            time.sleep(1)
            here.traffic.cancel_all()
            here.wait_for(Run.status == RunStatus.CANCELLED, Run.finished_steps > 0, runs=number + 1)
        cancelled = RunEvent.event == "cancel"
        for ended, at in here.rows(
            sa.select(EngineClaim.ended_at, RunEvent.occurred_at)
            .join(RunEvent, RunEvent.run_id == EngineClaim.run_id)
            .where(cancelled)
        ):
            waits.append((ended - at).total_seconds())
    say(f"{kind}: cancel to the end of the step, {times} times: median {statistics.median(waits):.2f} s, "
        f"slowest {max(waits):.2f} s")  # fmt: skip


def idle(kind: str, seconds: float) -> None:
    """What a worker uses that has nothing to do."""
    with place(kind, [handlers.straight(0)]) as here:
        here.add_workers(1)
        here.traffic.start()
        here.wait_for(Run.status == RunStatus.COMPLETED)
        time.sleep(5)
        before = processor_seconds(here)
        time.sleep(seconds)
        share = (processor_seconds(here) - before) / seconds
        say(f"{kind}: an idle worker uses {share:.1%} of a processor over {seconds:.0f} s, "
            f"and {here.memory()[0]:.0f} MB")  # fmt: skip


def lists(kind: str, asked: int) -> None:
    """List Runs in this process, before and while a worker drains a queue in the same database."""
    with place(kind, [handlers.straight(0)]) as here:
        workflow_id = here.traffic.workflows[0]
        with here.traffic.client.application.app_context():
            workspace_id = db.session.get_one(Workflow, UUID(workflow_id)).workspace_id
            import_lines(workspace_id, map(_line, range(LISTED)), now=moments.now())
            db.session.remove()
        quiet = _list_times(here, asked)
        queue_runs(here, 1_000, "busy")
        here.add_workers(1)
        here.wait_for(Run.status == RunStatus.RUNNING, Run.by_engine, runs=20)
        busy = _list_times(here, asked)
        if not here.number(Run.status == RunStatus.PENDING, Run.by_engine):
            raise RuntimeError("the queue was drained before the lists were read")
        medians = [statistics.median(each) * 1000 for each in (quiet, busy)]
        tails = [sorted(each)[len(each) * 95 // 100] * 1000 for each in (quiet, busy)]
        say(f"{kind}: List Runs of {LISTED} runs, {asked} times: median {medians[0]:.1f} ms and p95 {tails[0]:.1f} ms; "
            f"beside a busy worker {medians[1]:.1f} and {tails[1]:.1f} ms, {medians[1] / medians[0]:.2f}x")  # fmt: skip


def _line(number: int) -> bytes:
    if number == 0:
        return json.dumps(workflow_line()).encode()
    at = f"2026-03-{number % 28 + 1:02}T{number % 24:02}:00:00Z"
    return json.dumps(
        run_line(str(number), status="failed" if number % 5 == 0 else "completed", created_at=at)
    ).encode()


def _list_times(here: Place, asked: int) -> list[float]:
    """Seconds of each request: first pages and deep ones, with and without a filter."""
    took = []
    for number in range(asked):
        path = f"/api/v1/workflows/{WORKFLOW}/runs?offset={number % 10 * 4_000}{'&status=failed' if number % 3 == 0 else ''}"
        begun = time.perf_counter()
        answer = here.traffic.client.get(path, headers={"Authorization": f"Bearer {here.traffic.key}"})
        took.append(time.perf_counter() - begun)
        if answer.status_code != 200:
            raise RuntimeError(answer.get_data(as_text=True))
        time.sleep(0.02)
    return took


def long_queue(runs: int, workers: int, threads: int) -> None:
    """Many runs at once, nine of ten in one workspace; one in another workspace is started meanwhile."""
    settings = {"PORTAL_ENGINE_MAX_QUEUED": "1000000"}
    with place("postgresql", [handlers.straight(0)], **settings) as here:
        queue_runs(here, runs * 9 // 10, "large")
        queue_runs(here, runs // 10, "small")
        here.add_workers(workers, threads)
        here.wait_for(Run.status == RunStatus.COMPLETED, runs=runs // 50)
        begun = time.monotonic()
        memory, waits, ended = [here.memory()], [], 0
        while ended < runs:
            here.traffic.start()
            time.sleep(10)
            ended = here.number(Run.status == RunStatus.COMPLETED)
            memory.append(here.memory())
            say(f"  {ended} runs have ended after {time.monotonic() - begun:.0f} s")
        [workflow] = here.traffic.workflows
        for created, claimed in here.rows(
            sa.select(Run.created_at, EngineClaim.claimed_at)
            .join(EngineClaim, EngineClaim.run_id == Run.id)
            .where(Run.workflow_id == UUID(workflow), EngineClaim.node_id == "source")
        ):
            waits.append((claimed - created).total_seconds())
        third = len(memory) // 3
        say(f"postgresql: {runs} runs queued at once, {workers} workers of {threads} threads: drained in "
            f"{time.monotonic() - begun:.0f} s; memory of a worker {max(memory[0]):.0f} MB at the start, "
            f"{max(memory[third]):.0f} MB after a third, {max(memory[-1]):.0f} MB at the end; "
            f"first step of {len(waits)} runs of another workspace meanwhile: "
            f"median {statistics.median(waits):.2f} s, slowest {max(waits):.2f} s")  # fmt: skip


def queue_runs(here: Place, runs: int, slug: str) -> None:
    """Queue a run of each of a number of workflows, with no check of whether it can run."""
    definition = handlers.straight(0)
    plan = Plan.of(definition)
    with here.traffic.client.application.app_context():
        workspace = make_workspace(slug)
        template = make_workflow(workspace, "Template")
        columns = {column.name: getattr(template, column.name) for column in Workflow.__table__.columns}
        for at in range(0, runs, 100):
            with writing() as session:
                ids = [UUID(int=template.id.int ^ (number + 1)) for number in range(at, min(at + 100, runs))]
                session.execute(sa.insert(Workflow), [columns | {"id": each} for each in ids])
                for each in ids:
                    run = add_run(
                        session,
                        each,
                        now=moments.now(),
                        person_id=None,
                        api_key_id=None,
                        total_nodes=3,
                        total_steps=3,
                        definition_snapshot=definition,
                        workflow_version=None,
                        by_engine=True,
                    )
                    session.add(EngineRun(run_id=run.id, workspace_id=workspace.id))
                    session.flush()
                    advance.deliver(session, run, StepKey(plan.sources[0], 1))
        db.session.remove()


def processor_seconds(here: Place) -> float:
    used = 0
    for worker in here.workers:
        fields = Path(f"/proc/{worker.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        used += int(fields[11]) + int(fields[12])
    return used / _TICKS


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--runs", type=int, default=300, help="for steps a second")
    parser.add_argument("--queue", type=int, default=10_000, help="runs queued at once")
    parser.add_argument("--threads", type=int, default=4)
    asked = parser.parse_args()
    if "first" in asked.parts:
        for kind in ("sqlite", "postgresql"):
            first_step(kind, asked.starts)
    if "steps" in asked.parts:
        steps_a_second("sqlite", 1, asked.runs, asked.threads)
        for workers in (1, 4):
            steps_a_second("postgresql", workers, asked.runs, asked.threads)
    if "cancel" in asked.parts:
        for kind in ("sqlite", "postgresql"):
            cancel_latency(kind, 5)
    if "idle" in asked.parts:
        idle("sqlite", 60)
    if "lists" in asked.parts:
        for kind in ("sqlite", "postgresql"):
            lists(kind, 300)
    if "queue" in asked.parts:
        long_queue(asked.queue, 4, asked.threads)


if __name__ == "__main__":
    main()
