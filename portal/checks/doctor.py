"""Diagnosis of the installation (`flask doctor`): settings and the services they point to."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
import sqlalchemy as sa
from authlib.common.errors import AuthlibBaseError
from flask import current_app
from joserfc.errors import JoseError
from urllib3.exceptions import HTTPError

from portal.auth import limits
from portal.auth.openid import code_flow
from portal.auth.openid.join_rules import JoinRule
from portal.auth.openid.jwks import UnreadableKeys, fetch_keys
from portal.checks import engine_check
from portal.checks.diagnosis import Diagnosis
from portal.config import Settings, current_settings
from portal.database import compatibility, outages
from portal.database.compatibility import MigrationStatus, Schema
from portal.database.engine import db
from portal.database.models import Workspace
from portal.database.refusals import UnfitDatabase
from portal.database.sql import text_index
from portal.engine.contract import StepError
from portal.engine.environment import Environment, environment_of

TIMEOUT = 3


def examine() -> list[Diagnosis]:
    """Run all checks, in the order in which to fix problems."""
    settings = current_settings()
    advice = [*_address(settings), *_database()]
    migrated = advice[-1].level == "ok"
    advice += _text_search() if migrated else []
    if settings.oidc is not None:
        advice += [_provider(), *_rules(code_flow.provider()[1], migrated=migrated)]
    else:
        advice.append(
            Diagnosis("provider", "note", "none: people sign in with links made by flask signin-link")
        )
    if settings.tokens is not None:
        advice += _token_keys(settings)
    advice += [*_limits(settings), *_nodes(environment_of(settings))]
    return [*advice, *engine_check.examine(settings)] if migrated else advice


def _address(settings: Settings) -> Iterator[Diagnosis]:
    if settings.base_url is None:
        yield Diagnosis("base URL", "bad", "PORTAL_BASE_URL is not set: links and sign-in need it")
        return
    if settings.base_url.startswith("http:") and not settings.plain_loopback:
        yield Diagnosis(
            "base URL",
            "bad",
            f"{settings.base_url} is not https: browsers will not store the session cookie",
        )
        return
    given = settings.base_url_given
    changed = "" if given.rstrip("/") == settings.base_url else f", as browsers write {given}"
    yield Diagnosis("base URL", "ok", f"{settings.base_url}{changed}")
    yield _answers(settings.base_url)


def _answers(base_url: str) -> Diagnosis:
    """Whether the portal responds at its base URL, as seen from this machine."""
    try:
        answer = requests.get(f"{base_url}/healthz", timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        return Diagnosis(
            "reachable", "note", f"nothing answers at {base_url} from here: {type(error).__name__}"
        )
    if answer.status_code != 200:
        return Diagnosis(
            "reachable", "bad", f"{base_url}/healthz answers with status {answer.status_code}, not 200"
        )
    return Diagnosis("reachable", "ok", f"{base_url}/healthz answers")


def _database() -> Iterator[Diagnosis]:
    url = db.engine.url.render_as_string(hide_password=True)
    try:
        state = compatibility.read_state()
    except (UnfitDatabase, sa.exc.SQLAlchemyError) as error:
        yield Diagnosis("database", "bad", f"{url}: {outages.explain(error)}")
        return
    yield Diagnosis("database", "ok", url)
    if state.read_only is not None:
        yield Diagnosis("changes", "bad", f"{state.read_only} {outages.READ_ONLY.advice}")
    yield _migrations(state.schema)


def _migrations(schema: Schema) -> Diagnosis:
    if schema.status == MigrationStatus.NEWEST:
        return Diagnosis("migrations", "ok", schema.description)
    if schema.status == MigrationStatus.NEWER:
        return Diagnosis(
            "migrations", "note", f"{schema.description}; servers may continue, commands do not write"
        )
    return Diagnosis("migrations", "bad", schema.description)


def _text_search() -> Iterator[Diagnosis]:
    with db.engine.connect() as connection:
        indexed = text_index.exists(connection)
    needs = (
        "the extension pg_trgm" if db.engine.dialect.name == "postgresql" else "FTS5 with trigrams in SQLite"
    )
    yield Diagnosis(
        "text search",
        "ok" if indexed else "note",
        "indexed"
        if indexed
        else f"slow: every text is read. The index needs {needs}; then run: flask check --repair",
    )


def _provider() -> Diagnosis:
    client = code_flow.provider()[2]
    try:
        metadata = client.load_server_metadata()
        keys = client.fetch_jwk_set()["keys"]
    except requests.RequestException as error:
        return Diagnosis("provider", "bad", f"cannot be reached: {type(error).__name__}")
    except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError) as error:
        return Diagnosis("provider", "bad", f"its discovery document cannot be used: {error}")
    callback = f"{current_app.config['BASE_URL'] or ''}/auth/callback"
    return Diagnosis(
        "provider", "ok", f"{metadata['issuer']} with {len(keys)} keys; its redirect URI must be {callback}"
    )


def _rules(rules: tuple[JoinRule, ...], migrated: bool) -> Iterator[Diagnosis]:
    if not rules:
        yield Diagnosis(
            "rules", "note", "PORTAL_OIDC_JOIN is not set: only invited users and the very first are admitted"
        )
        return
    named = {rule.workspace for rule in rules}
    existing: set[str] = set()
    if migrated:
        live = sa.select(Workspace.slug).where(Workspace.slug.in_(named), Workspace.deleted_at.is_(None))
        existing = set(db.session.scalars(live))
    absent = sorted(named - existing)
    if absent:
        yield Diagnosis(
            "rules", "bad", f"PORTAL_OIDC_JOIN names workspaces that do not exist: {', '.join(absent)}"
        )
    else:
        yield Diagnosis("rules", "ok", f"{len(rules)} for {', '.join(sorted(named))}")


def _token_keys(settings: Settings) -> Iterator[Diagnosis]:
    tokens = settings.tokens
    if tokens is None:
        return
    try:
        keys = fetch_keys(tokens.jwks_url)
    except (requests.RequestException, HTTPError, UnreadableKeys, OSError) as error:
        yield Diagnosis("token keys", "bad", f"{tokens.jwks_url} cannot be used: {error}")
    else:
        yield Diagnosis("token keys", "ok", f"{len(keys)} keys at {urlsplit(tokens.jwks_url).netloc}")
    signin_issuer = settings.oidc.discovery_url.removesuffix(code_flow.DISCOVERY) if settings.oidc else None
    if signin_issuer is None or signin_issuer.rstrip("/") != tokens.issuer.rstrip("/"):
        yield Diagnosis(
            "token issuer",
            "note",
            f"people do not sign in at {tokens.issuer}: link its subjects to users with flask users link",
        )


def _limits(settings: Settings) -> Iterator[Diagnosis]:
    if settings.limits.storage_url is None:
        yield Diagnosis(
            "rate limits",
            "note",
            "counted in memory: each worker counts for itself, so the limit is multiplied by their number. "
            "Set PORTAL_RATE_LIMIT_STORAGE_URL to a Redis to share the counters",
        )
    elif limits.rate_limiter().redis_answers():
        yield Diagnosis("rate limits", "ok", "counted in Redis, by all workers together")
    else:
        yield Diagnosis(
            "rate limits", "bad", "PORTAL_RATE_LIMIT_STORAGE_URL does not answer: counted in memory"
        )


def _nodes(environment: Environment) -> Iterator[Diagnosis]:
    """What the nodes of workflows were told to use."""
    from portal.engine.media.listening import recogniser  # numpy takes half a second to import
    from portal.engine.media.providers.openai import Provider

    if environment.recogniser is not None:
        reason = recogniser.why_not(environment)
        yield Diagnosis(
            "speech recognition",
            "bad" if reason else "ok",
            reason or f"the model in {environment.recogniser}",
        )
    if environment.provider is None:
        return
    used = environment.provider
    try:
        models = Provider(used).models()
    except StepError as error:
        yield Diagnosis("speech provider", "bad", f"{used.url}: {error.message}")
        return
    wanted = {used.speech_model, used.transcription_model, used.chat_model} - {None}
    if unlisted := sorted(str(name) for name in wanted - set(models)):
        yield Diagnosis("speech provider", "note", f"{used.url} does not list {', '.join(unlisted)}")
    else:
        yield Diagnosis("speech provider", "ok", f"{used.url} answers")
