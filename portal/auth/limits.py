"""Rate limits: how many requests a key, a user or an address may make per minute (contract 1.6).

Fixed-window counters: a window of a minute opens with the first request counted in it. They live in memory,
per worker, or in Redis, shared by all workers; while Redis does not answer, in memory. A monotonic clock or
Redis itself tells how much of a window is left, because the wall clock may jump. Exports, which may take
long, are limited by how many go on at a time.
"""

import ipaddress
import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from uuid import UUID

from flask import Flask, Request, current_app
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.auth.principals import Principal
from portal.config import LimitSettings, Settings
from portal.errors import TooManyRequests

UNLIMITED = 0
WINDOW_SECONDS = 60
REDIS_SECONDS = 0.5
"""Timeout of Redis; after it, counting falls back to memory."""
RETRY_REDIS_SECONDS = 10
MOST_EXPORTS = 2
RETRY_EXPORT_SECONDS = 10
"""When it is worth a new try: nobody knows how long an answer takes whose reader sets the pace."""

log = logging.getLogger(__name__)


class FixedWindows:
    """Fixed-window counters in memory: for each client of a limit, the end of its window and its hits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], tuple[float, int]] = {}
        self._next_sweep = float("-inf")

    def __len__(self) -> int:
        return len(self._open)

    def hit(self, namespace: str, client: str, per_min: int) -> float | None:
        """Count a hit. Returns None if it is within the limit, else the seconds until the window ends."""
        now = self._clock()
        with self._lock:
            if now >= self._next_sweep:
                self._open = {key: window for key, window in self._open.items() if window[0] > now}
                self._next_sweep = now + WINDOW_SECONDS
            end, hits = self._open.get((namespace, client), (now, 0))
            if end <= now:
                end, hits = now + WINDOW_SECONDS, 0
            self._open[namespace, client] = (end, hits + 1)
        return end - now if hits >= per_min else None


class RateLimiter:
    """Counts hits in Redis if the settings name one, falling back to memory while it fails."""

    def __init__(self, settings: LimitSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._memory = FixedWindows(clock)
        self._shared = _shared(settings.storage_url) if settings.storage_url else None
        self._memory_until = float("-inf")

    def hit(self, namespace: str, client: str, per_min: int) -> None:
        """Count a request of this client. Raises TooManyRequests over the limit."""
        if per_min == UNLIMITED:
            return
        seconds = self._seconds_to_wait(namespace, client, per_min)
        if seconds is not None:
            wait = min(max(1, math.ceil(seconds)), WINDOW_SECONDS)
            raise TooManyRequests(f"Too many requests. Try again in {wait} s.", wait)

    def redis_answers(self) -> bool:
        """Whether a Redis is configured and can be reached."""
        return self._shared is not None and self._shared.storage.check()

    def _seconds_to_wait(self, namespace: str, client: str, per_min: int) -> float | None:
        if self._shared is None or self._clock() < self._memory_until:
            return self._memory.hit(namespace, client, per_min)
        item = RateLimitItemPerMinute(per_min, namespace=namespace)
        try:
            if self._shared.hit(item, client):
                return None
            return _seconds_left(self._shared.storage, item.key_for(client))
        except (StorageError, RedisError) as error:
            log.warning("counting requests in memory: the shared storage fails: %s", error)
            self._memory_until = self._clock() + RETRY_REDIS_SECONDS
            return self._memory.hit(namespace, client, per_min)


class Slots:
    """Counts the exports that are going on for each client, in this process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken: Counter[UUID] = Counter()

    def take(self, client: UUID) -> Callable[[], None]:
        """Take one; what is returned gives it back, however often it is called. Raises TooManyRequests."""
        with self._lock:
            if self._taken[client] >= self._most:
                message = f"You have {self._most} exports going on. Try again when one has ended."
                raise TooManyRequests(message, RETRY_EXPORT_SECONDS)
            self._taken[client] += 1
        return partial(self._give_back, client, [True])

    def _give_back(self, client: UUID, taken: list[bool]) -> None:
        with self._lock:
            if taken:
                taken.clear()
                self._taken[client] -= 1
            self._taken = +self._taken  # without those that have none


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions["portal.limits"] = RateLimiter(settings.limits)
    app.extensions["portal.exports"] = Slots(MOST_EXPORTS)


def rate_limiter() -> RateLimiter:
    found: RateLimiter = current_app.extensions["portal.limits"]
    return found


def client_of(principal: Principal) -> UUID:
    """Whose requests are counted together: those of a key, or of a person."""
    return principal.api_key_id or principal.user.id


def count_request(principal: Principal) -> None:
    """Count a request of an authenticated principal. Raises TooManyRequests."""
    count_client(client_of(principal), principal.rate_limit_per_min)


def take_export(principal: Principal) -> Callable[[], None]:
    """Begin an export for this principal; call what is returned at its end. Raises TooManyRequests."""
    slots: Slots = current_app.extensions["portal.exports"]
    return slots.take(client_of(principal))


def count_client(client: UUID, own_limit: int | None) -> None:
    """Count a request of a key or a user, whose own limit replaces the portal's. Raises TooManyRequests."""
    count = rate_limiter()
    count.hit("request", client.hex, count.settings.per_min if own_limit is None else own_limit)


def count_attempt(namespace: str, request: Request) -> None:
    """Count an unauthenticated attempt: a refused credential, a sign-in. Raises TooManyRequests."""
    count = rate_limiter()
    count.hit(namespace, client_network(request.remote_addr), count.settings.attempts_per_min)


def client_network(address: str | None) -> str:
    """The IPv4 address, or the /64 network of an IPv6 one: a single machine owns all of it."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "nowhere"
    if ip.version == 4:
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))


def _shared(url: str) -> FixedWindowRateLimiter:
    storage = RedisStorage(
        url,
        wrap_exceptions=True,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 1),  # type: ignore[arg-type]  # one reconnect, for a connection closed while idle
    )
    return FixedWindowRateLimiter(storage)


def _seconds_left(storage: Storage, key: str) -> float:
    """The window's time to live in Redis: `get_expiry` would mix it with this machine's wall clock."""
    assert isinstance(storage, RedisStorage)  # noqa: S101  (`_shared` makes no other)
    redis: Redis = storage.get_connection(readonly=True)  # type: ignore[assignment]  # its protocol lacks pttl
    milliseconds = redis.pttl(storage.prefixed_key(key))
    assert isinstance(milliseconds, int)  # noqa: S101  (an Awaitable only of the asyncio client)
    return max(milliseconds, 0) / 1000
