"""Rate limits: how many requests a key, a person or an address may make in a minute (contract 1.6).

A window of a minute begins with the first request counted in it. Counted in memory, each worker for itself,
or in Redis for all of them; while Redis does not answer, in memory.
"""

import ipaddress
import logging
import math
import time
from typing import Any

from flask import Flask, Request, current_app
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.auth.principals import Principal
from portal.config import LimitSettings, Settings
from portal.errors import TooManyRequests

NO_LIMIT = 0
MEMORY = "memory://"
REDIS_SECONDS = 0.5
"""How long Redis may take before counting goes on in memory."""
RETRY_REDIS_SECONDS = 10

log = logging.getLogger(__name__)


class Counter:
    """Counts what is spent, in the storage of the settings or, while that fails, in memory."""

    def __init__(self, settings: LimitSettings) -> None:
        self.settings = settings
        self._memory = FixedWindowRateLimiter(_storage(MEMORY))
        shared = settings.storage_url
        self._shared = FixedWindowRateLimiter(_storage(shared)) if shared else None
        self._shared_fails_until = 0.0

    def spend(self, purse: str, owner: str, per_min: int) -> None:
        """Count one request of this owner. Raises TooManyRequests when the minute's are spent."""
        if per_min == NO_LIMIT:
            return
        limiter, item = self._limiter(), RateLimitItemPerMinute(per_min, namespace=purse)
        try:
            wait = _wait(limiter, item, owner)
        except StorageError as error:
            log.warning("counting requests in memory: the shared storage fails: %s", error)
            self._shared_fails_until = time.monotonic() + RETRY_REDIS_SECONDS
            wait = _wait(self._memory, item, owner)
        if wait is not None:
            raise TooManyRequests(f"Too many requests. Try again in {wait} s.", wait)

    def shared_answers(self) -> bool:
        """Whether the shared storage can be reached, where there is one."""
        return self._shared is not None and self._shared.storage.check()

    def _limiter(self) -> FixedWindowRateLimiter:
        if self._shared is None or time.monotonic() < self._shared_fails_until:
            return self._memory
        return self._shared


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions["portal.limits"] = Counter(settings.limits)


def counter() -> Counter:
    found: Counter = current_app.extensions["portal.limits"]
    return found


def count_request(principal: Principal) -> None:
    """Count a request of somebody who is known. Raises TooManyRequests."""
    count = counter()
    owner = principal.api_key_id or principal.user.id
    own = principal.rate_limit_per_min
    count.spend("request", owner.hex, count.settings.per_min if own is None else own)


def count_attempt(purse: str, request: Request) -> None:
    """Count an attempt of somebody unknown: a refused credential, a sign-in. Raises TooManyRequests."""
    count = counter()
    count.spend(purse, neighbourhood(request.remote_addr), count.settings.attempts_per_min)


def neighbourhood(address: str | None) -> str:
    """The address; of IPv6 its first 64 bits, since one machine has all the rest."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "nowhere"
    if ip.version == 4:
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))


def _wait(limiter: FixedWindowRateLimiter, item: RateLimitItem, owner: str) -> int | None:
    """Count one; None, or where it is one too many the whole seconds until the next is taken."""
    if limiter.hit(item, owner):
        return None
    left = limiter.get_window_stats(item, owner).reset_time - time.time()
    return min(max(1, math.ceil(left)), 60)


def _storage(url: str) -> Storage:
    if url == MEMORY:
        return MemoryStorage(url)
    options: Any = {
        "socket_timeout": REDIS_SECONDS,
        "socket_connect_timeout": REDIS_SECONDS,
        "retry": Retry(NoBackoff(), 1),  # a connection that idled away is opened anew, once
    }
    return RedisStorage(url, wrap_exceptions=True, **options)
