"""Files that people send for their uploads, to signed addresses and to nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from flask import Blueprint, Response, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from portal import moments
from portal.auth.gate import opened_by_signature
from portal.config import current_settings
from portal.input.parameters import single
from portal.storage.signed_links import UPLOAD_PATH, verify_upload
from portal.workflows.uploads import lifecycle
from portal.workflows.uploads.formats import MAX_BYTES

bp = Blueprint("sent_files", __name__)

MAX_DISCARDED = 2 * MAX_BYTES
"""Bytes of a refused body that are read: some clients see no answer before they have sent it."""
_CHUNK_BYTES = 256 * 1024
_NO_LIMIT = 2**62
"""For Werkzeug, which ends a body of unknown length at its limit as if it were whole."""


class _Body:
    """The body of the request, counted: too much of it is refused, and so is one that ends early.

    gunicorn ends a body early without saying so when the client goes away.
    """

    def __init__(self) -> None:
        request.max_content_length = _NO_LIMIT
        self._stream, self._length, self._read = request.stream, request.content_length, 0
        self.is_at_end = False

    def read(self, size: int) -> bytes:
        if max(self._read, self._length or 0) > MAX_BYTES:
            raise RequestEntityTooLarge
        chunk = self._stream.read(size)
        self._read += len(chunk)
        if self._read > MAX_BYTES:
            raise RequestEntityTooLarge
        self.is_at_end = not chunk
        if self.is_at_end and self._length not in (None, self._read):
            raise ClientDisconnected
        return chunk

    @contextmanager
    def discarded_if_refused(self) -> Iterator[None]:
        """Read on if the block raises, within bounds."""
        try:
            yield
        except Exception:
            while not self.is_at_end and self._read <= MAX_DISCARDED:
                chunk = self._stream.read(_CHUNK_BYTES)
                self.is_at_end = not chunk
                self._read += len(chunk)
            raise


@bp.put(UPLOAD_PATH)
@opened_by_signature
def send(upload_id: str) -> Response:
    body = _Body()
    with body.discarded_if_refused():
        found_id = verify_upload(upload_id, single(request.args), moments.now())
        limit = current_settings().storage_bytes_per_workspace
        lifecycle.receive(found_id, cast(BinaryIO, body), limit)
    return Response(status=204)
