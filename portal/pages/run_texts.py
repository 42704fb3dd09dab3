"""Full texts of a run, linked to where a page shows their beginning."""

from flask import Response

from portal.auth.access import get_workflow
from portal.auth.gate import current_principal
from portal.errors import NotFound
from portal.pages import bp, conditional_get
from portal.pages.forms import id_in_path
from portal.runs.detail.run import find_run
from portal.runs.results.full_texts import read_full_text


@bp.get("/workflows/<workflow_id>/runs/<run_id>/texts/<path:name>")
def run_text(workflow_id: str, run_id: str, name: str) -> Response:
    """As plain text or JSON, which no browser renders as a page."""
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    its_workflow, found_id = find_run(current_principal(), id_in_path(run_id))
    if its_workflow != workflow.id:
        raise NotFound("There is no such run here.")
    conditional_get.answer_304_if_unchanged(workflow)
    whole = read_full_text(found_id, name)
    return Response(whole.content, content_type=f"{whole.media_type}; charset=utf-8")
