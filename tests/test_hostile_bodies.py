"""Bodies that are too large, too many, too deep or too slow: refused, and others are served meanwhile."""

import gzip
import json
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from portal import create_app
from portal.database.engine import db
from tests.conftest import settings_for
from tests.factories import make_ingest_key, make_key, make_member, make_user, make_workspace
from tests.serving import served
from tests.traffic import GUARD_SECONDS

pytestmark = pytest.mark.slow

MEGABYTE = 1_000_000


@dataclass
class Target:
    url: str
    key: str
    ingest_key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}

    def is_served(self) -> bool:
        return (
            requests.get(
                f"{self.url}/api/v1/workflows", headers=self.headers, timeout=GUARD_SECONDS
            ).status_code
            == 200
        )


@pytest.fixture
def target(empty_sqlite: Path, tmp_path: Path) -> Iterator[Target]:
    (tmp_path / "portal.sqlite3").write_bytes(empty_sqlite.read_bytes())
    environment = settings_for(f"sqlite:///{tmp_path / 'portal.sqlite3'}")
    with create_app(environment, instance=tmp_path).app_context():
        workspace, user = make_workspace(), make_user()
        make_member(workspace, user)
        key, ingest_key = make_key(workspace, user), make_ingest_key(workspace)
        db.session.remove()
        db.engine.dispose()
    with served(environment, tmp_path) as url:
        yield Target(url, key, ingest_key)


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def parts(count: int) -> tuple[bytes, str]:
    """A form of so many parts."""
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    return part * count + b"--x--\r\n", "multipart/form-data; boundary=x"


BODIES = {
    "40 MB of JSON": (b'"' + b"x" * 40 * MEGABYTE + b'"', "application/json"),
    "40 MB of a form": (b"a=" + b"x" * 40 * MEGABYTE, "application/x-www-form-urlencoded"),
    "50,000 parts": parts(50_000),
    "deep JSON": (b"[" * 100_000 + b"]" * 100_000, "application/json"),
    "deep objects": (b'{"a":' * 100_000, "application/json"),
    "a gzip bomb": (gzip.compress(b"0" * 50 * MEGABYTE), "application/json"),
    "half a number": (b"9" * 500_000, "application/json"),
    "no UTF-8": (b'{"name": "\xff\xfe"}', "application/json"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body_is_refused_and_the_portal_stays_small_and_serves_others(
    target: Target, name: str
) -> None:
    body, kind = BODIES[name]
    before = peak_megabytes()
    compressed = {"Content-Encoding": "gzip"} if "gzip" in name else {}
    for path in ("/api/v1/api-keys", "/api/v1/workspaces", "/logout", "/signin/x", "/api/v1/history"):
        headers = target.headers | {"Content-Type": kind, "Sec-Fetch-Site": "same-origin"} | compressed
        if path == "/api/v1/history":
            headers["Authorization"] = f"Bearer {target.ingest_key}"
        try:
            answer = requests.post(
                f"{target.url}{path}", body, headers=headers, timeout=GUARD_SECONDS, allow_redirects=False
            )
        except requests.ConnectionError:  # the server hung up before it was all sent
            continue
        assert answer.status_code < 500, (path, answer.text)
    assert target.is_served()
    assert peak_megabytes() - before < 150


def test_while_forty_senders_never_finish_others_are_served(target: Target) -> None:
    host, port = target.url.removeprefix("http://").split(":")
    with ExitStack() as senders:
        for number in range(40):
            sender = senders.enter_context(socket.create_connection((host, int(port)), timeout=GUARD_SECONDS))
            head = f"POST /api/v1/api-keys HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1000\r\n"
            sender.sendall((head if number % 2 else head + "\r\n{").encode())
        for _ in range(5):
            assert target.is_served()


def test_a_body_that_is_deep_is_a_bad_request_and_not_a_failure(target: Target) -> None:
    answer = requests.post(
        f"{target.url}/api/v1/api-keys", b"[" * 100_000, headers=target.headers, timeout=GUARD_SECONDS
    )
    assert answer.status_code in (400, 403)
    assert json.loads(answer.text)["error"]["code"] in ("BAD_REQUEST", "FORBIDDEN")
