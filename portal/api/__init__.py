"""The JSON API under `/api/v1`: thin views over the services."""

from flask import Blueprint

bp = Blueprint("api", __name__, url_prefix="/api/v1")

from portal.api import api_keys, auth, run, runs, steps, workflows, workspaces  # noqa: E402, F401
