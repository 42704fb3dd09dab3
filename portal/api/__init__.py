"""The JSON API under `/api/v1` (and one route under `/api/v2`): thin views over the services."""

from flask import Blueprint

bp = Blueprint("api", __name__, url_prefix="/api/v1")
bp_v2 = Blueprint("api_v2", __name__, url_prefix="/api/v2")

from portal.api import (  # noqa: E402, F401
    account,
    api_keys,
    auth,
    causes,
    data,
    dictionary,
    downloads,
    history,
    lineage,
    members,
    nodes,
    outputs,
    overview,
    preview,
    providers,
    run,
    run_export,
    runs,
    steering,
    steps,
    templates,
    uploads,
    usage,
    voices,
    workflows,
    workspaces,
)
