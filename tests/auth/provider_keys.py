"""A provider's signing keys at a real address, which can be down, slow or wrong; and signed tokens."""

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jws
from joserfc.jwk import RSAKey

ISSUER = "https://clerk.acme.example"
PARTY = "https://portal.acme.example"


def rsa_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


def key_set(*keys: RSAKey) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def claims(now: float | None = None, **changes: Any) -> dict[str, Any]:
    """What a good token says, with changes; a claim that is changed to `...` is left out."""
    at = int(time.time() if now is None else now)
    good = {"iss": ISSUER, "sub": "user_2x", "azp": PARTY, "iat": at, "nbf": at, "exp": at + 60, "sid": "s"}
    return {name: value for name, value in (good | changes).items() if value is not ...}


def header(**changes: Any) -> dict[str, Any]:
    good = {"alg": "RS256", "kid": "a", "typ": "JWT", "cat": "cl_B7d4PD111AAA"}
    return {name: value for name, value in (good | changes).items() if value is not ...}


def sign(key: Any, payload: dict[str, Any] | bytes, head: dict[str, Any] | None = None) -> str:
    """A token, signed as its header says."""
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    algorithms = list(jws.JWSRegistry.algorithms)
    registry = jws.JWSRegistry(algorithms=algorithms, strict_check_header=False)
    registry.max_header_length = 100_000
    return jws.serialize_compact(head or header(), text, key, registry=registry)


def sign_raw(key: RSAKey, head: bytes, payload: bytes) -> str:
    """A token with exactly these bytes, signed with RS256."""
    signed = f"{segment(head)}.{segment(payload)}"
    signature = jws.JWSRegistry.algorithms["RS256"].sign(signed.encode(), key)
    return f"{signed}.{segment(signature)}"


def segment(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@dataclass
class KeyServer:
    """What answers at the provider's address for keys, and how often it was asked."""

    url: str
    answer: Callable[[BaseHTTPRequestHandler], None] = lambda _: None
    asked: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def serve(self, body: bytes, status: int = 200, **headers: str) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(body)

        self.answer = answer


@contextmanager
def key_server() -> Iterator[KeyServer]:
    """A server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            with contextlib.suppress(OSError):  # whoever asked has gone away
                served.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = KeyServer(f"http://127.0.0.1:{server.server_port}/jwks")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
