"""Files sent over real HTTP, to the development server and gunicorn: whole, in chunks, too large, cut off."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest

from portal import create_app
from portal.database.engine import db
from tests.conftest import SECRET_KEY, settings_for
from tests.factories import make_key, make_member, make_user, make_workflow, make_workspace
from tests.serving import served
from tests.traffic import GUARD_SECONDS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MAX_BYTES = 10_000_000


@dataclass
class Target:
    url: str
    headers: dict[str, str]
    workflow_id: UUID
    folder: Path

    def create(self) -> tuple[str, str]:
        """A new upload: its id and the address to send its file to."""
        body = {"filename": "a.txt", "category": "script"}
        answer = httpx.post(
            f"{self.url}/api/v1/uploads", json=body, headers=self.headers, timeout=GUARD_SECONDS
        )
        assert answer.status_code == 201, answer.text
        data = answer.json()["data"]
        return data["upload"]["id"], data["upload_url"]

    def confirm(self, upload_id: str) -> httpx.Response:
        body = {"context_type": "workflow", "context_id": str(self.workflow_id)}
        return httpx.post(
            f"{self.url}/api/v1/uploads/{upload_id}", json=body, headers=self.headers, timeout=GUARD_SECONDS
        )

    def files(self) -> list[int]:
        """The sizes of all files in the store, unfinished ones too."""
        return [path.stat().st_size for path in (self.folder / "artifacts").rglob("*") if path.is_file()]


@pytest.fixture(params=["werkzeug", "gunicorn"])
def target(request: pytest.FixtureRequest, empty_sqlite: Path, tmp_path: Path) -> Iterator[Target]:
    shutil.copy(empty_sqlite, tmp_path / "portal.sqlite3")
    environment = settings_for(f"sqlite:///{tmp_path / 'portal.sqlite3'}")
    with create_app(environment, instance=tmp_path).app_context():
        workspace, user = make_workspace(), make_user()
        make_member(workspace, user)
        workflow = make_workflow(workspace)
        headers = {"Authorization": f"Bearer {make_key(workspace, user, ('uploads:write',))}"}
        db.session.remove()
        db.engine.dispose()
    serve = served if request.param == "werkzeug" else _gunicorn
    with serve(environment, tmp_path) as url:
        yield Target(url, headers, workflow.id, tmp_path)


@contextmanager
def _gunicorn(environment: dict[str, str], folder: Path) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = environment | {
        "PATH": os.environ["PATH"],
        "PORTAL_SECRET_KEY": SECRET_KEY,
        "PORTAL_BASE_URL": url,
        "PORTAL_ARTIFACTS": str(folder / "artifacts"),
    }
    command = [str(Path(sys.executable).parent / "gunicorn"), "--bind", f"127.0.0.1:{port}", "app:app"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=log, stderr=log)
    try:
        _wait_until_it_answers(url, process, folder)
        yield url
    finally:
        process.terminate()
        process.wait(GUARD_SECONDS)


def _wait_until_it_answers(url: str, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    pause = threading.Event()
    while process.poll() is None:
        try:
            if httpx.get(f"{url}/healthz", timeout=GUARD_SECONDS).status_code == 200:
                return
        except httpx.TransportError:
            pause.wait(0.05)
    pytest.fail((folder / "log").read_text())


def chunks(size: int) -> Iterator[bytes]:
    """A body whose length is not said."""
    while size > 0:
        yield b"x" * min(size, 100_000)
        size -= 100_000


def put(url: str, content: bytes | Iterator[bytes]) -> httpx.Response:
    return httpx.put(url, content=content, timeout=GUARD_SECONDS)


def test_a_file_is_taken_with_its_length_and_in_chunks(target: Target) -> None:
    for body in (b"x" * MAX_BYTES, chunks(MAX_BYTES)):
        upload_id, url = target.create()
        assert put(url, body).status_code == 204
        confirmed = target.confirm(upload_id)
        assert confirmed.json()["data"]["size_bytes"] == MAX_BYTES, confirmed.text
    assert target.files() == [MAX_BYTES, MAX_BYTES]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(target: Target, is_chunked: bool) -> None:
    upload_id, url = target.create()
    size = MAX_BYTES + 1
    assert put(url, chunks(size) if is_chunked else b"x" * size).status_code == 413
    assert target.files() == []
    assert target.confirm(upload_id).status_code == 409


def test_other_routes_keep_their_limit_in_chunks_too(target: Target) -> None:
    address = f"{target.url}/api/v1/uploads"
    headers = target.headers | {"Content-Type": "application/json"}
    answer = httpx.post(address, content=chunks(1_100_000), headers=headers, timeout=GUARD_SECONDS)
    assert answer.status_code == 413


def test_a_file_that_is_cut_off_leaves_what_was_sent_before(target: Target) -> None:
    upload_id, url = target.create()
    assert put(url, b"Hello").status_code == 204
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}"
    for head in ("Content-Length: 5000000", "Transfer-Encoding: chunked"):
        with socket.create_connection((parts.hostname or "", parts.port or 0), GUARD_SECONDS) as connection:
            request = f"PUT {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{head}\r\n\r\n"
            connection.sendall(request.encode() + b"100000\r\n" + b"x" * 700_000)
            connection.shutdown(socket.SHUT_WR)
            answered = b""
            with contextlib.suppress(OSError):  # to one who is gone, a server need not answer
                answered = connection.recv(12)
            assert answered in (b"", b"HTTP/1.1 400")
    assert target.files() == [5]
    assert target.confirm(upload_id).json()["data"]["char_count"] == 5
