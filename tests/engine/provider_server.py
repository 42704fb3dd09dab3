"""A provider of the tests' own, over real HTTP: it answers as a test says, and keeps what it was asked."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import soundfile

from portal.engine.environment import ProviderSettings

KEY = "sk-very-secret-key"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[BaseHTTPRequestHandler], None]


def reply(status: int, body: bytes, **headers: str) -> Answer:
    """A complete answer; `Retry_After` is the header Retry-After."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def reply_json(content: object, status: int = 200, **headers: str) -> Answer:
    return reply(status, json.dumps(content).encode(), Content_Type="application/json", **headers)


def reply_raw(text: bytes) -> Answer:
    """These bytes on the connection, which then ends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.write(text)

    return answer


def reply_endlessly(handler: BaseHTTPRequestHandler) -> None:
    """An answer of zeros that ends when the client has gone."""
    handler.send_response(200)
    handler.send_header("Content-Type", "audio/wav")
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(65_536))


def audio(seconds: float = 1.0, rate: int = 8_000, kind: str = "WAV", level: float = 0.5) -> bytes:
    """A tone in a file."""
    times = np.arange(int(seconds * rate)) / rate
    file = io.BytesIO()
    soundfile.write(file, level * np.sin(2 * np.pi * 440 * times), rate, format=kind)
    return file.getvalue()


def message(content: object) -> Answer:
    """What a chat model writes."""
    return reply_json({"choices": [{"message": {"role": "assistant", "content": content}}]})


def in_turn(*answers: Answer) -> Answer:
    """Each of these answers once."""
    rest = iter(answers)
    return lambda handler: next(rest)(handler)


@dataclass
class ProviderServer:
    """`answer` may be changed at any time; None lets the client wait until it hangs up."""

    url: str = ""
    answer: Answer | None = None
    asked: list[Asked] = field(default_factory=list)
    was_asked: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set when a client ends the connection before it has an answer."""

    def settings(self, key: str | None = KEY) -> ProviderSettings:
        return ProviderSettings(
            url=self.url, key=key, speech_model="speaks", transcription_model="listens", chat_model="writes"
        )

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.asked.append(Asked(handler.command, handler.path, headers, body))
        self.was_asked.set()
        try:
            if self.answer is not None:
                return self.answer(handler)
            handler.connection.recv(1)
        except OSError:
            pass
        handler.close_connection = True
        self.hung_up.set()
        return None


@contextmanager
def provider_server() -> Iterator[ProviderServer]:
    found = ProviderServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found.handle(self)

        def do_POST(self) -> None:
            found.handle(self)

        def finish(self) -> None:
            with suppress(OSError):
                super().finish()

        def log_message(self, format: str, *args: Any) -> None:
            """Keep silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
        serving.start()
        try:
            yield found
        finally:
            server.shutdown()
            serving.join()
