"""Long trials of reliability, for `make soak`: prints figures for docs/reliability.md.

python -m scripts.soak postgres --rounds 10    # PostgreSQL restarted under traffic, each way in turn
python -m scripts.soak memory --minutes 10     # readers and writers on SQLite; memory, files and threads
"""

import argparse
import logging
import os
import tempfile
import threading
import time
from pathlib import Path

from flask_migrate import upgrade

from portal import create_app
from portal.db import db
from tests import cluster as clusters
from tests.conftest import settings_for
from tests.factories import make_key, make_member, make_user, make_workspace
from tests.serving import served
from tests.traffic import Traffic

WAYS = ("fast", "immediate", "kill")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    trials = parser.add_subparsers(dest="trial", required=True)
    trials.add_parser("postgres").add_argument("--rounds", type=int, default=10)
    trials.add_parser("memory").add_argument("--minutes", type=float, default=10)
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    if asked.trial == "postgres":
        for number in range(asked.rounds):
            restart(WAYS[number % len(WAYS)], seconds=60)
    else:
        stay_small(asked.minutes * 60)


def prepare(url: str, instance: Path) -> str:
    """Tables and a key in a new database."""
    with create_app(settings_for(url), instance=instance).app_context():
        upgrade()
        workspace, user = make_workspace(), make_user()
        make_member(workspace, user)
        key = make_key(workspace, user)
        db.session.remove()
        db.engine.dispose()
    return key


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
        statuses = {status: traffic.since(0, status) for status in {answer[1] for answer in traffic.answers}}
        late = sum(1 for at, status, _ in traffic.answers if at > back + 5 and status != 200)
        slowest = max(seconds for _, _, seconds in traffic.answers)
        print(
            f"postgres {how}: answers {statuses}, not 200 from 5 s after: {late}, slowest {slowest:.1f} s, "
            f"acknowledged {len(traffic.acknowledged)}, lost {len(traffic.lost())}",
            flush=True,
        )


def stay_small(seconds: float) -> None:
    """16 readers and 4 writers on SQLite: what grows?"""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = settings_for(f"sqlite:///{place / 'portal.sqlite3'}")
        key = prepare(environment["PORTAL_DATABASE_URL"], place)
        app = create_app(environment, instance=place)
        with served(environment, place) as url:
            traffic = Traffic(url, key, app)
            traffic.start(readers=16, writers=4)
            for part in ("start", "half", "end"):
                print(f"memory at the {part}: {footprint(place)}", flush=True)
                if part != "end":
                    time.sleep(seconds / 2)
            traffic.stop()
        statuses = {status: traffic.since(0, status) for status in {answer[1] for answer in traffic.answers}}
        print(f"answers {statuses}, acknowledged {len(traffic.acknowledged)}, lost {len(traffic.lost())}")


def footprint(place: Path) -> str:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(os.listdir("/proc/self/fd"))
    wal = place / "portal.sqlite3-wal"
    size = wal.stat().st_size / 1e6 if wal.exists() else 0
    return (
        f"{pages * 4096 / 1e6:.0f} MB, {files} files, {threading.active_count()} threads, WAL {size:.1f} MB"
    )


if __name__ == "__main__":
    main()
