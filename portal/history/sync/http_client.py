"""The HTTP client below the SDK: it bounds answers, follows no redirects, and waits if it is told to."""

import time
from collections.abc import Iterator

import httpx

from portal.errors import SourceFailed

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer: those of the longest line of history."""
MAX_SECONDS = 120.0
"""How long an answer may take from its first byte to its last."""
MAX_WAIT = 60
"""Seconds that a server may ask to wait within a pass: what the SDK obeys; longer waits end the pass."""
_TIMEOUT = httpx.Timeout(30, connect=10)
BUSY = (429, 503)


class Requests:
    """Counts requests, and refuses answers that a mirror does not accept."""

    def __init__(self) -> None:
        self.number = 0

    def sent(self, _request: httpx.Request) -> None:
        self.number += 1

    def answered(self, response: httpx.Response) -> None:
        """Look at the head of an answer. Raises SourceFailed."""
        host = response.url.netloc.decode()
        if response.has_redirect_location:
            target = response.headers["location"][:200]
            raise SourceFailed(f"{host} redirects to {target!r}, which is not followed: correct the URL.")
        wait = whole_seconds(response.headers.get("retry-after", "")) or 0
        if response.status_code in BUSY and wait > MAX_WAIT:
            raise SourceFailed(f"{host} asks to wait {wait} s.", retry_after=wait)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise SourceFailed(f"{host} compresses its answer, which was not asked for.")
        response.stream = _Bounded(response.stream)


def whole_seconds(text: str) -> int | None:
    """The seconds of a `Retry-After`, unless it is a date."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


class _Bounded(httpx.SyncByteStream):
    """The bytes of an answer, as long as they are neither too many nor too slow."""

    def __init__(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> None:
        assert isinstance(stream, httpx.SyncByteStream)  # noqa: S101  (that of a client that is not async)
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        size, end = 0, time.monotonic() + MAX_SECONDS
        for piece in self._stream:
            size += len(piece)
            if size > MAX_ANSWER:
                raise SourceFailed(f"An answer is longer than {MAX_ANSWER:,} bytes.", about_one=True)
            if time.monotonic() > end:
                raise httpx.ReadTimeout(f"an answer took more than {MAX_SECONDS:.0f} s")
            yield piece

    def close(self) -> None:
        self._stream.close()


def open_client(requests: Requests) -> httpx.Client:
    return httpx.Client(
        timeout=_TIMEOUT,
        follow_redirects=False,
        headers={"Accept-Encoding": "identity"},  # so that the bytes on the wire bound those in memory
        event_hooks={"request": [requests.sent], "response": [requests.answered]},
    )
