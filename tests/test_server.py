"""The portal behind the server that the README names, with its configuration, as a process of its own."""

import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from portal.config import KEY_FILE
from tests.conftest import SECRET_KEY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
METRICS_TOKEN = "c8b1f0e2d7a94635" * 2
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Server:
    process: "subprocess.Popen[bytes]"
    host: str
    port: int
    folder: Path

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=300)

    def ask(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        connection = self.connect()
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def answers(self) -> bool:
        try:
            return self.ask("/readyz").status == 200
        except OSError:
            return False

    def metrics(self) -> str:
        connection = self.connect()
        connection.request("GET", "/team/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def workers(self) -> set[int]:
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def wait_until(reached: Callable[[], bool], what: str) -> None:
    """Wait for something to happen; the five minutes are a guard against what never does."""
    pause = threading.Event()
    for _ in range(6000):
        if reached():
            return
        pause.wait(0.05)
    pytest.fail(f"in vain waited for: {what}")


@pytest.fixture
def server(empty_sqlite: Path, tmp_path: Path) -> Iterator[Server]:
    shutil.copy(empty_sqlite, tmp_path / "portal.sqlite3")
    with serve("127.0.0.1", tmp_path) as server:
        yield server


@contextmanager
def serve(host: str, tmp_path: Path, **more: str) -> Iterator[Server]:
    """Two workers at a free port of this host, with the database in the folder."""
    (tmp_path / KEY_FILE).write_text(SECRET_KEY)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.bind((host, 0))
        port = listener.getsockname()[1]
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "PORTAL_SECRET_KEY_FILE": str(tmp_path / KEY_FILE),
        "PORTAL_DATABASE_URL": f"sqlite:///{tmp_path / 'portal.sqlite3'}",
        "PORTAL_BASE_URL": f"http://{place}/team",
        "TMPDIR": str(tmp_path),
        **more,
    }
    options = ["--bind", place, "--workers", "2", "--access-logfile", "-", "app:app"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *options], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        server = Server(process, host, port, tmp_path)
        try:
            wait_until(server.answers, "the portal to answer")
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def test_the_server_is_clear_about_its_bounds_and_logs_no_secret(server: Server) -> None:
    assert server.ask("/team/login?x=" + "a" * 8000).status == 200
    assert server.ask("/team/login?x=" + "a" * 9000).status == 414
    assert server.ask("/team/login", Cookie="a=" + "b" * 9000).status == 431
    assert server.ask("/team/healthz", **{"X-Forwarded-Proto": "https", "SCRIPT_NAME": "/evil"}).status == 200
    assert server.ask("/team/", SCRIPT_NAME="/evil").headers["Location"].startswith("/team/login")

    for path in ("/signin/s3cr3t", "/invitations/s3cr3t", "/files/x?expires=1&signature=s3cr3t"):
        server.ask(f"/team{path}", Referer=f"http://127.0.0.1/team{path}")

    log = server.log()
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["logger"] for line in lines} >= {"gunicorn.error", "gunicorn.access"}
    assert "/team/signin/[redacted]" in log
    assert "s3cr3t" not in log


def test_a_killed_worker_is_replaced_and_what_is_asked_is_answered_before_the_end(server: Server) -> None:
    wait_until(lambda: len(server.workers()) == 2, "both workers")
    before = server.workers()
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: len(server.workers()) == 2 and server.workers() != before, "another worker")
    assert server.answers()

    database = sqlite3.connect(server.folder / "portal.sqlite3", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")  # a sign-in waits for it
    connection = server.connect()
    connection.request("GET", "/team/healthz")
    connection.getresponse().read()
    connection.request("POST", "/team/signin/unknown", headers=SAME_ORIGIN)
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "Handling signal: term" in server.log(), "the signal to be heard")
    database.close()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status in (200, 404, 410)
    assert server.process.wait(60) == 0


def test_workers_add_up_what_they_measure_and_lose_nothing_with_one_that_dies(
    empty_sqlite: Path, tmp_path: Path
) -> None:
    shutil.copy(empty_sqlite, tmp_path / "portal.sqlite3")
    with serve("127.0.0.1", tmp_path, PORTAL_METRICS_TOKEN=METRICS_TOKEN) as server:

        def opened() -> float:
            samples = text_string_to_metric_families(server.metrics())
            of_login = {"method": "GET", "route": "/login", "status": "2xx"}
            return sum(
                sample.value
                for family in samples
                for sample in family.samples
                if sample.name == "portal_request_seconds_count" and sample.labels == of_login
            )

        def measures() -> set[Path]:
            return set(tmp_path.glob("run-portal-metrics-*/histogram_*.db"))

        def open_login() -> bool:
            nonlocal asked
            asked += 1
            assert server.ask("/team/login").status == 200
            return len(measures()) >= 2

        asked = 0
        assert server.ask("/team/metrics").status == 401
        wait_until(open_login, "both workers to have answered")
        assert opened() == asked
        before = server.workers()
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(server.workers()) == 2 and server.workers() != before, "another worker")
        wait_until(server.answers, "an answer")
        assert opened() == asked
        folder = {file.parent for file in measures()}
    assert len(folder) == 1
    assert not folder.pop().exists()


def test_the_portal_serves_at_an_ipv6_address(empty_sqlite: Path, tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as listener:
            listener.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    shutil.copy(empty_sqlite, tmp_path / "portal.sqlite3")
    with serve("::1", tmp_path) as server:
        assert server.ask("/team/login").status == 200
        ours = {"Origin": f"http://[::1]:{server.port}"}
        assert server.ask("/team/signin/unknown", "POST", **ours).status == 404
        assert server.ask("/team/signin/unknown", "POST", Origin="http://[::1]:1").status == 403
