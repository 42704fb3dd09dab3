"""How deep pages of a list compare with its first one: every sort, both directions, with and without filters."""

import http.client
import json
from collections.abc import Iterator
from itertools import product

from portal.runs.query import ORDERS, SORTS
from scripts.bench.measure import Target, alternate
from scripts.bench.values import Values

FILTERS = {
    "all": "",
    "failed": "status=failed",
    "two statuses": "status=failed,cancelled",
    "16 people": "search={search}",
    "most people": "search=a",
    "a week": "from={from}&to={to}",
    "half": "from={half}",
    "half, failed": "from={half}&status=failed",
    "half, 16 people": "from={half}&search={search}",
    "a minute or more": "min_duration=1m",
    "a minute or more, failed": "min_duration=1m&status=failed",
    "a minute or more, half": "min_duration=1m&from={half}",
}
PAGE = 20


def report(port: int, headers: tuple[tuple[str, str], ...], values: Values, requests: int) -> Iterator[str]:
    """A line for each list: its first page, page 1,000 and nine tenths of it, and by how much these differ."""
    yield f"{'list':34}{'runs':>10}{'first':>10}{'1,000th':>10}{'90 %':>10}{'ratio':>7}"
    for (name, query), sort, direction in product(FILTERS.items(), SORTS, ORDERS):
        path = f"/api/v1/workflows/{values['workflow']}/runs?sort={sort}&order={direction}"
        path += f"&{query.format(**values)}" if query else ""
        total = _total(Target(port, path, headers))
        offsets = [0, min(999 * PAGE, total * 9 // 10), total * 9 // 10 // PAGE * PAGE]
        timings = alternate(
            [Target(port, f"{path}&offset={offset}", headers) for offset in offsets], requests
        )
        took = [timing.median_ms for timing in timings]
        cells = "".join(f"{each:>7.2f} ms" for each in took)
        yield f"{f'{name}, {sort} {direction}':34}{total:>10,}{cells}{max(took) / min(took):>6.1f}x"


def _total(target: Target) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    connection.request("GET", target.path, headers=dict(target.headers))
    return int(json.loads(connection.getresponse().read())["pagination"]["total"])
