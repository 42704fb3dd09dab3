"""Probes: liveness and readiness."""

import logging

import sqlalchemy as sa
from flask import Blueprint, Response, jsonify

from portal.auth.gate import public
from portal.database import compatibility
from portal.database.compatibility import MigrationStatus
from portal.database.outages import reason_of
from portal.database.refusals import UnfitDatabase

log = logging.getLogger(__name__)

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
def process() -> Response:
    """Liveness: the process responds."""
    return jsonify(status="ok")


@bp.get("/readyz")
@public
def readiness() -> tuple[Response, int]:
    """Readiness: the database is reachable and migrated; also says if it is read-only."""
    try:
        state = compatibility.read_state()
    except UnfitDatabase as error:
        return jsonify(status="unfit database", reason=str(error)), 503
    except sa.exc.SQLAlchemyError as error:
        log.warning("not ready: %s", reason_of(error))
        return jsonify(status="no database"), 503
    if state.schema.status == MigrationStatus.OLDER:
        return jsonify(status="not migrated"), 503
    if state.write_refusal is not None:
        return jsonify(status="read-only", reason=state.write_refusal), 200
    return jsonify(status="ok"), 200
