"""A cache of the provider's signing keys (JWKS), which outlives an outage of the provider.

A key set in use is renewed in the background. While the provider is down, the last good set stays valid for a
day. Tokens with unknown key ids cause at most one fetch every ten seconds.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.util import urlsafe_b64decode
from urllib3.exceptions import HTTPError

RENEW_AFTER = 300.0
"""Age in seconds from which a key set is renewed in the background."""
EXPIRES_AFTER = 600.0
"""Age from which a request waits for a newer set: a withdrawn key is refused unless the fetch fails."""
STALE_AFTER = 86_400.0
"""Age from which a key set is no longer used, even if there is no newer one."""
FETCH_EVERY = 10.0
"""Seconds between two fetches for the same reason."""
TIMEOUT = 2.5
"""Seconds that a whole fetch may take, so that no request takes longer than three."""
MAX_BYTES = 1_000_000
MIN_KEY_BITS = 2048

Keys = Mapping[str, RSAKey]
log = logging.getLogger(__name__)


class UnreadableKeys(Exception):
    """The provider's answer is not a usable key set."""


class KeyCache:
    """The keys of one address, by key id. Thread-safe."""

    def __init__(
        self,
        url: str,
        fetch: Callable[[str], Keys] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._fetch, self._clock = url, fetch or fetch_keys, clock
        self._lock = threading.Lock()  # held for a moment, never while fetching
        self._keys: Keys = {}
        self._loaded_at = self._renewed_at = self._searched_at = float("-inf")
        self._failing = False
        self._fetching: threading.Event | None = None

    def key(self, kid: str) -> RSAKey | None:
        """The key with this id, or None if the provider has no such key."""
        age = self._clock() - self._loaded_at
        found = self._keys.get(kid) if age < STALE_AFTER else None
        if found is not None and age < RENEW_AFTER:
            return found
        fetching = self._begin(searching=found is None and bool(self._keys))
        if fetching is not None and (found is None or (age >= EXPIRES_AFTER and not self._failing)):
            fetching.wait(TIMEOUT)
        return self._keys.get(kid) if self._clock() - self._loaded_at < STALE_AFTER else None

    def _begin(self, searching: bool) -> threading.Event | None:
        """Start a fetch or join the one in progress; None if it is too early for another one."""
        now = self._clock()
        with self._lock:
            if self._fetching is not None:
                return self._fetching
            if now - (self._searched_at if searching else self._renewed_at) < FETCH_EVERY:
                return None
            if searching:
                self._searched_at = now
            self._renewed_at = now
            done = self._fetching = threading.Event()
        threading.Thread(target=self._renew, args=(done,), daemon=True).start()
        return done

    def _renew(self, done: threading.Event) -> None:
        try:
            keys = self._fetch(self._url)
        except (requests.RequestException, HTTPError, UnreadableKeys, OSError) as error:
            self._failing = True
            log.warning("the provider's keys cannot be read, the last good ones stay: %s", error)
        else:
            with self._lock:
                self._keys, self._loaded_at, self._failing = keys, self._clock(), False
        finally:
            self._fetching = None
            done.set()


def fetch_keys(url: str) -> Keys:
    """The keys at this address. Raises UnreadableKeys, RequestException, HTTPError, OSError."""
    deadline = time.monotonic() + TIMEOUT
    plain = {"Accept-Encoding": "identity"}
    with requests.get(url, headers=plain, stream=True, timeout=TIMEOUT, allow_redirects=False) as answer:
        if answer.status_code != 200:
            raise UnreadableKeys(f"status {answer.status_code}")
        body = b""
        while part := answer.raw.read1(65_536, decode_content=False):
            body += part
            if len(body) > MAX_BYTES:
                raise UnreadableKeys(f"more than {MAX_BYTES} bytes")
            if time.monotonic() > deadline:
                raise UnreadableKeys(f"not complete after {TIMEOUT} s")
    return read_keys(body)


def read_keys(body: bytes) -> Keys:
    """The keys for RS256, by key id. Raises UnreadableKeys if there is none."""
    try:
        entries = json.loads(body)["keys"]
        keys = {entry["kid"]: _rsa_key(entry) for entry in entries if _is_for_rs256(entry)}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UnreadableKeys("no JSON set of keys") from None
    usable = {kid: key for kid, key in keys.items() if key is not None}
    if not usable:
        raise UnreadableKeys("no key for RS256 in the set")
    return usable


def _is_for_rs256(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("kty") == "RSA"
        and isinstance(entry.get("kid"), str)
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
    )


def _rsa_key(entry: dict[str, Any]) -> RSAKey | None:
    """The public key, or None if it is malformed or too short."""
    try:
        if len(urlsafe_b64decode(entry["n"].encode().lstrip(b"A"))) * 8 < MIN_KEY_BITS:
            return None
        return RSAKey.import_key({"kty": "RSA", "kid": entry["kid"], "n": entry["n"], "e": entry["e"]})
    except (JoseError, ValueError, KeyError, TypeError, AttributeError):
        return None
