"""Run Portal: the run history of workflows, for people and for scripts."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from flask import Flask

from portal import api, cli, config, failures, pages, speech, storage
from portal.api import documentation, hooks, pings, raw, run_export, sent_files, stored_files
from portal.auth import gate
from portal.auth.openid import code_flow
from portal.database import compatibility, postgresql, sqlite
from portal.database.engine import db, engine_options, migrate
from portal.engine import pricing
from portal.engine.handlers import registry
from portal.health import metrics, probes
from portal.pages import sign_in as auth_pages
from portal.runs.recording import events
from portal.web import assets, compression, formats, headers, json_provider, logs, methods, proxy

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "portal" / "database" / "migrations"


def create_app(environ: Mapping[str, str] | None = None, instance: Path | None = None) -> Flask:
    """Build the application from its settings, by default those of the environment. Raises BadSetting."""
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
    config.init_app(app, settings)
    _configure(app, settings)
    metrics.init_app(app, settings)
    proxy.init_app(app, settings)
    logs.init_logging()
    db.init_app(app)
    migrate.init_app(app, db, directory=str(MIGRATIONS), render_as_batch=True)
    with app.app_context():
        for each in (sqlite, postgresql, compatibility):
            each.prepare_engine(db.engine)
    json_provider.init_app(app)
    compression.init_app(app)
    storage.init_app(app, settings)
    speech.init_app(app, settings)
    registry.init_app(app, settings)
    pricing.init_app(app, settings)
    gate.init_app(app, settings)
    code_flow.init_app(app, settings)
    headers.init_app(app, settings)
    failures.init_app(app)
    formats.init_app(app)
    assets.init_app(app)
    for blueprint in (
        *(api.bp, api.bp_v2, raw.bp, run_export.page_bp, auth_pages.bp, pages.bp),
        *(pings.bp, hooks.bp, stored_files.bp, sent_files.bp, probes.bp, metrics.bp, documentation.bp),
    ):
        app.register_blueprint(blueprint)
    methods.init_app(app)
    cli.init_app(app)
    return app


def _configure(app: Flask, settings: config.Settings) -> None:
    secure = not settings.plain_loopback
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url)
        | {
            "execution_options": {
                events.RETENTION_DAYS: settings.run_events_days,
                events.NEWS_MINUTES: settings.news_minutes,
            }
        },
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
