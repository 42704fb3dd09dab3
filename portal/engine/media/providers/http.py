"""One request over HTTP: bounded in time and bytes, and ended at once when nobody wants its answer any more.

The request runs in a thread, because only another one can watch it in every phase: while it connects, sends,
waits and reads.
"""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

CONNECT_SECONDS = 5
_LOOK_EVERY = 0.2
"""Seconds between two questions whether the answer is still wanted."""
_PART = 65_536


class NoAnswer(Exception):
    """There is no answer that can be used; the message says why, as the end of a sentence."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """By name in any case."""
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str]
    json: Any = None
    form: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes, str]] | None = None
    """Parts of a form: file name, content and content type."""
    max_bytes: int
    """How long the body of the answer may be."""


def ask(outgoing: Request, seconds: float, check: Callable[[], None]) -> Answer:
    """The answer to a request, whatever its status; redirects are answers too.

    `check` is called a few times a second, and what it raises ends the request. The settings of the process
    for proxies and passwords do not count. Raises NoAnswer, also if the answer is not complete in time.
    """
    check()
    exchange = _Exchange(outgoing)
    exchange.start()
    deadline = time.monotonic() + seconds
    try:
        while not exchange.done.wait(_LOOK_EVERY):
            check()
            if time.monotonic() > deadline:
                raise NoAnswer(f"gave no complete answer within {seconds:g} seconds")
    finally:
        exchange.end()
    return exchange.result()


class _Exchange(threading.Thread):
    """A request under way. Its connection can be ended from outside."""

    def __init__(self, outgoing: Request) -> None:
        super().__init__(name="provider", daemon=True)
        self.done = threading.Event()
        self._outgoing = outgoing
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._ended = False
        self._answer: Answer | None = None
        self._failure: Exception | None = None

    def run(self) -> None:
        try:
            self._answer = self._ask()
        except Exception as error:  # noqa: BLE001  (raised again in the thread that waits)
            self._failure = error
        finally:
            self.done.set()

    def connected(self, connection: socket.socket) -> None:
        """Called with each new connection, before anything is sent."""
        with self._lock:
            self._socket = connection
            if self._ended:
                _shut(connection)

    def end(self) -> None:
        """Close the connection, if it is still open."""
        with self._lock:
            self._ended = True
            if self._socket is not None:
                _shut(self._socket)

    def result(self) -> Answer:
        """What came of it. Raises NoAnswer."""
        if self._answer is not None:
            return self._answer
        match self._failure:
            case requests.ConnectTimeout():
                raise NoAnswer(f"did not accept a connection within {CONNECT_SECONDS} seconds") from None
            case requests.exceptions.SSLError() if self._socket is None:
                raise NoAnswer("has no certificate that this machine trusts") from None
            case requests.ConnectionError() if self._socket is None:
                raise NoAnswer("cannot be reached") from None
            case requests.RequestException() | OSError():
                raise NoAnswer("broke off the connection, or does not speak HTTP") from None
            case failure:
                raise failure or RuntimeError("a request ended without an answer")

    def _ask(self) -> Answer:
        outgoing = self._outgoing
        with requests.Session() as session:
            session.trust_env = False
            session.mount("http://", _Adapter())
            session.mount("https://", _Adapter())
            with session.request(
                outgoing.method,
                outgoing.url,
                headers={"Accept-Encoding": "identity", **outgoing.headers},
                json=outgoing.json,
                data=outgoing.form,
                files=outgoing.files,
                timeout=(CONNECT_SECONDS, None),
                allow_redirects=False,
                stream=True,
            ) as answer:
                return Answer(answer.status_code, answer.headers, self._body(answer))

    def _body(self, answer: requests.Response) -> bytes:
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise NoAnswer("compressed its answer, which it was asked not to do")
        body = bytearray()
        try:
            for part in answer.raw.stream(_PART, decode_content=False):
                body += part
                if len(body) > self._outgoing.max_bytes:
                    raise NoAnswer(f"answered with more than {self._outgoing.max_bytes:,} bytes")
        except HTTPError as error:
            raise requests.ConnectionError(str(error)) from None
        return bytes(body)


def _shut(connection: socket.socket) -> None:
    """End a connection in both directions, also under TLS: who reads from it or writes to it wakes up."""
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _report(connection: socket.socket | None) -> None:
    """Hand a new connection to the exchange whose thread this is; from now on only that limits its time."""
    exchange = threading.current_thread()
    if isinstance(exchange, _Exchange) and connection is not None:
        connection.settimeout(None)
        exchange.connected(connection)


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _report(self.sock)


class _SecureConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _report(self.sock)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    """Makes connections that can be ended from another thread."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
