"""What `flask doctor` looks at: do the settings, and all that they point at, work together?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
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
from portal.config import Settings
from portal.database import compatibility, outages
from portal.database.compatibility import Schema, Standing
from portal.database.engine import db
from portal.database.models import Workspace
from portal.database.refusals import UnfitDatabase

TIMEOUT = 3


@dataclass(frozen=True)
class Advice:
    """One thing looked at: good, worth knowing, or broken."""

    check: str
    level: Literal["ok", "note", "bad"]
    detail: str


def examine() -> list[Advice]:
    """Everything, in the order in which one would mend it."""
    settings: Settings = current_app.extensions["portal.settings"]
    advice = [*_address(settings), *_database()]
    if settings.oidc is not None:
        advice += [_provider(), *_rules(code_flow.provider()[1], migrated=advice[-1].level == "ok")]
    else:
        advice.append(Advice("provider", "note", "none: people sign in with links made by flask signin-link"))
    if settings.tokens is not None:
        advice += _token_keys(settings)
    return [*advice, *_limits(settings)]


def _address(settings: Settings) -> Iterator[Advice]:
    if settings.base_url is None:
        yield Advice(
            "base URL", "bad", "PORTAL_BASE_URL is not set: links in messages and sign-ins need the address"
        )
        return
    if settings.base_url.startswith("http:") and not settings.plain_loopback:
        yield Advice(
            "base URL",
            "bad",
            f"{settings.base_url} is not https: browsers will not keep the session's cookie",
        )
        return
    given = settings.base_url_given
    changed = "" if given.rstrip("/") == settings.base_url else f", as browsers write {given}"
    yield Advice("base URL", "ok", f"{settings.base_url}{changed}")
    yield _answers(settings.base_url)


def _answers(base_url: str) -> Advice:
    """Whether the portal answers at its address, as seen from this machine."""
    try:
        answer = requests.get(f"{base_url}/healthz", timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        return Advice("reachable", "note", f"nothing answers at {base_url} from here: {type(error).__name__}")
    if answer.status_code != 200:
        return Advice(
            "reachable", "bad", f"{base_url}/healthz answers with status {answer.status_code}, not 200"
        )
    return Advice("reachable", "ok", f"{base_url}/healthz answers")


def _database() -> Iterator[Advice]:
    url = db.engine.url.render_as_string(hide_password=True)
    try:
        state = compatibility.look()
    except (UnfitDatabase, sa.exc.SQLAlchemyError) as error:
        yield Advice("database", "bad", f"{url}: {outages.tell(error)}")
        return
    yield Advice("database", "ok", url)
    if state.read_only is not None:
        yield Advice("changes", "bad", f"{state.read_only} {outages.READ_ONLY.advice}")
    yield _migrations(state.schema)


def _migrations(schema: Schema) -> Advice:
    if schema.standing == Standing.NEWEST:
        return Advice("migrations", "ok", schema.words)
    if schema.standing == Standing.NEWER:
        return Advice(
            "migrations", "note", f"{schema.words}; its server may go on, its commands do not write"
        )
    return Advice("migrations", "bad", schema.words)


def _provider() -> Advice:
    client = code_flow.provider()[2]
    try:
        metadata = client.load_server_metadata()
        keys = client.fetch_jwk_set()["keys"]
    except requests.RequestException as error:
        return Advice("provider", "bad", f"cannot be reached: {type(error).__name__}")
    except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError) as error:
        return Advice("provider", "bad", f"its description cannot be used: {error}")
    callback = f"{current_app.config['BASE_URL'] or ''}/auth/callback"
    return Advice(
        "provider", "ok", f"{metadata['issuer']} with {len(keys)} keys; it must know the address {callback}"
    )


def _rules(rules: tuple[JoinRule, ...], migrated: bool) -> Iterator[Advice]:
    if not rules:
        yield Advice(
            "rules", "note", "PORTAL_OIDC_JOIN is not set: only who is invited or the very first gets in"
        )
        return
    named = {rule.workspace for rule in rules}
    there: set[str] = set()
    if migrated:
        live = sa.select(Workspace.slug).where(Workspace.slug.in_(named), Workspace.deleted_at.is_(None))
        there = set(db.session.scalars(live))
    absent = sorted(named - there)
    if absent:
        yield Advice(
            "rules", "bad", f"PORTAL_OIDC_JOIN names workspaces that are not there: {', '.join(absent)}"
        )
    else:
        yield Advice("rules", "ok", f"{len(rules)} for {', '.join(sorted(named))}")


def _token_keys(settings: Settings) -> Iterator[Advice]:
    tokens = settings.tokens
    if tokens is None:
        return
    try:
        keys = fetch_keys(tokens.jwks_url)
    except (requests.RequestException, HTTPError, UnreadableKeys, OSError) as error:
        yield Advice("token keys", "bad", f"{tokens.jwks_url} cannot be used: {error}")
    else:
        yield Advice("token keys", "ok", f"{len(keys)} keys at {urlsplit(tokens.jwks_url).netloc}")
    asked = settings.oidc.discovery_url.removesuffix(code_flow.DISCOVERY) if settings.oidc else None
    if asked is None or asked.rstrip("/") != tokens.issuer.rstrip("/"):
        yield Advice(
            "token issuer",
            "note",
            f"people do not sign in at {tokens.issuer}: tie its subjects to users with flask users link",
        )


def _limits(settings: Settings) -> Iterator[Advice]:
    if settings.limits.storage_url is None:
        yield Advice(
            "rate limits",
            "note",
            "counted in memory: each worker counts for itself, so several allow that many times the limit. "
            "Set PORTAL_RATE_LIMIT_STORAGE_URL to a Redis to count together",
        )
    elif limits.counter().shared_answers():
        yield Advice("rate limits", "ok", "counted in Redis, by all workers together")
    else:
        yield Advice("rate limits", "bad", "PORTAL_RATE_LIMIT_STORAGE_URL does not answer: counted in memory")
