"""Uploads: announced, confirmed for a workflow, listed, deleted (contract 3.13).

`sent_files` takes their bytes.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import Count, DeletedJson, SignedUrl, deleted, one, uncounted_list
from portal.api.operations import PAGING, operation
from portal.api.request_values import body_and_ids, id_in_path, json_body
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.config import current_settings
from portal.input.parameters import single
from portal.storage.signed_links import Grant, sign, sign_upload
from portal.workflows.uploads import lifecycle
from portal.workflows.uploads.bodies import Confirmation, UploadSpec
from portal.workflows.uploads.listing import UploadsQuery, list_uploads
from portal.workflows.uploads.rows import UploadRow


class UploadJson(TypedDict):
    """A file that was given to a workflow, or will be."""

    id: UUID
    user_id: UUID
    workspace_id: UUID | None
    filename: str
    category: str
    content_type: str
    format: str | None
    size_bytes: Count | None
    char_count: Count | None
    line_count: Count | None
    detected_language: str | None
    status: Annotated[str, Field(description="`pending` until it is confirmed, then `uploaded`.")]
    download_url: SignedUrl
    context_type: str | None
    context_id: str | None
    created_at: datetime
    updated_at: datetime


class NewUploadJson(TypedDict):
    """An upload whose file is still to be sent."""

    upload: UploadJson
    upload_url: Annotated[
        str, Field(description="PUT the file there within 15 minutes, without a credential; at most 10 MB.")
    ]


@bp.get("/workflows/<workflow_id>/uploads")
@requires("workflows:read")
@operation(
    tag="Workflows",
    summary="List the uploads of a workflow",
    answer=UploadJson,
    shape="uncounted",
    query=PAGING,
    description="Those confirmed for it, and those that its script nodes name.",
)
def uploads(workflow_id: str) -> Response:
    query = UploadsQuery.parse(single(request.args), workflow_id=workflow_id)
    workflow = get_workflow(current_principal(), query.workflow_id)
    page = list_uploads(workflow, query)
    return uncounted_list(page, _row, lambda s: {"offset": str(s.offset), "limit": str(s.limit)})


@bp.post("/uploads")
@requires("uploads:write")
@operation(
    tag="Uploads",
    summary="Announce a file",
    answer=NewUploadJson,
    status=201,
    body=UploadSpec,
    refusals=(402, 409),
    description="Then PUT its bytes to upload_url, and confirm it within a day.",
)
def create_upload() -> Response:
    spec, now = UploadSpec.read(json_body()), moments.now()
    upload = lifecycle.create_upload(current_principal(), spec, _storage_limit(), now)
    answer: NewUploadJson = {"upload": _row(upload), "upload_url": sign_upload(upload.id, now).url}
    return one(answer, status=201)


@bp.post("/uploads/<upload_id>")
@requires("uploads:write")
@operation(
    tag="Uploads",
    summary="Confirm an upload for a workflow",
    answer=UploadJson,
    body=Confirmation,
    refusals=(402, 409),
    description="One that is confirmed already is answered as it is.",
)
def confirm_upload(upload_id: str) -> Response:
    confirmation, [found_id] = body_and_ids(Confirmation, upload_id=upload_id)
    confirmed = lifecycle.confirm(
        current_principal(), found_id, confirmation, _storage_limit(), moments.now()
    )
    return one(_row(confirmed))


@bp.delete("/uploads/<upload_id>")
@requires("uploads:write")
@operation(
    tag="Uploads",
    summary="Delete an upload",
    answer=DeletedJson,
    description="One's own, in any state, with its file.",
)
def delete_upload(upload_id: str) -> Response:
    found_id = id_in_path("upload_id", upload_id)
    lifecycle.delete_upload(current_principal(), found_id)
    return deleted(found_id)


def _storage_limit() -> int:
    limit: int = current_settings().storage_bytes_per_workspace
    return limit


def _row(upload: UploadRow) -> UploadJson:
    link = sign(Grant("upload", upload.workspace_id, upload.id), moments.now()) if upload.is_stored else None
    return {
        "id": upload.id,
        "user_id": upload.user_id,
        "filename": upload.filename,
        "category": upload.category,
        "content_type": upload.content_type,
        "format": upload.format,
        "size_bytes": upload.size_bytes,
        "char_count": upload.char_count,
        "line_count": upload.line_count,
        "detected_language": upload.detected_language,
        "created_at": upload.created_at,
        "updated_at": upload.updated_at,
        "workspace_id": upload.workspace_id,
        "status": upload.status,
        "download_url": link.url if link else None,
        "context_type": "workflow" if upload.workflow_id else None,
        "context_id": str(upload.workflow_id) if upload.workflow_id else None,
    }
