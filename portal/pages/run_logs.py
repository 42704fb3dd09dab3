"""The whole log of a step, as a text file; the page of its run shows parts of it."""

from flask import Response

from portal.auth.access import get_workflow
from portal.auth.gate import current_principal
from portal.errors import NotFound
from portal.input import parameters
from portal.pages import bp
from portal.pages.forms import id_in_path
from portal.runs.detail.run import find_run
from portal.runs.detail.step_log import read_whole_log
from portal.runs.detail.step_table import step_position


@bp.get("/workflows/<workflow_id>/runs/<run_id>/steps/<position>/log.txt")
def step_log(workflow_id: str, run_id: str, position: str) -> Response:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    its_workflow, found_id = find_run(current_principal(), id_in_path(run_id))
    if its_workflow != workflow.id:
        raise NotFound("There is no such run here.")
    try:
        number = step_position(position)
    except parameters.Refused:
        raise NotFound("This run has no such step.") from None
    answer = Response(read_whole_log(found_id, number), content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="step-{number}-log.txt"'
    answer.cache_control.no_store = True
    return answer
