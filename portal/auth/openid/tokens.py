"""Bearer JWTs, such as session tokens of Clerk: whose are they, and are they good? (contract 2.1)

RS256 and nothing else, with a key of the configured address and no other, whatever the token says of itself.
"""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.util import urlsafe_b64decode

from portal.config import TokenSettings

MAX_TOKEN_BYTES = 8192
MAX_SUBJECT = 255
LEEWAY = 30
"""Seconds that clocks may differ, either way."""
_LEAD_TO_OTHER_KEYS = frozenset({"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip"})
_TYPES = ("jwt", "at+jwt")
_REGISTRY = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)


class BadToken(Exception):
    """A token that is not good; the text says why, for the log and not for the caller."""


class KeySource(Protocol):
    def key(self, kid: str) -> RSAKey | None: ...


def subject_of_token(token: str, settings: TokenSettings, keys: KeySource, now: datetime) -> str:
    """The issuer's name for whom this token stands for (`sub`). Raises BadToken."""
    if len(token) > MAX_TOKEN_BYTES:
        raise BadToken(f"longer than {MAX_TOKEN_BYTES} bytes")
    kid = _key_id(_json_object(token.split(".")[0]))
    key = keys.key(kid)
    if key is None:
        raise BadToken("its key is not one of the provider's")
    try:
        payload = jws.deserialize_compact(token, key, registry=_REGISTRY).payload
    except (JoseError, ValueError) as error:
        raise BadToken(f"not signed as it must be: {type(error).__name__}") from None
    claims = _object(payload)
    _check_times(claims, now.timestamp())
    _check_parties(claims, settings)
    return _subject(claims)


def _key_id(header: Mapping[str, Any]) -> str:
    if header.get("alg") != "RS256":
        raise BadToken("its algorithm is not RS256")
    if _LEAD_TO_OTHER_KEYS & header.keys():
        raise BadToken("its header names a key or an extension of its own")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise BadToken("its type is not JWT or at+jwt")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise BadToken("it names no key")
    return kid


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued = _moment(claims, "exp"), _moment(claims, "iat")
    valid_from = _moment(claims, "nbf") if "nbf" in claims else issued
    if now >= expires + LEEWAY:
        raise BadToken(f"expired {now - expires:.0f} s ago by this machine's clock")
    for word, moment in (("issued", issued), ("valid from", valid_from)):
        if moment > now + LEEWAY:
            raise BadToken(f"{word} {moment - now:.0f} s from now by this machine's clock")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadToken(f"its {name} is no number")
    try:
        moment = float(value)
    except OverflowError:
        raise BadToken(f"its {name} is out of all bounds") from None
    if not math.isfinite(moment):
        raise BadToken(f"its {name} is no number")
    return moment


def _check_parties(claims: Mapping[str, Any], settings: TokenSettings) -> None:
    if claims.get("iss") != settings.issuer:
        raise BadToken("of another issuer")
    if settings.authorized_parties and claims.get("azp") not in settings.authorized_parties:
        raise BadToken("made for another party (azp)")
    if settings.audience is not None:
        audience = claims.get("aud")
        if settings.audience not in (audience if isinstance(audience, list) else [audience]):
            raise BadToken("made for another audience (aud)")
    if claims.get("sts", "active") != "active":
        raise BadToken("of a session that is not active yet")


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not is_subject(subject):
        raise BadToken("its subject is not 1 to 255 printable ASCII characters")
    return str(subject)


def is_subject(text: Any) -> bool:
    """Whether this can name somebody at an issuer (OpenID Connect Core, section 2)."""
    return isinstance(text, str) and 1 <= len(text) <= MAX_SUBJECT and text.isascii() and text.isprintable()


def _json_object(part: str) -> Mapping[str, Any]:
    try:
        return _object(urlsafe_b64decode(part.encode("ascii")))
    except (ValueError, TypeError):
        raise BadToken("not a JWT") from None


def _object(text: bytes) -> Mapping[str, Any]:
    """A JSON object in which no name comes twice and every number is one. Raises BadToken."""
    try:
        found = json.loads(
            text.decode("utf-8"), object_pairs_hook=_without_doubles, parse_constant=_no_number
        )
    except (ValueError, RecursionError):
        raise BadToken("not a JWT") from None
    if not isinstance(found, dict):
        raise BadToken("not a JWT")
    return found


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name comes twice")
    return names


def _no_number(_constant: str) -> float:
    raise ValueError("no number")
