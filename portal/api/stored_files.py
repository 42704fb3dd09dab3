"""Stored files over HTTP, opened by signed links and by nothing else."""

from functools import partial
from urllib.parse import quote

from flask import Blueprint, Response, request

from portal import moments
from portal.auth.gate import public
from portal.input.parameters import single
from portal.runs.results.downloads import StoredFile, archive_of, find_audio, find_upload, read_entry
from portal.storage import artifact_store, read_exactly
from portal.storage.archives import stream_zip
from portal.storage.signed_links import PATH, Grant, verify

bp = Blueprint("files", __name__)


@bp.get(PATH)
@public
def fetch(**path: str) -> Response:
    grant = verify(path, single(request.args), moments.now())
    if grant.kind == "audio":
        return _file(find_audio(grant.workspace_id, grant.subject_id, grant.part), "inline")
    if grant.kind == "upload":
        return _file(find_upload(grant.workspace_id, grant.subject_id), "attachment")
    return _archive(grant)


def _archive(grant: Grant) -> Response:
    node_id = grant.part if grant.kind == "node" else None
    archive = archive_of(grant.workspace_id, grant.subject_id, node_id)
    pieces = stream_zip(archive.entries, partial(read_entry, artifact_store()), archive.made_at)
    answer = Response(pieces, mimetype="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="run-{grant.subject_id}.zip"'
    return answer


def _file(file: StoredFile, disposition: str) -> Response:
    """The file, or the stretch of it that a player asks for."""
    wanted = request.range if _same_as_before(file) else None
    if wanted is not None and (wanted.units != "bytes" or len(wanted.ranges) != 1):
        wanted = None  # what cannot be given in parts is given whole
    stretch = wanted.range_for_length(file.size) if wanted else None
    if wanted and stretch is None:
        return Response(status=416, headers={"Content-Range": f"bytes */{file.size}"})
    first, end = stretch or (0, file.size)
    answer = Response(read_exactly(artifact_store(), file.key, first, end - first), 206 if stretch else 200)
    answer.headers["Content-Type"] = file.content_type
    answer.headers["Content-Length"] = str(end - first)
    answer.headers["Accept-Ranges"] = "bytes"
    answer.headers["Content-Disposition"] = f"{disposition}; filename*=UTF-8''{quote(file.name, safe='')}"
    answer.set_etag(file.sha256.hex())
    if stretch:
        answer.headers["Content-Range"] = f"bytes {first}-{end - 1}/{file.size}"
    return answer


def _same_as_before(file: StoredFile) -> bool:
    """Whether the rest of what a player has is wanted, or, since it is another file now, the whole."""
    return "If-Range" not in request.headers or request.if_range.etag == file.sha256.hex()
