"""Workers of a test: processes that do what `flask worker` does, each in a folder of its own."""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from flask.cli import main as flask_main

from tests.conftest import settings_for
from tests.engine.torture import handlers

ROOT = Path(__file__).parents[3]
PACKAGE = "run-portal-torture"
_ENTRY_POINTS = """[run_portal.handlers]
source = tests.engine.torture.handlers:SOURCE
operator = tests.engine.torture.handlers:OPERATOR
validator = tests.engine.torture.handlers:VALIDATOR
sink = tests.engine.torture.handlers:SINK
"""


def environment(folder: Path, url: str, **settings: str) -> dict[str, str]:
    """What workers and the portal have in common; makes the folder's parts, and the package of node types."""
    for name in ("inside", "begun", "workers", "artifacts"):
        (folder / name).mkdir(exist_ok=True)
    described = folder / "packages" / "run_portal_torture-1.dist-info"
    described.mkdir(parents=True, exist_ok=True)
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1\n")
    (described / "entry_points.txt").write_text(_ENTRY_POINTS)
    return {
        **settings_for(url),
        "PORTAL_ARTIFACTS": str(folder / "artifacts"),
        "PORTAL_HANDLER_PLUGINS": PACKAGE,
        "PORTAL_ENGINE_LEASE": "6",
        "PORTAL_ENGINE_POLL": "0.1",
        "PORTAL_RUNS_PER_PERSON": "0",
        "PORTAL_RUNS_PER_WORKSPACE": "0",
        "PORTAL_RATE_LIMIT_PER_MIN": "0",
        handlers.FOLDER: str(folder),
        **settings,
    }


@dataclass
class Worker:
    """A worker process, forked from one that has imported the portal: a restart takes no time for that."""

    process: BaseProcess
    place: Path

    @classmethod
    def start(cls, folder: Path, given: Mapping[str, str], threads: int = 4) -> "Worker":
        place = folder / "workers" / str(len(list((folder / "workers").iterdir())))
        place.mkdir()
        own = {"PATH": os.environ["PATH"], **given, "TMPDIR": str(place), "FLASK_APP": str(ROOT / "app.py")}
        words = ["worker", "--threads", str(threads)]
        process = _FORKS.Process(target=_run_flask, args=(place, folder / "packages", own, words))
        process.start()
        return cls(process, place)

    @property
    def said(self) -> str:
        """What it has written to standard output and standard error."""
        return (self.place / "log").read_text(errors="replace")

    @property
    def has_ended(self) -> bool:
        return self.process.exitcode is not None

    def signal(self, number: int) -> None:
        if self.process.pid is not None and not self.has_ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.join()

    def end(self, seconds: float = 120) -> int | None:
        """Tell it to stop, as an operator does; its exit code, None if it goes on."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        self.process.join(seconds)
        return self.process.exitcode


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["portal.engine.workers.workshop", "portal.engine.handlers.naturalness", __name__]
)


def _run_flask(place: Path, packages: Path, own: Mapping[str, str], words: list[str]) -> None:
    """What `flask …` does, in a folder of its own."""
    log = os.open(place / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(place)
    os.environ.clear()
    os.environ.update(own)
    sys.path.insert(0, str(packages))
    sys.argv = ["flask", *words]
    flask_main()


@contextmanager
def worker(folder: Path, given: Mapping[str, str], threads: int = 4) -> Iterator[Worker]:
    """A worker that is killed at the end if it still runs."""
    started = Worker.start(folder, given, threads)
    try:
        yield started
    finally:
        started.kill()


def wait_until_within(worker: Worker, folder: Path) -> None:
    """Wait until the worker has begun a step."""
    while not list((folder / "inside").glob(f"{worker.process.pid}.*")):
        assert not worker.has_ended, worker.said
        worker.process.join(0.05)
