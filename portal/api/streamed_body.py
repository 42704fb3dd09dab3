"""The body of a request read piece by piece, where it may be larger than those of other requests."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

_CHUNK_BYTES = 256 * 1024
_NO_LIMIT = 2**62
"""For Werkzeug, which ends a body of unknown length at its limit as if it were whole."""


class StreamedBody:
    """The body of the request, counted: too much of it is refused, and so is one that ends early.

    gunicorn ends a body early without saying so when the client goes away.
    """

    def __init__(self, max_bytes: int) -> None:
        request.max_content_length = _NO_LIMIT
        self._stream, self._length, self._read = request.stream, request.content_length, 0
        self._max_bytes = max_bytes
        self.is_at_end = False

    def read(self, size: int) -> bytes:
        if max(self._read, self._length or 0) > self._max_bytes:
            raise RequestEntityTooLarge
        chunk = self._stream.read(size)
        self._read += len(chunk)
        if self._read > self._max_bytes:
            raise RequestEntityTooLarge
        self.is_at_end = not chunk
        if self.is_at_end and self._length not in (None, self._read):
            raise ClientDisconnected
        return chunk

    def pieces(self, size: int) -> Iterator[bytes]:
        while piece := self.read(size):
            yield piece

    @contextmanager
    def discarded_if_refused(self) -> Iterator[None]:
        """Read on if the block raises, up to twice what is allowed: some clients see no answer before."""
        try:
            yield
        except Exception:
            while not self.is_at_end and self._read <= 2 * self._max_bytes:
                chunk = self._stream.read(_CHUNK_BYTES)
                self.is_at_end = not chunk
                self._read += len(chunk)
            raise
