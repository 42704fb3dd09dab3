"""The settings: name, default, parsing and validation of each."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Flask, current_app

from portal.input import sentences
from portal.input import setting_values as values
from portal.input.addresses import BadAddress, normal_host_pattern, split_host
from portal.input.setting_values import BadSetting, is_loopback

PREFIX = "PORTAL_"
MAX_STORAGE = 2**53 - 1
MAX_RUNS = 1_000_000
KEY_FILE = "secret-key"
AUDIO_FORMATS = ("flac", "opus")
"""How takes may be stored; the first is the default."""


_EXTENSION = "portal.settings"


@dataclass(frozen=True, kw_only=True)
class TokenSettings:
    """Bearer JWTs that the API accepts: their issuer, key set and audience."""

    issuer: str
    jwks_url: str
    authorized_parties: tuple[str, ...]
    audience: str | None


@dataclass(frozen=True, kw_only=True)
class OidcSettings:
    """The OpenID provider at which people sign in."""

    discovery_url: str
    client_id: str
    client_secret: str | None
    scopes: str
    label: str
    groups_claim: str
    join: str
    """The unparsed rules of who joins which workspace; see `auth.openid.join_rules`."""
    trust_email: bool
    """Treat every e-mail as verified: for a provider that verifies them but sends no email_verified."""
    link_email: bool
    """Link a new sign-in to the existing account with the same verified e-mail."""


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """Requests per minute; 0 means unlimited."""

    per_min: int
    attempts_per_min: int
    storage_url: str | None


@dataclass(frozen=True, kw_only=True)
class S3Settings:
    """A bucket of an S3-compatible store; without keys, boto3 searches its usual sources."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None
    access_key_id: str | None
    secret_access_key: str | None


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """How the engine runs workflows."""

    enabled: bool
    """Whether this installation runs workflows at all, or only shows the history of runs."""
    prices: str
    """The unparsed prices of node types; see `engine.pricing`."""
    runs_per_person: int
    """Pending and running runs that one person may have at once; 0 means no limit."""
    runs_per_workspace: int
    """The same for a workspace."""
    lease: int
    """Seconds after its last heartbeat at which a worker counts as dead."""
    poll: float
    """Seconds between two looks of a worker at the queue."""
    per_workspace: int
    """Steps of one workspace that are worked on at once."""
    max_queued: int
    """Queued steps beyond which no run is started."""
    auto_resumes: int
    """How often a run that was paused because of a provider resumes by itself."""
    crash_at: str | None = None
    """Where a worker ends at once, for tests: `claimed`, `ran` or `finished`."""


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """What the nodes of a workflow may use when they run; see `engine.environment`."""

    provider_url: str | None
    """Normalised, with the path under which the provider's API begins."""
    provider_key: str | None
    speech_model: str | None
    transcription_model: str | None
    chat_model: str | None
    recogniser: Path | None
    audio_format: str
    seconds: int
    normalize_with_provider: bool


@dataclass(frozen=True, kw_only=True)
class Settings:
    secret_key: str
    secret_key_fallbacks: tuple[str, ...]
    database_url: sa.URL
    base_url: str | None
    """Normalised as browsers do, so that it compares with what they send."""
    base_url_given: str
    """As the operator entered it."""
    trusted_hosts: tuple[str, ...]
    """Normalised hosts; a leading dot includes all subdomains."""
    proxy_hops: int
    oidc: OidcSettings | None
    tokens: TokenSettings | None
    limits: LimitSettings
    artifacts: Path | S3Settings
    """The folder or bucket of the artifact store."""
    run_events_days: int
    news_minutes: int
    """Days for which run events are stored; 0 stores them for good."""
    storage_bytes_per_workspace: int
    """Bytes that the uploads of a workspace may take, pending ones included; 0 means no limit."""
    provider_voices: Path | None
    """The file that names the voices of providers; see `speech.configured`."""
    handler_plugins: tuple[str, ...]
    """The packages that bring node types, in lower case and with hyphens; see `engine.handlers.registry`."""
    engine: EngineSettings
    nodes: NodeSettings
    sync_seconds: int
    """Seconds between two passes that workers make over a mirror; 0: they make none."""
    metrics_token: str | None
    """The bearer token that opens `/metrics`; without one there are no metrics."""

    @property
    def plain_loopback(self) -> bool:
        """Whether the base URL is plain http on the loopback interface."""
        if self.base_url is None:
            return False
        parts = urlsplit(self.base_url)
        return parts.scheme == "http" and is_loopback(parts.hostname or "")


