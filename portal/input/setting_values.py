"""Values of settings: how the text of one is read, and what refuses it."""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from portal.input import sentences
from portal.input.addresses import BadAddress, normal_url

MIN_SECRET_BYTES = 32
WELL_KNOWN = ("changeme", "change-me", "secret", "password", "example", "development", "insecure")


class BadSetting(ValueError):
    """A setting with which the portal does not start; the message names it and says what is allowed."""


def secret(environ: Mapping[str, str], name: str) -> str | None:
    """A secret from the variable `name`, or from the file that `name_FILE` names."""
    if environ.get(name):
        return environ[name]
    file = environ.get(f"{name}_FILE")
    if not file:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSetting(f"{name}_FILE names a file that cannot be read: {error.strerror}.") from None


def strong_secret(key: str, name: str) -> str:
    weak = len(key.encode()) < MIN_SECRET_BYTES or len(set(key)) < 10
    if weak or any(word in key.lower() for word in WELL_KNOWN):
        raise BadSetting(
            f"{name} is too weak: use at least {MIN_SECRET_BYTES} random bytes, "
            "no sample value and no common placeholder."
        )
    return key


def flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").strip().lower() or "false"
    if text not in ("true", "false"):
        raise BadSetting(f"{name} must be true or false.")
    return text == "true"


def whole_number(environ: Mapping[str, str], name: str, default: int, maximum: int, minimum: int = 0) -> int:
    text = environ.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and minimum <= int(text) <= maximum):
        raise BadSetting(f"{name} {sentences.whole_number(minimum, maximum)}")
    return int(text)


def seconds(environ: Mapping[str, str], name: str, default: float, minimum: float, maximum: float) -> float:
    """A decimal number such as 0.25."""
    text = environ.get(name, "").strip() or str(default)
    if not (re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) and minimum <= float(text) <= maximum):
        raise BadSetting(f"{name} must be a number of seconds from {minimum} to {maximum}.")
    return float(text)


def file(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name, "").strip()
    return Path(text) if text else None


def distributions(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Names of Python packages, each once: `My_Package` is `my-package`."""
    names = environ.get(name, "").replace(",", " ").split()
    for each in names:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", each, re.ASCII):
            raise BadSetting(f"{name} must name installed packages, with commas or spaces between them.")
    return tuple(dict.fromkeys(re.sub(r"[-_.]+", "-", each).lower() for each in names))


def base_url(environ: Mapping[str, str], name: str) -> str | None:
    """A URL of scheme, host, port and path, normalised as browsers do."""
    text = environ.get(name, "").strip()
    try:
        return normal_url(text) if text else None
    except BadAddress as refusal:
        raise BadSetting(f"{name} {refusal}.") from None


def provider_url(environ: Mapping[str, str], name: str) -> str:
    """A URL of the identity provider: https, or plain http on this machine."""
    text = environ.get(name, "").strip()
    parts = split_url(text)
    if not text:
        return ""
    if parts is None or not parts.hostname or parts.username is not None or parts.fragment:
        raise BadSetting(f"{name} must be a URL such as https://accounts.example.com/….")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise BadSetting(f"{name} must begin with https://; plain http is for this machine only.")
    return text


def is_loopback(host: str) -> bool:
    """Whether a host name or address is that of the loopback interface."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def split_url(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
