"""Asking over HTTP and keeping the time: portal and floor in turn, so that a machine's moods hit both."""

import http.client
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

WARM_UP = 20
"""Requests that are not counted."""


@dataclass(frozen=True)
class Target:
    port: int
    path: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Timing:
    median_ms: float
    p95_ms: float


def alternate(
    targets: list[Target], requests: int, before_each: Callable[[], None] = lambda: None
) -> list[Timing]:
    """Each target asked this often on a connection of its own, taking turns; what goes before is not timed."""
    connections = [http.client.HTTPConnection("127.0.0.1", target.port, timeout=60) for target in targets]
    times: list[list[float]] = [[] for _ in targets]
    for number in range(requests + WARM_UP):
        before_each()
        for place, target in enumerate(targets):
            took = _ask(connections[place], target)
            if number >= WARM_UP:
                times[place].append(took * 1000)
    return [Timing(median(each), quantiles(each, n=20)[-1]) for each in times]


def _ask(connection: http.client.HTTPConnection, target: Target) -> float:
    begin = time.perf_counter()
    connection.request("GET", target.path, headers=dict(target.headers))
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - begin
    if answer.status != 200:
        raise RuntimeError(f"{target.path} answered {answer.status}: {body[:300]!r}")
    return took


def throughput(target: Target, clients: int, seconds: float) -> float:
    """Requests a second that so many clients get, each a process with one connection."""
    with multiprocessing.Pool(clients) as pool:
        return sum(pool.starmap(_client, [(target, seconds)] * clients)) / seconds


def _client(target: Target, seconds: float) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    end, asked = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        _ask(connection, target)
        asked += 1
    return asked
