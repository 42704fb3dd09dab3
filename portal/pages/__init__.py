"""HTML pages and their fragments, one module a subject."""

from typing import Any

from flask import Blueprint

from portal.auth.gate import signed_in

bp = Blueprint("pages", __name__)

from portal.pages import preferences, run_list, run_live, runs, workflows  # noqa: E402, F401  (they register on `bp`)


@bp.app_context_processor
def who_is_asking() -> dict[str, Any]:
    return {"principal": signed_in()}