def read_settings(environ: Mapping[str, str], instance: Path) -> Settings:
    """Read and validate the settings; the README documents each. Raises BadSetting.

    A secret may also come from the file that `NAME_FILE` names.
    """
    known = {
        f"{PREFIX}{name}"
        for name in (
            "SECRET_KEY", "SECRET_KEY_FILE", "SECRET_KEY_FALLBACKS", "DATABASE_URL",
            "DATABASE_URL_FILE", "BASE_URL", "TRUSTED_HOSTS", "PROXY_HOPS",
            "OIDC_DISCOVERY_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_CLIENT_SECRET_FILE",
            "OIDC_SCOPES", "OIDC_LABEL", "OIDC_GROUPS_CLAIM", "OIDC_JOIN", "OIDC_TRUST_EMAIL",
            "OIDC_LINK_EMAIL",
            "JWT_ISSUER", "JWT_JWKS_URL", "JWT_AUTHORIZED_PARTIES", "JWT_AUDIENCE",
            "RATE_LIMIT_PER_MIN", "RATE_LIMIT_ATTEMPTS_PER_MIN",
            "RATE_LIMIT_STORAGE_URL", "RATE_LIMIT_STORAGE_URL_FILE",
            "ARTIFACTS", "S3_ENDPOINT", "S3_REGION", "S3_ACCESS_KEY_ID",
            "S3_SECRET_ACCESS_KEY", "S3_SECRET_ACCESS_KEY_FILE", "RUN_EVENTS_DAYS", "NEWS_MINUTES",
            "STORAGE_BYTES_PER_WORKSPACE",
            "PROVIDER_VOICES", "HANDLER_PLUGINS", "SYNC_SECONDS",
            "ENGINE", "ENGINE_PRICES", "RUNS_PER_PERSON", "RUNS_PER_WORKSPACE", "ENGINE_LEASE",
            "METRICS_TOKEN", "METRICS_TOKEN_FILE",
            "ENGINE_POLL", "ENGINE_PER_WORKSPACE", "ENGINE_MAX_QUEUED", "ENGINE_AUTO_RESUMES",
            "PROVIDER_URL", "PROVIDER_KEY", "PROVIDER_KEY_FILE", "PROVIDER_TTS_MODEL", "PROVIDER_STT_MODEL",
            "PROVIDER_CHAT_MODEL", "ASR_MODEL", "AUDIO_FORMAT", "NODE_SECONDS", "NORMALIZE_WITH_PROVIDER",
        )
    }  # fmt: skip
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known and not name.startswith("PORTAL_TEST_"):
            warnings.warn(f"{name} is not a setting of the portal and is ignored.", stacklevel=2)
    base_url = values.base_url(environ, "PORTAL_BASE_URL")
    return Settings(
        secret_key=_secret_key(environ, instance),
        secret_key_fallbacks=tuple(
            values.strong_secret(key, "PORTAL_SECRET_KEY_FALLBACKS")
            for key in environ.get("PORTAL_SECRET_KEY_FALLBACKS", "").split()
        ),
        database_url=_database_url(environ, instance),
        base_url=base_url,
        base_url_given=environ.get("PORTAL_BASE_URL", "").strip(),
        trusted_hosts=_trusted_hosts(environ.get("PORTAL_TRUSTED_HOSTS", ""), base_url),
        proxy_hops=values.whole_number(environ, "PORTAL_PROXY_HOPS", 0, maximum=10),
        oidc=_oidc(environ),
        tokens=_tokens(environ),
        limits=_limits(environ),
        artifacts=_artifacts(environ, instance),
        news_minutes=values.whole_number(environ, "PORTAL_NEWS_MINUTES", 60, maximum=10_080),
        run_events_days=values.whole_number(environ, "PORTAL_RUN_EVENTS_DAYS", 90, maximum=36_500),
        storage_bytes_per_workspace=values.whole_number(
            environ, "PORTAL_STORAGE_BYTES_PER_WORKSPACE", 0, maximum=MAX_STORAGE
        ),
        provider_voices=values.file(environ, "PORTAL_PROVIDER_VOICES"),
        handler_plugins=values.distributions(environ, "PORTAL_HANDLER_PLUGINS"),
        engine=_engine(environ),
        nodes=_nodes(environ),
        sync_seconds=values.whole_number(environ, "PORTAL_SYNC_SECONDS", 300, maximum=86_400),
        metrics_token=_metrics_token(environ),
    )


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions[_EXTENSION] = settings


