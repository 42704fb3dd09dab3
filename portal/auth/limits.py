"""Rate limits: how many requests a key, a person or an address may make in a minute (contract 1.6).

A window of a minute begins with the first request counted in it. Counted in memory, each worker for itself,
or in Redis for all of them; while Redis does not answer, in memory. What is left of a minute is told by a
monotonic clock, or by Redis: the wall clock may jump.
"""

import ipaddress
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Request, current_app
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.auth.principals import Principal
from portal.config import LimitSettings, Settings
from portal.errors import TooManyRequests

NO_LIMIT = 0
A_MINUTE = 60
REDIS_SECONDS = 0.5
"""How long Redis may take before counting goes on in memory."""
RETRY_REDIS_SECONDS = 10

log = logging.getLogger(__name__)


class Windows:
    """What is spent in this process: for each owner of a purse, when the minute ends and how much went."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], tuple[float, int]] = {}
        self._next_sweep = float("-inf")

    def __len__(self) -> int:
        return len(self._open)

    def spend(self, purse: str, owner: str, per_min: int) -> float | None:
        """Count one; None, or where it is one too many the seconds until the minute ends."""
        now = self._clock()
        with self._lock:
            if now >= self._next_sweep:
                self._open = {key: window for key, window in self._open.items() if window[0] > now}
                self._next_sweep = now + A_MINUTE
            end, spent = self._open.get((purse, owner), (now, 0))
            if end <= now:
                end, spent = now + A_MINUTE, 0
            self._open[purse, owner] = (end, spent + 1)
        return end - now if spent >= per_min else None


class Counter:
    """Counts what is spent, in Redis where the settings name one, or, while that fails, in memory."""

    def __init__(self, settings: LimitSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._memory = Windows(clock)
        self._shared = _shared(settings.storage_url) if settings.storage_url else None
        self._shared_fails_until = float("-inf")

    def spend(self, purse: str, owner: str, per_min: int) -> None:
        """Count one request of this owner. Raises TooManyRequests when the minute's are spent."""
        if per_min == NO_LIMIT:
            return
        left = self._spend(purse, owner, per_min)
        if left is not None:
            wait = min(max(1, math.ceil(left)), A_MINUTE)
            raise TooManyRequests(f"Too many requests. Try again in {wait} s.", wait)

    def shared_answers(self) -> bool:
        """Whether the shared storage can be reached, where there is one."""
        return self._shared is not None and self._shared.storage.check()

    def _spend(self, purse: str, owner: str, per_min: int) -> float | None:
        if self._shared is None or self._clock() < self._shared_fails_until:
            return self._memory.spend(purse, owner, per_min)
        item = RateLimitItemPerMinute(per_min, namespace=purse)
        try:
            if self._shared.hit(item, owner):
                return None
            return _seconds_left(self._shared.storage, item.key_for(owner))
        except (StorageError, RedisError) as error:
            log.warning("counting requests in memory: the shared storage fails: %s", error)
            self._shared_fails_until = self._clock() + RETRY_REDIS_SECONDS
            return self._memory.spend(purse, owner, per_min)


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


def _shared(url: str) -> FixedWindowRateLimiter:
    options: Any = {
        "socket_timeout": REDIS_SECONDS,
        "socket_connect_timeout": REDIS_SECONDS,
        "retry": Retry(NoBackoff(), 1),  # a connection that idled away is opened anew, once
    }
    return FixedWindowRateLimiter(RedisStorage(url, wrap_exceptions=True, **options))


def _seconds_left(storage: Any, key: str) -> float:
    """How long Redis keeps the count of this minute. The library would add our wall clock to that."""
    milliseconds: int = storage.get_connection(readonly=True).pttl(storage.prefixed_key(key))
    return max(milliseconds, 0) / 1000
