"""Starts and steers runs, and kills the workers that work on them: `python -m tests.engine.torture.driver`.

Two of three kills hit a worker within a step. On PostgreSQL every fourth is a zombie: stopped past its lease
while a successor works, and then woken.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from portal import create_app
from portal.database.engine import db
from portal.database.models import TERMINAL, Run, RunStatus
from tests import cluster as clusters
from tests.engine.torture import handlers
from tests.engine.torture.checker import Findings, check
from tests.engine.torture.processes import Worker, environment
from tests.factories import make_key, make_member, make_user, make_workflow, make_workspace

LEASE = 6
STUCK_SECONDS = 90
"""After so long without any change of any run, a trial gives up."""
SCOPES = ("workflows:read", "workflows:run")


@dataclass
class Traffic:
    """Keeps a number of runs under way; pauses and resumes some, cancels some."""

    client: FlaskClient
    key: str
    workflows: list[str]
    chance: random.Random
    paused: set[tuple[str, str]] = field(default_factory=set)
    refused: int = 0

    def start(self, most: int | None = None) -> None:
        """Start a run of every workflow, or of the first few; those that have one refuse."""
        several = self.workflows if most is None else self.chance.sample(self.workflows, most)
        for workflow_id in several:
            self._post(f"/workflows/{workflow_id}/runs")

    def steer(self) -> None:
        """Resume what is paused, and now and then pause or cancel a run."""
        for workflow_id, run_id in sorted(self.paused):
            if self._post(f"/workflows/{workflow_id}/runs/{run_id}/resume") in (200, 404):
                self.paused.discard((workflow_id, run_id))
        if self.chance.random() < 0.7:
            return
        active = self.active(RunStatus.PENDING, RunStatus.RUNNING)
        if active:
            workflow_id, run_id = self.chance.choice(active)
            if self.chance.random() < 0.3:
                self._post(f"/workflows/{workflow_id}/runs/{run_id}/cancel")
            elif self._post(f"/workflows/{workflow_id}/runs/{run_id}/pause") == 200:
                self.paused.add((workflow_id, run_id))

    def resume_all(self) -> None:
        for workflow_id, run_id in self.active(RunStatus.PAUSED):
            self._post(f"/workflows/{workflow_id}/runs/{run_id}/resume")

    def cancel_all(self) -> None:
        for workflow_id, run_id in self.active(RunStatus.PENDING, RunStatus.RUNNING):
            self._post(f"/workflows/{workflow_id}/runs/{run_id}/cancel")

    def ended(self) -> int:
        """How many runs have ended."""
        return len(self.active(*TERMINAL))

    def active(self, *statuses: RunStatus) -> list[tuple[str, str]]:
        """The workflow and the id of each run of the engine with one of these statuses."""
        with self.client.application.app_context():
            found = db.session.execute(
                sa.select(Run.workflow_id, Run.id).where(Run.status.in_(statuses), Run.by_engine)
            )
            rows = [(str(row[0]), str(row[1])) for row in found]
            db.session.remove()
            return rows

    def _post(self, path: str) -> int:
        answer = self.client.post(f"/api/v1{path}", headers={"Authorization": f"Bearer {self.key}"}, json={})
        if answer.status_code not in (200, 202, 404, 409, 503):
            raise AssertionError(f"{path}: {answer.status_code} {answer.get_data(as_text=True)}")
        self.refused += answer.status_code == 503
        return answer.status_code


@dataclass
class Crew:
    """The workers, and those of them that are stopped and will be woken."""

    folder: Path
    given: Mapping[str, str]
    chance: random.Random
    workers: list[Worker] = field(default_factory=list)
    zombies: list[tuple[float, Worker]] = field(default_factory=list)
    ended: list[Worker] = field(default_factory=list)
    frozen: set[int] = field(default_factory=set)
    """The process ids of those that were stopped."""

    def add(self) -> None:
        self.workers.append(Worker.start(self.folder, self.given))

    def kill_one(self, within: bool) -> None:
        """Kill a worker, one that is within a step if asked for, and start its successor."""
        victim = self._victim(within)
        self.workers.remove(victim)
        victim.kill()
        self.ended.append(victim)
        for file in self._inside(victim):
            file.unlink(missing_ok=True)
        self.add()

    def stop_one(self) -> None:
        """Make a zombie: it is woken when its lease is over and its successor at work."""
        victim = self._victim(within=True)
        self.workers.remove(victim)
        victim.signal(signal.SIGSTOP)
        self.frozen.add(victim.process.pid or 0)
        self.zombies.append((time.monotonic() + LEASE * 1.5, victim))
        self.add()

    def wake(self) -> None:
        """Wake those whose time has come; they are told to stop a little later, as any worker is."""
        for at, zombie in list(self.zombies):
            if time.monotonic() >= at:
                zombie.signal(signal.SIGCONT)
            if time.monotonic() >= at + 4:
                self.zombies.remove((at, zombie))
                zombie.signal(signal.SIGTERM)
                self.ended.append(zombie)

    def restart_gone(self) -> list[str]:
        """Replace workers that have ended by themselves; says which, but for those that found no database."""
        gone = [worker for worker in self.workers if worker.has_ended]
        for worker in gone:
            self.workers.remove(worker)
            self.ended.append(worker)
            self.add()
        odd = [worker for worker in gone if "Error: The database does not answer" not in worker.said]
        return [f"a worker ended by itself: {worker.said[-2000:]}" for worker in odd]

    def close(self) -> list[str]:
        """End all of them as an operator does; says which of them did not end well."""
        for _, zombie in self.zombies:
            zombie.signal(signal.SIGCONT)
        workers = self.workers + [zombie for _, zombie in self.zombies]
        codes = [(worker, worker.end()) for worker in workers]
        return [f"a worker ended with {code}: {worker.said[-2000:]}" for worker, code in codes if code != 0]

    def kill_all(self) -> None:
        for worker in [*self.workers, *self.ended, *(zombie for _, zombie in self.zombies)]:
            worker.kill()

    def _victim(self, within: bool) -> Worker:
        until = time.monotonic() + 10
        while within and time.monotonic() < until:
            busy = [worker for worker in self.workers if self._inside(worker)]
            if busy:
                return self.chance.choice(busy)
            time.sleep(0.02)
        return self.chance.choice(self.workers)

    def _inside(self, worker: Worker) -> list[Path]:
        return list((self.folder / "inside").glob(f"{worker.process.pid}.*"))


def trial(url: str, folder: Path, asked: argparse.Namespace, cluster: clusters.Cluster | None) -> Findings:
    """Kill workers under runs, wait until all runs have ended, and check."""
    begun = time.monotonic()
    chance = random.Random(asked.seed)
    given = environment(folder, url)
    app = create_app(given, instance=folder / "portal")
    traffic = prepare(app, [handlers.definition(asked.seconds)] * asked.workflows, chance)
    crew, findings = Crew(folder, given, chance), Findings()
    restarts = {asked.kills * (n + 1) // (asked.restarts + 1) for n in range(asked.restarts)}
    try:
        for _ in range(asked.workers):
            crew.add()
        while findings.kills < asked.kills:
            traffic.start(most=min(4, asked.workflows))
            traffic.steer()
            time.sleep(chance.uniform(0.2, asked.pause))
            crew.wake()
            findings.faults += crew.restart_gone()
            if findings.kills in restarts and cluster is not None:
                restarts.discard(findings.kills)
                cluster.stop("immediate")
                time.sleep(1)
                cluster.start()
                findings.restarts += 1
            findings.kills += 1
            if asked.zombies and findings.kills % 4 == 0:
                crew.stop_one()
                findings.zombies += 1
            else:
                crew.kill_one(within=findings.kills % 3 != 0)
            if findings.kills % 10 == 0:
                say(f"{findings.kills} kills, {time.monotonic() - begun:.0f} s")
        findings.faults += drain(traffic, crew)
        findings.faults += crew.close()
    finally:
        crew.kill_all()
    with app.app_context():
        check(findings, folder, crew.frozen)
        db.session.remove()
        db.engine.dispose()
    findings.faults += odd_words(folder)
    findings.seconds = round(time.monotonic() - begun)
    return findings


def prepare(app: Flask, definitions: Sequence[Mapping[str, Any]], chance: random.Random) -> Traffic:
    """Tables, a key, and a workflow with each of these definitions."""
    with app.app_context():
        upgrade()
        user = make_user()
        workspace = make_workspace()
        make_member(workspace, user)
        key = make_key(workspace, user, scopes=SCOPES)
        made = [
            str(make_workflow(workspace, f"Workflow {number}", definition=definition).id)
            for number, definition in enumerate(definitions)
        ]
        db.session.remove()
    return Traffic(app.test_client(), key, made, chance)


def begin(given: Mapping[str, str], folder: Path, definition: Mapping[str, Any]) -> Traffic:
    """A portal in a folder, and a run of this definition that no worker has seen."""
    app = create_app(given, instance=folder / "portal")
    traffic = prepare(app, [definition], random.Random(1))
    traffic.start()
    return traffic


def drain(traffic: Traffic, crew: Crew) -> list[str]:
    """Let all runs end; says if they do not."""
    before: object = None
    changed = time.monotonic()
    while time.monotonic() < changed + STUCK_SECONDS:
        traffic.resume_all()
        crew.wake()
        faults = crew.restart_gone()
        if faults:
            return faults
        active = traffic.active(*(status for status in RunStatus if status not in TERMINAL))
        if not active:
            return []
        with traffic.client.application.app_context():
            now = db.session.execute(sa.select(sa.func.max(Run.updated_at), sa.func.sum(Run.finished_steps)))
            state = tuple(now.one())
            db.session.remove()
        if state != before:
            before, changed = state, time.monotonic()
        time.sleep(0.5)
    return [f"nothing goes on for {STUCK_SECONDS} s: {active}"]


def odd_words(folder: Path) -> Iterator[str]:
    """Errors that workers logged and that no restart of the database explains."""
    for log in sorted((folder / "workers").glob("*/log")):
        text = log.read_text(errors="replace")
        for word in (
            "deadlock detected",
            "database is locked",
            "CRITICAL",
            "IntegrityError",
            "internal error",
        ):
            if word in text:
                at = text.index(word)
                yield f"{log.parent.name} says: {text[max(0, at - 1500) : at + 500]}"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--postgres", action="store_true", help="in a cluster of its own, else SQLite")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--zombies", action="store_true")
    parser.add_argument("--restarts", type=int, default=0, help="of the PostgreSQL server")
    parser.add_argument("--workflows", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.4, help="of work in a step")
    parser.add_argument("--pause", type=float, default=2.0, help="the longest time between two kills")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    os.environ[handlers.FOLDER] = str(asked.folder)
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(clusters.cluster()) if asked.postgres else None
        url = cluster.url() if cluster else f"sqlite:///{asked.folder / 'portal.sqlite3'}"
        findings = trial(url, asked.folder, asked, cluster)
    print(json.dumps(findings.to_json()))


if __name__ == "__main__":
    main()
