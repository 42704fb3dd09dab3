"""Bearer JWTs, such as session tokens of Clerk: verified, and read for their subject (contract 2.1).

joserfc verifies the signature, the times and the parties. The rules of the header are our own: RS256 alone,
with a key of the configured address, whatever the token's header names.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import NoReturn, Protocol, TypeGuard

from joserfc import jws
from joserfc.errors import ClaimError, ExpiredTokenError, InvalidClaimError, JoseError
from joserfc.jwk import RSAKey
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry
from joserfc.util import urlsafe_b64decode

from portal.config import TokenSettings

MAX_TOKEN_BYTES = 8192
MAX_SUBJECT = 255
LEEWAY = 30
"""Seconds that clocks may differ, either way."""
_TIMES = ("exp", "iat", "nbf")
_LAST_MOMENT = 2**53
"""Beyond it JSON numbers are not exact: an expiry there is a mistake, not a token that lasts."""
_LEAD_TO_OTHER_KEYS = frozenset({"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip"})
_TYPES = ("jwt", "at+jwt")
_SIGNATURES = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)

Claims = Mapping[str, object]
"""The value of each claim is what an outsider wrote: any JSON."""


class BadToken(Exception):
    """The token is refused; the message says why, for the log and not for the caller."""


class KeySource(Protocol):
    def key(self, kid: str) -> RSAKey | None: ...


def subject_of_token(token: str, settings: TokenSettings, keys: KeySource, now: datetime) -> str:
    """The `sub` claim of a valid token: the issuer's name for the person. Raises BadToken."""
    if len(token) > MAX_TOKEN_BYTES:
        raise BadToken(f"longer than {MAX_TOKEN_BYTES} bytes")
    kid = _key_id(_json_object(token.split(".")[0]))
    key = keys.key(kid)
    if key is None:
        raise BadToken("its key is not one of the provider's")
    try:
        payload = jws.deserialize_compact(token, key, registry=_SIGNATURES).payload
    except (JoseError, ValueError) as error:
        raise BadToken(f"not signed as it must be: {type(error).__name__}") from None
    claims = _object(payload)
    _check_claims(claims, settings, now.timestamp())
    return _subject(claims)


def _key_id(header: Claims) -> str:
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


class _SessionClaims(JWTClaimsRegistry):
    """joserfc's rules of claims, with those of `azp` and `sts`: one text, where joserfc takes lists too."""

    def validate_azp(self, value: object) -> None:
        self._check_text("azp", value)

    def validate_sts(self, value: object) -> None:
        self._check_text("sts", value)

    def validate_exp(self, value: object) -> None:
        super().validate_exp(value)
        if isinstance(value, int | float) and value > _LAST_MOMENT:
            raise InvalidClaimError("exp")

    def _check_text(self, name: str, value: object) -> None:
        if not isinstance(value, str):
            raise InvalidClaimError(name)
        self.check_value(name, value)


def _check_claims(claims: Claims, settings: TokenSettings, now: float) -> None:
    """Check when the token is valid, who issued it and for whom. Raises BadToken."""
    rules: dict[str, ClaimsOption] = {
        "exp": {"essential": True},
        "iat": {"essential": True},
        "nbf": {},
        "iss": {"essential": True, "value": settings.issuer},
        "sts": {"value": "active"},
    }
    if settings.authorized_parties:
        rules["azp"] = {"essential": True, "values": list(settings.authorized_parties)}
    if settings.audience is not None:
        rules["aud"] = {"essential": True, "value": settings.audience}
    # No other claims: joserfc would refuse odd values of some that are not used here.
    checked = {name: claims[name] for name in rules if name in claims}
    try:
        _SessionClaims(round(now), LEEWAY, **rules).validate(checked)
    except ClaimError as error:
        raise BadToken(_reason(error, claims, now)) from None


def _reason(error: ClaimError, claims: Claims, now: float) -> str:
    """What is wrong with a claim; where clocks may differ, by how much."""
    moment = claims.get(error.claim) if error.claim in _TIMES else None
    if isinstance(moment, bool) or not isinstance(moment, int | float) or not abs(moment) < _LAST_MOMENT:
        return error.description
    if isinstance(error, ExpiredTokenError):
        return f"expired {now - moment:.0f} s ago by this machine's clock"
    return f"its {error.claim} lies {moment - now:.0f} s from now by this machine's clock"


def _subject(claims: Claims) -> str:
    subject = claims.get("sub")
    if not is_subject(subject):
        raise BadToken(f"its subject is not 1 to {MAX_SUBJECT} printable ASCII characters")
    return subject


def is_subject(text: object) -> TypeGuard[str]:
    """Whether this can be a `sub` claim (OpenID Connect Core, section 2)."""
    return isinstance(text, str) and 1 <= len(text) <= MAX_SUBJECT and text.isascii() and text.isprintable()


def _json_object(part: str) -> Claims:
    try:
        return _object(urlsafe_b64decode(part.encode("ascii")))
    except (ValueError, TypeError):
        raise BadToken("not a JWT") from None


def _object(text: bytes) -> Claims:
    """A JSON object without duplicate names, NaN and Infinity. Raises BadToken."""
    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=_unique_names, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadToken("not a JWT") from None
    if not isinstance(found, dict):
        raise BadToken("not a JWT")
    return found


def _unique_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name comes twice")
    return names


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
