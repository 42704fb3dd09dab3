"""Run Portal: the run history of workflows, for people and for scripts."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from flask import Flask

from portal import (
    api,
    cli,
    compression,
    config,
    database_state,
    db,
    display,
    documentation,
    failures,
    files,
    headers,
    health,
    json_answers,
    logs,
    pages,
    postgres,
    reach,
    sqlite,
    storage,
)
from portal.api import raw
from portal.auth import gate, oidc
from portal.auth import pages as auth_pages

ROOT = Path(__file__).resolve().parent.parent


def create_app(environ: Mapping[str, str] | None = None, instance: Path | None = None) -> Flask:
    """Wire the portal up from its settings (environment variables unless given).

    Raises config.BadSetting for a setting that it refuses to start with.
    """
    instance = instance or ROOT / "instance"
    settings = config.read_settings(config.environment() if environ is None else environ, instance)
    app = Flask(
        "portal",
        root_path=str(ROOT),
        template_folder="templates",
        static_folder="static",
        instance_path=str(instance),
    )
    instance.mkdir(parents=True, exist_ok=True)
    app.extensions["portal.settings"] = settings
    _configure(app, settings)
    reach.init_app(app, settings)
    logs.init_logging()
    db.db.init_app(app)
    db.migrate.init_app(app, db.db, directory=str(Path(__file__).parent / "migrations"), render_as_batch=True)
    with app.app_context():
        for each in (sqlite, postgres, database_state):
            each.prepare_engine(db.db.engine)
    json_answers.init_app(app)
    compression.init_app(app)
    storage.init_app(app, settings)
    gate.init_app(app, settings)
    oidc.init_app(app, settings)
    headers.init_app(app, settings)
    failures.init_app(app)
    display.init_app(app)
    for blueprint in (api.bp, raw.bp, auth_pages.bp, pages.bp, files.bp, health.bp, documentation.bp):
        app.register_blueprint(blueprint)
    cli.init_app(app)
    return app


def _configure(app: Flask, settings: config.Settings) -> None:
    secure = not settings.plain_loopback
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=db.engine_options(settings.database_url),
        MAX_CONTENT_LENGTH=1_000_000,
        MAX_FORM_MEMORY_SIZE=500_000,
        MAX_FORM_PARTS=200,
        SESSION_COOKIE_NAME="__Host-portal" if secure else "portal",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(days=7),
        BASE_URL=settings.base_url,
    )
    app.url_map.merge_slashes = False
    app.jinja_env.autoescape = True
