"""What the API answers about a run, for who is signed in to the pages: the page's address with `.json`."""

from flask import Blueprint, Response

from portal.api import run
from portal.errors import InvalidQuery, NotFound

bp = Blueprint("raw", __name__)


@bp.get("/workflows/<workflow_id>/runs/<run_id>.json")
def run_json(workflow_id: str, run_id: str) -> Response:
    """The answer of Get Run to a browser; like any page, it is not there under a garbled id."""
    try:
        answer = run.run(workflow_id, run_id)
    except InvalidQuery:
        raise NotFound from None
    answer.cache_control.no_store = True
    return answer
