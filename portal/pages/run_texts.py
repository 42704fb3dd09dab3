"""Whole texts of a run, for who follows the link behind a beginning."""

from flask import Response

from portal.auth.access import get_workflow
from portal.auth.gate import current_principal
from portal.errors import NotFound
from portal.pages import bp, freshness
from portal.pages.forms import id_in_path
from portal.runs.detail.run import find_run
from portal.runs.results.full_texts import read_full_text


@bp.get("/workflows/<workflow_id>/runs/<run_id>/texts/<path:name>")
def run_text(workflow_id: str, run_id: str, name: str) -> Response:
    """As text or JSON that a browser shows and never takes for a page."""
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    its_workflow, found_id = find_run(current_principal(), id_in_path(run_id))
    if its_workflow != workflow.id:
        raise NotFound("There is no such run here.")
    freshness.stop_if_known(workflow)
    text = read_full_text(found_id, name)
    return Response(text.content, content_type=f"{text.media_type}; charset=utf-8")
