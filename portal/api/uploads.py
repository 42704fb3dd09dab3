"""Uploads of a workflow (contract 3.13)."""

from typing import Any

from flask import Response, request

from portal import moments
from portal.api import bp
from portal.api.answers import fields, uncounted_list
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.input.parameters import single
from portal.storage.signed_links import Grant, sign
from portal.workflows.uploads import UploadRow, UploadsQuery, list_uploads

FIELDS = (
    "id",
    "user_id",
    "filename",
    "category",
    "content_type",
    "format",
    "size_bytes",
    "char_count",
    "line_count",
    "detected_language",
    "created_at",
    "updated_at",
)


@bp.get("/workflows/<workflow_id>/uploads")
@requires("workflows:read")
def uploads(workflow_id: str) -> Response:
    query = UploadsQuery.parse(single(request.args), workflow_id=workflow_id)
    workflow = get_workflow(current_principal(), query.workflow_id)

    def row(upload: UploadRow) -> dict[str, Any]:
        link = sign(Grant("upload", workflow.workspace_id, upload.id), moments.now())
        return fields(upload, FIELDS) | {
            "workspace_id": str(workflow.workspace_id),
            "status": "uploaded",
            "download_url": link.url if upload.artifact_id else None,
            "context_type": "workflow",
            "context_id": str(workflow.id),
        }

    paging = list_uploads(workflow, query)
    return uncounted_list(paging, row, lambda s: {"offset": str(s.offset), "limit": str(s.limit)})
