"""Whether a delivery comes from whoever knows a secret: GitHub signs its body, GitLab sends a token."""

import hashlib
import hmac
from collections.abc import Sequence

_SCHEME = "sha256="


def is_signed(body: bytes, signature: str, secrets: Sequence[str]) -> bool:
    """Whether `X-Hub-Signature-256` is that of these bytes with one of the secrets."""
    signed = [_SCHEME + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets]
    return _is_one_of(signature, signed)


def has_token(token: str, secrets: Sequence[str]) -> bool:
    """Whether `X-Gitlab-Token` is one of the secrets."""
    return _is_one_of(token, secrets)


def _is_one_of(given: str, expected: Sequence[str]) -> bool:
    """Compare with all of them, in constant time."""
    said = given.encode()
    return sum(hmac.compare_digest(said, each.encode()) for each in expected) > 0
