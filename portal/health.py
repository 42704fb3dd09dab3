"""Health: is the process up, and can it serve?"""

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, current_app, jsonify

from portal.auth.gate import public
from portal.db import db

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
def process() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@bp.get("/readyz")
@public
def readiness() -> tuple[Response, int]:
    """The database can be reached and has the tables of this release."""
    try:
        ready = is_migrated()
    except sa.exc.OperationalError:
        return jsonify(status="no database"), 503
    return (jsonify(status="ok"), 200) if ready else (jsonify(status="not migrated"), 503)


def is_migrated() -> bool:
    """Whether the database is at the newest migration. Raises OperationalError where it is out of reach."""
    scripts = ScriptDirectory(current_app.extensions["migrate"].directory)
    with db.engine.connect() as connection:
        present = set(MigrationContext.configure(connection).get_current_heads())
    return present == set(scripts.get_heads())
