"""Downloads of the files uploaded to a workflow."""

from werkzeug.wrappers import Response as BaseResponse

from portal.auth.access import get_workflow
from portal.auth.gate import current_principal
from portal.pages import bp
from portal.pages.forms import id_in_path
from portal.pages.run_files import to_file
from portal.runs.results.downloads import find_upload
from portal.storage.signed_links import Grant
from portal.workflows.uploads.listing import check_stored


@bp.get("/workflows/<workflow_id>/uploads/<upload_id>")
def upload(workflow_id: str, upload_id: str) -> BaseResponse:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    subject = id_in_path(upload_id)
    check_stored(workflow, subject)
    find_upload(workflow.workspace_id, subject)
    return to_file(Grant("upload", workflow.workspace_id, subject))
