"""Every setting: its name, its default, how it is read and what is refused."""

import ipaddress
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import sqlalchemy as sa

PREFIX = "PORTAL_"
MIN_SECRET_BYTES = 32
KEPT_KEY = "secret-key"
WELL_KNOWN = ("changeme", "change-me", "secret", "password", "example", "development", "insecure")


class BadSetting(ValueError):
    """A setting that the portal refuses to start with; the text names it and says what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    secret_key: str
    secret_key_fallbacks: tuple[str, ...]
    database_url: sa.URL
    base_url: str | None
    trusted_hosts: tuple[str, ...]
    proxy_hops: int

    @property
    def plain_loopback(self) -> bool:
        """Whether people reach the portal by plain http on their own machine."""
        if self.base_url is None:
            return False
        parts = urlsplit(self.base_url)
        return parts.scheme == "http" and is_loopback(parts.hostname or "")


def read_settings(environ: Mapping[str, str], instance: Path) -> Settings:
    """Read the settings from environment variables; the README's table says what each is for.

    A secret may also come from the file that `NAME_FILE` names. Raises BadSetting.
    """
    known = {
        f"{PREFIX}{name}"
        for name in (
            "SECRET_KEY", "SECRET_KEY_FILE", "SECRET_KEY_FALLBACKS", "DATABASE_URL",
            "DATABASE_URL_FILE", "BASE_URL", "TRUSTED_HOSTS", "PROXY_HOPS",
        )
    }  # fmt: skip
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known and not name.startswith("PORTAL_TEST_"):
            warnings.warn(f"{name} is not a setting of the portal and is ignored.", stacklevel=2)
    base_url = _base_url(environ.get("PORTAL_BASE_URL", "").strip())
    return Settings(
        secret_key=_secret_key(environ, instance),
        secret_key_fallbacks=tuple(
            _strong(key, "PORTAL_SECRET_KEY_FALLBACKS")
            for key in environ.get("PORTAL_SECRET_KEY_FALLBACKS", "").split()
        ),
        database_url=_database_url(environ, instance),
        base_url=base_url,
        trusted_hosts=_trusted_hosts(environ.get("PORTAL_TRUSTED_HOSTS", ""), base_url),
        proxy_hops=_proxy_hops(environ.get("PORTAL_PROXY_HOPS", "0")),
    )


def is_loopback(host: str) -> bool:
    """Whether a host name or address always means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secret(environ: Mapping[str, str], name: str) -> str | None:
    """A secret from `name`, or from the file that `name_FILE` names."""
    if environ.get(name):
        return environ[name]
    file = environ.get(f"{name}_FILE")
    if not file:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSetting(f"{name}_FILE names a file that cannot be read: {error.strerror}.") from None


def _secret_key(environ: Mapping[str, str], instance: Path) -> str:
    key = _secret(environ, "PORTAL_SECRET_KEY")
    kept = instance / KEPT_KEY
    if key is None and kept.is_file():
        key = kept.read_text(encoding="utf-8").strip()
    if key is None:
        raise BadSetting(
            "PORTAL_SECRET_KEY is not set. Make one with: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    return _strong(key, "PORTAL_SECRET_KEY")


def _strong(key: str, name: str) -> str:
    weak = len(key.encode()) < MIN_SECRET_BYTES or len(set(key)) < 10
    if weak or any(word in key.lower() for word in WELL_KNOWN):
        raise BadSetting(
            f"{name} is too weak: use at least {MIN_SECRET_BYTES} random bytes, "
            "no sample value and no word that people use for one."
        )
    return key


def _database_url(environ: Mapping[str, str], instance: Path) -> sa.URL:
    text = _secret(environ, "PORTAL_DATABASE_URL") or f"sqlite:///{instance / 'portal.sqlite3'}"
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise BadSetting("PORTAL_DATABASE_URL is not a database URL.") from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise BadSetting("PORTAL_DATABASE_URL must begin with sqlite:/// or postgresql://.")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise BadSetting("PORTAL_DATABASE_URL must name a file: a database in memory forgets everything.")
    return url


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _base_url(text: str) -> str | None:
    if not text:
        return None
    parts = _split(text)
    if (
        parts is None
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username is not None
        or parts.query
        or parts.fragment
    ):
        raise BadSetting("PORTAL_BASE_URL must look like https://portal.example.com.")
    return text.rstrip("/")


def _trusted_hosts(text: str, base_url: str | None) -> tuple[str, ...]:
    hosts = [host.strip() for host in text.split(",") if host.strip()]
    if base_url is not None:
        host = urlsplit(base_url).hostname or ""
        hosts.append(host)
        if is_loopback(host):
            hosts += ["localhost", "127.0.0.1", "[::1]"]
    return tuple(dict.fromkeys(hosts))


def _proxy_hops(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 10):
        raise BadSetting("PORTAL_PROXY_HOPS must be a whole number from 0 to 10.")
    return int(text)


def environment() -> Mapping[str, str]:
    """The process's environment: the only place where it is read."""
    return os.environ
