"""The JSON API under `/api/v1`: thin views over the services."""

from flask import Blueprint

bp = Blueprint("api", __name__, url_prefix="/api/v1")

from portal.api import (  # noqa: E402, F401
    api_keys,
    auth,
    data,
    downloads,
    outputs,
    overview,
    run,
    runs,
    steps,
    uploads,
    workflows,
    workspaces,
)