def settings_of(app: Flask) -> Settings:
    """The settings of a portal."""
    found: Settings = app.extensions[_EXTENSION]
    return found


def current_settings() -> Settings:
    """The settings of the portal in whose context this is called."""
    return settings_of(current_app)


def _secret_key(environ: Mapping[str, str], instance: Path) -> str:
    key = values.secret(environ, "PORTAL_SECRET_KEY")
    file = instance / KEY_FILE
    if key is None and file.is_file():
        key = file.read_text(encoding="utf-8").strip()
    if key is None:
        raise BadSetting(
            "PORTAL_SECRET_KEY is not set. Generate one with: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    return values.strong_secret(key, "PORTAL_SECRET_KEY")


def _database_url(environ: Mapping[str, str], instance: Path) -> sa.URL:
    text = values.secret(environ, "PORTAL_DATABASE_URL") or f"sqlite:///{instance / 'portal.sqlite3'}"
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise BadSetting("PORTAL_DATABASE_URL is not a database URL.") from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise BadSetting("PORTAL_DATABASE_URL must begin with sqlite:/// or postgresql://.")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise BadSetting("PORTAL_DATABASE_URL must name a file: an in-memory database loses everything.")
    return url


def _trusted_hosts(text: str, base_url: str | None) -> tuple[str, ...]:
    try:
        hosts = [normal_host_pattern(host.strip()) for host in text.split(",") if host.strip()]
    except BadAddress as refusal:
        raise BadSetting(
            f"Each of PORTAL_TRUSTED_HOSTS {refusal}; .example.com means that host and its subdomains."
        ) from None
    if base_url is not None:
        parts = urlsplit(base_url)
        hosts.append(split_host(parts.netloc))
        if is_loopback(parts.hostname or ""):
            hosts += ["localhost", "127.0.0.1", "[::1]"]
    return tuple(dict.fromkeys(hosts))


def _oidc(environ: Mapping[str, str]) -> OidcSettings | None:
    discovery_url = values.provider_url(environ, "PORTAL_OIDC_DISCOVERY_URL")
    client_id = environ.get("PORTAL_OIDC_CLIENT_ID", "").strip()
    if not (discovery_url or client_id):
        return None
    if not (discovery_url and client_id):
        raise BadSetting("PORTAL_OIDC_DISCOVERY_URL and PORTAL_OIDC_CLIENT_ID belong together.")
    scopes = environ.get("PORTAL_OIDC_SCOPES", "").split() or ["openid", "email", "profile"]
    if "openid" not in scopes:
        raise BadSetting("PORTAL_OIDC_SCOPES must contain openid.")
    return OidcSettings(
        discovery_url=discovery_url,
        client_id=client_id,
        client_secret=values.secret(environ, "PORTAL_OIDC_CLIENT_SECRET"),
        scopes=" ".join(scopes),
        label=environ.get("PORTAL_OIDC_LABEL", "").strip() or "Sign in with your organisation",
        groups_claim=environ.get("PORTAL_OIDC_GROUPS_CLAIM", "").strip() or "groups",
        join=environ.get("PORTAL_OIDC_JOIN", ""),
        trust_email=values.flag(environ, "PORTAL_OIDC_TRUST_EMAIL"),
        link_email=values.flag(environ, "PORTAL_OIDC_LINK_EMAIL"),
    )


def _tokens(environ: Mapping[str, str]) -> TokenSettings | None:
    """Bearer JWTs are accepted only if issuer, key set and audience (or authorized parties) are set."""
    issuer = environ.get("PORTAL_JWT_ISSUER", "").strip()
    jwks_url = values.provider_url(environ, "PORTAL_JWT_JWKS_URL")
    parties = tuple(environ.get("PORTAL_JWT_AUTHORIZED_PARTIES", "").split())
    audience = environ.get("PORTAL_JWT_AUDIENCE", "").strip() or None
    if not (issuer or jwks_url or parties or audience):
        return None
    if not (issuer and jwks_url and (parties or audience)):
        raise BadSetting(
            "PORTAL_JWT_ISSUER and PORTAL_JWT_JWKS_URL belong together, with PORTAL_JWT_AUTHORIZED_PARTIES "
            "or PORTAL_JWT_AUDIENCE: otherwise tokens issued to another application would be accepted."
        )
    return TokenSettings(issuer=issuer, jwks_url=jwks_url, authorized_parties=parties, audience=audience)


def _limits(environ: Mapping[str, str]) -> LimitSettings:
    maximum = 100_000_000
    storage = values.secret(environ, "PORTAL_RATE_LIMIT_STORAGE_URL")
    if storage and not storage.startswith(("redis://", "rediss://", "redis+unix://")):
        raise BadSetting("PORTAL_RATE_LIMIT_STORAGE_URL must begin with redis:// or rediss://.")
    return LimitSettings(
        per_min=values.whole_number(environ, "PORTAL_RATE_LIMIT_PER_MIN", 600_000, maximum),
        attempts_per_min=values.whole_number(environ, "PORTAL_RATE_LIMIT_ATTEMPTS_PER_MIN", 600, maximum),
        storage_url=storage,
    )


def _artifacts(environ: Mapping[str, str], instance: Path) -> Path | S3Settings:
    text = environ.get("PORTAL_ARTIFACTS", "").strip()
    if not text.startswith("s3:"):
        if "://" in text:
            raise BadSetting("PORTAL_ARTIFACTS must be a folder or s3://bucket/prefix.")
        return Path(text) if text else instance / "artifacts"
    parts = values.split_url(text)
    if parts is None or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
        raise BadSetting("PORTAL_ARTIFACTS must be a folder or s3://bucket/prefix.")
    prefix = parts.path.strip("/")
    secret = values.secret(environ, "PORTAL_S3_SECRET_ACCESS_KEY")
    if bool(environ.get("PORTAL_S3_ACCESS_KEY_ID")) != bool(secret):
        raise BadSetting("PORTAL_S3_ACCESS_KEY_ID and PORTAL_S3_SECRET_ACCESS_KEY go together.")
    return S3Settings(
        bucket=parts.netloc,
        prefix=f"{prefix}/" if prefix else "",
        endpoint=values.base_url(environ, "PORTAL_S3_ENDPOINT"),
        region=environ.get("PORTAL_S3_REGION") or None,
        access_key_id=environ.get("PORTAL_S3_ACCESS_KEY_ID") or None,
        secret_access_key=secret,
    )


def _engine(environ: Mapping[str, str]) -> EngineSettings:
    switch = environ.get("PORTAL_ENGINE", "").strip().lower() or "on"
    if switch not in ("on", "off"):
        raise BadSetting("PORTAL_ENGINE must be on or off.")
    return EngineSettings(
        enabled=switch == "on",
        prices=environ.get("PORTAL_ENGINE_PRICES", "").strip(),
        runs_per_person=values.whole_number(environ, "PORTAL_RUNS_PER_PERSON", 20, MAX_RUNS),
        runs_per_workspace=values.whole_number(environ, "PORTAL_RUNS_PER_WORKSPACE", 50, MAX_RUNS),
        lease=values.whole_number(environ, "PORTAL_ENGINE_LEASE", 30, maximum=600, minimum=2),
        poll=values.seconds(environ, "PORTAL_ENGINE_POLL", 0.25, 0.05, 10),
        per_workspace=values.whole_number(
            environ, "PORTAL_ENGINE_PER_WORKSPACE", 8, maximum=1_000, minimum=1
        ),
        max_queued=values.whole_number(environ, "PORTAL_ENGINE_MAX_QUEUED", 20_000, MAX_RUNS, minimum=1),
        auto_resumes=values.whole_number(environ, "PORTAL_ENGINE_AUTO_RESUMES", 3, maximum=100),
        crash_at=environ.get("PORTAL_TEST_DIE_AT"),
    )


def _nodes(environ: Mapping[str, str]) -> NodeSettings:
    url = values.base_url(environ, "PORTAL_PROVIDER_URL")
    models = {
        name: environ.get(name, "").strip() or None
        for name in ("PORTAL_PROVIDER_TTS_MODEL", "PORTAL_PROVIDER_STT_MODEL", "PORTAL_PROVIDER_CHAT_MODEL")
    }
    needing = {"PORTAL_PROVIDER_KEY": values.secret(environ, "PORTAL_PROVIDER_KEY"), **models}
    for name, value in needing.items():
        if value and url is None:
            raise BadSetting(f"{name} needs PORTAL_PROVIDER_URL.")
    key = needing["PORTAL_PROVIDER_KEY"]
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise BadSetting("PORTAL_PROVIDER_KEY must be printable ASCII without spaces.")
    format_ = environ.get("PORTAL_AUDIO_FORMAT", "").strip().lower() or AUDIO_FORMATS[0]
    if format_ not in AUDIO_FORMATS:
        raise BadSetting(f"PORTAL_AUDIO_FORMAT {sentences.one_of(AUDIO_FORMATS)}")
    normalize = values.flag(environ, "PORTAL_NORMALIZE_WITH_PROVIDER")
    if normalize and not needing["PORTAL_PROVIDER_CHAT_MODEL"]:
        raise BadSetting("PORTAL_NORMALIZE_WITH_PROVIDER needs PORTAL_PROVIDER_CHAT_MODEL.")
    return NodeSettings(
        provider_url=f"{url}/v1" if url and not urlsplit(url).path else url,
        provider_key=key,
        speech_model=needing["PORTAL_PROVIDER_TTS_MODEL"],
        transcription_model=needing["PORTAL_PROVIDER_STT_MODEL"],
        chat_model=needing["PORTAL_PROVIDER_CHAT_MODEL"],
        recogniser=values.file(environ, "PORTAL_ASR_MODEL"),
        audio_format=format_,
        seconds=values.whole_number(environ, "PORTAL_NODE_SECONDS", 600, maximum=86_400, minimum=1),
        normalize_with_provider=normalize,
    )


def _metrics_token(environ: Mapping[str, str]) -> str | None:
    token = values.secret(environ, "PORTAL_METRICS_TOKEN")
    if not token:
        return None
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise BadSetting("PORTAL_METRICS_TOKEN must be printable ASCII without spaces.")
    return values.strong_secret(token, "PORTAL_METRICS_TOKEN")


def environment() -> Mapping[str, str]:
    """The process environment: read nowhere else."""
    return os.environ
