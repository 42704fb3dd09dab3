"""A server in the place of the portal: it notes what comes, and answers as a test says."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Line = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """A request."""

    path: str
    headers: dict[str, str]
    lines: list[Line]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Instead of all that: bytes that are no HTTP, after which the connection ends."""


class Recorder:
    """What a server got, and how it answers: by default it takes every line."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Sent] = []
        self.answer: Callable[[Sent], Answer] = lambda sent: Answer()
        self.changed = threading.Condition()
        self.let_go = threading.Event()
        """Set as long as requests are answered; clear while they hang."""
        self.let_go.set()

    @property
    def lines(self) -> list[Line]:
        return [line for sent in self.requests for line in sent.lines]

    @property
    def ends(self) -> list[Line]:
        return [line for line in self.lines if line["status"] != "running"]

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Wait until a request has come that makes this true."""
        with self.changed:
            assert self.changed.wait_for(holds, timeout=60)

    def take(self, sent: Sent) -> Answer:
        with self.changed:
            self.requests.append(sent)
            self.changed.notify_all()
        self.let_go.wait(timeout=60)
        return self.answer(sent)


@contextmanager
def recording() -> Iterator[Recorder]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = False
    recorder = Recorder(f"http://127.0.0.1:{server.server_port}")
    server.recorder = recorder  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        recorder.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        recorder: Recorder = self.server.recorder  # type: ignore[attr-defined]
        size = int(self.headers["Content-Length"])
        body = self.rfile.read(size)
        if len(body) < size:  # whoever sent it has ended
            self.close_connection = True
            return
        sent = Sent(self.path, dict(self.headers), json.loads(body)["lines"])
        answer = recorder.take(sent)
        try:
            self._send(answer, len(sent.lines))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _send(self, answer: Answer, count: int) -> None:
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            self.close_connection = True
            return
        accepted = json.dumps({"data": {"accepted": count, "unchanged": 0, "refused": []}}).encode()
        content = accepted if answer.body is None else answer.body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass
