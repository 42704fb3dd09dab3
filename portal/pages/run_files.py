"""Audio and downloads of a run: each address redirects to a link that is signed for this request.

So a page that stays open, or comes from the browser's cache, never holds an expired link.
"""

from flask import redirect
from werkzeug.wrappers import Response as BaseResponse

from portal import moments
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal
from portal.auth.origin import within_portal
from portal.pages import bp
from portal.pages.forms import id_in_path
from portal.runs.detail.run import get_run, get_run_status
from portal.runs.results.downloads import archive_name, find_audio
from portal.storage.signed_links import Grant, sign


@bp.get("/workflows/<workflow_id>/runs/<run_id>/download")
def download_run(workflow_id: str, run_id: str) -> BaseResponse:
    return _archive(workflow_id, run_id)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/nodes/<path:node_id>/download")
def download_node(workflow_id: str, run_id: str, node_id: str) -> BaseResponse:
    return _archive(workflow_id, run_id, node_id)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/audio/<audio_id>")
def audio(workflow_id: str, run_id: str, audio_id: str) -> BaseResponse:
    """A take's audio, whatever became of the run."""
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    found = get_run_status(workflow, id_in_path(run_id))
    find_audio(workflow.workspace_id, found.id, audio_id)
    return to_file(Grant("audio", workflow.workspace_id, found.id, audio_id))


def _archive(workflow_id: str, run_id: str, node_id: str | None = None) -> BaseResponse:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    found = get_run(workflow, id_in_path(run_id))
    archive_name(workflow, found, node_id)
    kind = "run" if node_id is None else "node"
    return to_file(Grant(kind, workflow.workspace_id, found.id, node_id or ""))


def to_file(grant: Grant) -> BaseResponse:
    """Redirect to a link that is signed now."""
    link = sign(grant, moments.now())
    answer = redirect(within_portal(link.path), code=302)
    answer.headers["Cache-Control"] = "no-store"
    return answer
