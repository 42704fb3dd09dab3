"""Get Run for browsers: the address of a run's page with `.json`, opened by the browser's session."""

from flask import Blueprint, Response

from portal.api import run
from portal.errors import InvalidQuery, NotFound

bp = Blueprint("raw", __name__)


@bp.get("/workflows/<workflow_id>/runs/<run_id>.json")
def run_json(workflow_id: str, run_id: str) -> Response:
    """The answer of Get Run; as for any page, a malformed id is 404 and not 422."""
    try:
        answer = run.run(workflow_id, run_id)
    except InvalidQuery:
        raise NotFound from None
    answer.cache_control.no_store = True
    return answer
