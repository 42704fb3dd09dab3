"""Files that people send for their uploads, to signed addresses and to nothing else."""

from typing import IO, BinaryIO, cast

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from portal import moments
from portal.auth.gate import opened_by_signature
from portal.input.parameters import single
from portal.storage.signed_links import UPLOAD_PATH, verify_upload
from portal.workflows.uploads import lifecycle
from portal.workflows.uploads.formats import MAX_BYTES

bp = Blueprint("sent_files", __name__)


class _Bounded:
    """A body that is refused as soon as more has been read of it than a file may have."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, MAX_BYTES

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise RequestEntityTooLarge
        return chunk


@bp.put(UPLOAD_PATH)
@opened_by_signature
def send(upload_id: str) -> Response:
    found_id = verify_upload(upload_id, single(request.args), moments.now())
    if (request.content_length or 0) > MAX_BYTES:
        raise RequestEntityTooLarge
    request.max_content_length = MAX_BYTES + 1  # Werkzeug refuses a chunked body that reaches its limit
    limit = current_app.extensions["portal.settings"].storage_bytes_per_workspace
    lifecycle.receive(found_id, cast(BinaryIO, _Bounded(request.stream)), limit)
    return Response(status=204)
