"""A proxy that does to requests, by a seeded chance, what networks and servers do to them."""

import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

FAULTS = ("drop", "lose", "cut", "garbage", "500", "503", "429", "redirect")
"""Lost on the way there, on the way back or in the middle; answers that are wrong in some way."""
TEMPORARY = FAULTS[:-1]


class BadNetwork:
    """Forwards to a portal. `share` of the requests meet with one of `faults`."""

    def __init__(self, target: str, *, seed: int = 2026, share: float = 0.0) -> None:
        self.share, self.faults = share, TEMPORARY
        self.met: Counter[str] = Counter()
        """How often each fault was met with."""
        self.paths: list[str] = []
        """What was asked for."""
        self.before: Callable[[str], object] = lambda _path: None
        """Called before a request is forwarded."""
        self.change: Callable[[Any], None] = lambda _answer: None
        """Changes the JSON of an answer."""
        self.headers = {"Retry-After": "1"}
        """Of answers that say that something is wrong."""
        self._target, self._chance = urlsplit(target).netloc, random.Random(seed)
        self._asked = threading.Condition()
        self.url = ""

    def wait_for(self, more: int, seconds: float) -> None:
        """Wait until so many more requests have come, or for so long."""
        with self._asked:
            goal = len(self.paths) + more
            self._asked.wait_for(lambda: len(self.paths) >= goal, seconds)

    def fate_of(self, path: str) -> str | None:
        with self._asked:
            self.paths.append(path)
            self._asked.notify_all()
            fate = self._chance.choice(self.faults) if self._chance.random() < self.share else None
            self.met.update([fate] if fate else [])
        return fate

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self._target, timeout=60)
        try:
            connection.request("GET", path, headers=headers | {"Host": self._target})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    network: BadNetwork
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with suppress(ConnectionError):  # the client was killed
            self._forward(self.network.fate_of(self.path))

    def _forward(self, fate: str | None) -> None:
        if fate == "drop":
            self.close_connection = True
            return
        if fate in ("500", "503", "429", "garbage", "redirect"):
            self._refuse(fate)
            return
        self.network.before(self.path)
        status, headers, body = self.network.answer(self.path, dict(self.headers))
        if fate == "lose":
            self.close_connection = True
            return
        answer = json.loads(body)
        self.network.change(answer)
        body = json.dumps(answer).encode()
        self._send(status, headers, body, cut=fate == "cut")

    def _refuse(self, fate: str) -> None:
        if fate == "garbage":
            self._send(200, {"Content-Type": "text/html"}, b"<title>Back soon</title>")
        elif fate == "redirect":
            self._send(302, {"Location": "https://elsewhere.example/api"}, b"")
        else:
            self._send(int(fate), self.network.headers, b'{"error": {"code": "BUSY", "message": "Later"}}')

    def _send(self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def bad_network(target: str, **options: Any) -> Iterator[BadNetwork]:
    """Serve a proxy in front of a portal."""
    network = BadNetwork(target, **options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"network": network}))
    server.daemon_threads = True
    network.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield network
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
