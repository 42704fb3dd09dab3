"""Files that people send for their uploads, to signed addresses and to nothing else."""

from typing import BinaryIO, cast

from flask import Blueprint, Response, request

from portal import moments
from portal.api.streamed_body import StreamedBody
from portal.auth.gate import opened_by_signature
from portal.config import current_settings
from portal.input.parameters import single
from portal.storage.signed_links import UPLOAD_PATH, verify_upload
from portal.workflows.uploads import lifecycle
from portal.workflows.uploads.formats import MAX_BYTES

bp = Blueprint("sent_files", __name__)


@bp.put(UPLOAD_PATH)
@opened_by_signature
def send(upload_id: str) -> Response:
    body = StreamedBody(MAX_BYTES)
    with body.discarded_if_refused():
        found_id = verify_upload(upload_id, single(request.args), moments.now())
        limit = current_settings().storage_bytes_per_workspace
        lifecycle.receive(found_id, cast(BinaryIO, body), limit)
    return Response(status=204)
