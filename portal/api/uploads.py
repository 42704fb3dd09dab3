"""Uploads of a workflow (contract 3.13)."""

from datetime import datetime
from uuid import UUID

from flask import Response, request
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import Count, SignedUrl, uncounted_list
from portal.api.operations import PAGING, operation
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.input.parameters import single
from portal.storage.signed_links import Grant, sign
from portal.workflows.uploads import UploadRow, UploadsQuery, list_uploads


class UploadJson(TypedDict):
    """A file that was given to a workflow."""

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
    status: str
    download_url: SignedUrl
    context_type: str | None
    context_id: str | None
    created_at: datetime
    updated_at: datetime


@bp.get("/workflows/<workflow_id>/uploads")
@requires("workflows:read")
@operation(
    tag="Workflows",
    summary="List the uploads of a workflow",
    answer=UploadJson,
    shape="uncounted",
    query=PAGING,
)
def uploads(workflow_id: str) -> Response:
    query = UploadsQuery.parse(single(request.args), workflow_id=workflow_id)
    workflow = get_workflow(current_principal(), query.workflow_id)

    def row(upload: UploadRow) -> UploadJson:
        link = sign(Grant("upload", workflow.workspace_id, upload.id), moments.now())
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
            "workspace_id": workflow.workspace_id,
            "status": "uploaded",
            "download_url": link.url if upload.artifact_id else None,
            "context_type": "workflow",
            "context_id": str(workflow.id),
        }

    page = list_uploads(workflow, query)
    return uncounted_list(page, row, lambda s: {"offset": str(s.offset), "limit": str(s.limit)})
