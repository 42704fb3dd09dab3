"""Long trials of reliability, for `make soak`: prints figures for docs/reliability.md.

python -m scripts.soak postgres --rounds 10    # PostgreSQL restarted under traffic, so often each way
python -m scripts.soak crowd --seconds 60      # 150 readers and 50 writers at once on SQLite
python -m scripts.soak numbers                 # 1,024 runs started 64 ways at once, on SQLite and PostgreSQL
python -m scripts.soak engine --kills 200      # workers killed under runs, on SQLite and PostgreSQL
python -m scripts.soak memory --minutes 10     # readers and writers on SQLite; what of the server grows
python -m scripts.soak push --seconds 60       # 50 clients push lines while 50 readers list, on both; a kill
"""

import argparse
import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from portal import create_app, moments
from portal.database.engine import db
from portal.database.models import Run
from portal.runs.recording import recorder
from portal.runs.recording.state_machine import Event
from scripts.soaking import at, database, gunicorn, prepare
from scripts.soaking_push import push
from tests import cluster as clusters
from tests.conftest import settings_for
from tests.engine.torture.trial import torture
from tests.factories import make_workflow, make_workspace
from tests.serving import served
from tests.traffic import Traffic

WRITES_A_RUN = 3
"""A run is started, picked up and completed."""

WAYS = ("fast", "immediate", "kill")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    trials = parser.add_subparsers(dest="trial", required=True)
    trials.add_parser("postgres").add_argument("--rounds", type=int, default=10)
    trials.add_parser("crowd").add_argument("--seconds", type=float, default=60)
    trials.add_parser("numbers")
    trials.add_parser("engine").add_argument("--kills", type=int, default=200)
    trials.add_parser("memory").add_argument("--minutes", type=float, default=10)
    pushing = trials.add_parser("push")
    pushing.add_argument("--seconds", type=float, default=60)
    pushing.add_argument("--clients", type=int, default=50)
    pushing.add_argument("--lines", type=int, default=1000, help="a second, of all clients together")
    pushing.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    if asked.trial == "postgres":
        for number in range(asked.rounds * len(WAYS)):
            restart(WAYS[number % len(WAYS)], seconds=60)
    elif asked.trial == "crowd":
        crowd(asked.seconds)
    elif asked.trial == "numbers":
        with tempfile.TemporaryDirectory() as folder:
            count_up("sqlite", f"sqlite:///{folder}/portal.sqlite3")
        with clusters.cluster() as cluster:
            count_up("postgresql", cluster.url())
    elif asked.trial == "push":
        for name in asked.database or ("sqlite", "postgresql"):
            with database(name) as url:
                print(f"push on {name}: {push(url, asked.seconds, asked.clients, asked.lines)}", flush=True)
    elif asked.trial == "engine":
        kill_workers("sqlite", asked.kills)
        kill_workers("postgresql", asked.kills)
    else:
        stay_small(asked.minutes * 60)


def restart(how: str, seconds: float) -> None:
    """One round: so many seconds of traffic, and PostgreSQL away for five in the middle."""
    with clusters.cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        key = prepare(cluster.url(), place)
        environment = settings_for(cluster.url())
        app = create_app(environment, instance=place)
        with served(environment, place) as url:
            traffic = Traffic(url, key, app)
            traffic.start(readers=4, writers=2)
            time.sleep(seconds / 3)
            cluster.stop(how)
            time.sleep(5)
            cluster.start()
            back = time.monotonic()
            time.sleep(seconds * 2 / 3 - 5)
            traffic.stop()
        late = sum(1 for at, status, _ in traffic.answers if at > back + 5 and status != 200)
        slowest = max(seconds for _, _, seconds in traffic.answers)
        print(
            f"postgres {how}: answers {traffic.statuses()}, not 200 from 5 s after: {late}, "
            f"slowest {slowest:.1f} s, acknowledged {len(traffic.acknowledged)}, lost {len(traffic.lost())}",
            flush=True,
        )


@dataclass(frozen=True)
class Crowd:
    """What a crowd was answered, how many runs were acknowledged, and the numbers that are there."""

    statuses: dict[int, int]
    recorded: int
    numbers: list[int]


