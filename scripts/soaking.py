"""What the trials of `scripts.soak` have in common: a database, and the portal behind its server."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from flask_migrate import upgrade

from portal import create_app
from portal.database.engine import db
from tests import cluster as clusters
from tests.conftest import settings_for
from tests.factories import make_key, make_member, make_user, make_workspace


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


@contextmanager
def database(name: str) -> Iterator[str]:
    """The URL of a new, empty database of this kind."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/portal.sqlite3"
    else:
        with clusters.cluster() as cluster:
            yield cluster.url()


def at(ordered: Sequence[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))]


@dataclass
class Gunicorn:
    """The portal behind its server, as operators run it; it can be killed and started again."""

    environment: Mapping[str, str]
    workers: int
    port: int = field(default_factory=clusters.free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = ("--workers", str(self.workers), "--bind", f"127.0.0.1:{self.port}", "app:app")
        command = (sys.executable, "-m", "gunicorn", *words)
        settings = {**self.environment, "PATH": os.environ["PATH"], "PORTAL_BASE_URL": self.url}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, env=settings, stderr=quiet, start_new_session=True)  # noqa: S603
        while self._process.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"{self.url}/healthz", timeout=30)
                return
            time.sleep(0.1)
        raise RuntimeError("gunicorn does not start")

    @property
    def processor_seconds(self) -> float:
        """Of its workers so far."""
        pid = self.pid
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        fields = [Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split() for worker in workers]
        return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """Kill it with its workers: nothing is finished."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()


@contextmanager
def gunicorn(environment: Mapping[str, str], workers: int) -> Iterator[tuple[str, int]]:
    """The portal behind its server: its base URL and the server's process id."""
    server = Gunicorn(environment, workers)
    try:
        server.start()
        yield server.url, server.pid
    finally:
        server.stop()