def crowd(seconds: float) -> Crowd:
    """150 readers, and 50 writers in two processes, on SQLite behind two workers of the server."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = settings_for(f"sqlite:///{place / 'portal.sqlite3'}")
        key = prepare(environment["PORTAL_DATABASE_URL"], place)
        app = create_app(environment, instance=place)
        with app.app_context():
            workflow_id = make_workflow(make_workspace("crowded")).id
            db.session.remove()
        with gunicorn(environment, workers=2) as (url, _):
            traffic = Traffic(url, key, app)
            traffic.start(readers=150, writers=0)
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                asked = (environment, place, workflow_id, 25, seconds)
                written = [one for part in pool.starmap(record, [asked, asked]) for one in part]
            traffic.stop()
        with app.app_context():
            numbers = sorted(db.session.scalars(sa.select(Run.run_number)))
            db.session.remove()
            db.engine.dispose()
    reads, waits = sorted(took for _, _, took in traffic.answers), sorted(written)
    print(
        f"crowd: answers {traffic.statuses()}, p50 {at(reads, 0.5):.2f} s, p99 {at(reads, 0.99):.2f} s; "
        f"{len(waits)} writes, p50 {at(waits, 0.5):.2f} s, slowest {waits[-1]:.2f} s; "
        f"runs numbered without gap or double: {numbers == list(range(1, len(waits) // WRITES_A_RUN + 1))}",
        flush=True,
    )
    return Crowd(traffic.statuses(), len(waits) // WRITES_A_RUN, numbers)


def record(
    environment: dict[str, str], place: Path, workflow_id: UUID, threads: int, seconds: float
) -> list[float]:
    """Start, pick up and complete runs for so long: how long each write took. One that fails ends it all."""
    app = create_app(environment, instance=place)
    end = time.monotonic() + seconds

    def one(_: int) -> list[float]:
        took = []

        def timed(write: Callable[[], Run]) -> Run:
            begun = time.monotonic()
            run = write()
            took.append(time.monotonic() - begun)
            return run

        with app.app_context():
            while time.monotonic() < end:
                start = partial(recorder.start_run, workflow_id, now=moments.now())
                run = timed(start)
                for event in (Event.PICK_UP, Event.COMPLETE):
                    timed(partial(recorder.apply_event, run.id, event, moments.now()))
        return took

    with ThreadPoolExecutor(threads) as pool:
        return [each for part in pool.map(one, range(threads)) for each in part]


def count_up(name: str, url: str) -> None:
    """Four processes of 16 threads each start eight runs of each of two workflows, all at once."""
    with tempfile.TemporaryDirectory() as folder:
        place, environment = Path(folder), settings_for(url)
        prepare(url, place)
        app = create_app(environment, instance=place)
        with app.app_context():
            workspace = make_workspace("numbers")
            two = [make_workflow(workspace).id, make_workflow(workspace).id]
            db.session.remove()
        with multiprocessing.get_context("spawn").Pool(4) as pool:
            parts = pool.starmap(start_many, [(environment, place, two)] * 4, chunksize=1)
        given = [each for part in parts for each in part]
        with app.app_context():
            there = db.session.execute(sa.select(Run.workflow_id, Run.run_number)).all()
            db.session.remove()
            db.engine.dispose()
    whole = {(workflow_id, n) for workflow_id in two for n in range(1, len(given) // 2 + 1)}
    print(
        f"numbers on {name}: {len(given)} starts acknowledged; no gap, none double, all there: "
        f"{sorted(given) == sorted(whole) == sorted(tuple(row) for row in there)}",
        flush=True,
    )


def start_many(environment: dict[str, str], place: Path, workflow_ids: list[UUID]) -> list[tuple[UUID, int]]:
    """Start runs from 16 threads: which numbers they were given. A start that is refused ends it all."""
    app = create_app(environment, instance=place)

    def one(_: int) -> list[tuple[UUID, int]]:
        with app.app_context():
            runs = [
                recorder.start_run(workflow_id, now=moments.now())
                for _ in range(8)
                for workflow_id in workflow_ids
            ]
        return [(run.workflow_id, run.run_number) for run in runs]

    with ThreadPoolExecutor(16) as pool:
        return [each for part in pool.map(one, range(16)) for each in part]


def kill_workers(name: str, kills: int) -> None:
    """Kill workers under runs: the only one on SQLite; on PostgreSQL four, with zombies and restarts."""
    words = ["--kills", str(kills)]
    if name == "postgresql":
        words += ["--postgres", "--workers", "4", "--zombies", "--restarts", "2", "--workflows", "12"]
    with tempfile.TemporaryDirectory() as folder:
        findings = torture(Path(folder), *words)
    print(
        f"engine on {name}: {findings.kills} kills, {findings.zombies} of them zombies, {findings.restarts} "
        f"restarts of the server; {findings.runs} runs, {findings.completed} completed and "
        f"{findings.cancelled} cancelled; {findings.steps} steps, begun {findings.executions} times, one at "
        f"most {findings.most_claims} times; {findings.seconds:.0f} s; faults: {findings.faults or 'none'}",
        flush=True,
    )


def stay_small(seconds: float) -> None:
    """16 readers and 4 writers on SQLite: what of the server grows?"""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = settings_for(f"sqlite:///{place / 'portal.sqlite3'}")
        key = prepare(environment["PORTAL_DATABASE_URL"], place)
        app = create_app(environment, instance=place)
        with gunicorn(environment, workers=1) as (url, pid):
            traffic = Traffic(url, key, app)
            traffic.start(readers=16, writers=4)
            time.sleep(10)  # until every thread has served
            for part in ("start", "half", "end"):
                print(f"memory at the {part}: {footprint(pid, place)}", flush=True)
                if part != "end":
                    time.sleep(seconds / 2)
            traffic.stop()
        print(
            f"answers {traffic.statuses()}, acknowledged {len(traffic.acknowledged)}, "
            f"lost {len(traffic.lost())}"
        )


def footprint(pid: int, place: Path) -> str:
    """What the server's workers hold."""
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = sum(int(Path(f"/proc/{worker}/statm").read_text().split()[1]) for worker in workers)
    files = sum(len(os.listdir(f"/proc/{worker}/fd")) for worker in workers)
    threads = sum(len(os.listdir(f"/proc/{worker}/task")) for worker in workers)
    wal = place / "portal.sqlite3-wal"
    size = wal.stat().st_size / 1e6 if wal.exists() else 0
    return f"{pages * 4096 / 1e6:.1f} MB, {files} files, {threads} threads, WAL {size:.1f} MB"


if __name__ == "__main__":
    main()
