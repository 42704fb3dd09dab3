"""`python -m scripts.bench`: load, serve, measure, print one table."""

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from scripts.bench import browser, depths
from scripts.bench.measure import Target, alternate, throughput
from scripts.bench.place import BIN, ROOT, Place, free_port, history_of, memory_mb, ready_folder
from scripts.bench.shapes import SHAPES, Shape
from scripts.bench.values import Values, read_values


def main() -> None:
    options = _options()
    given = os.environ.get("PORTAL_DATABASE_URL")
    kind = "postgresql" if given else "sqlite"
    folder = ready_folder(options.keep or ROOT / ".bench" / f"{options.runs}-{kind}", options.fresh)
    place = Place(folder, given or f"sqlite:///{folder / 'portal.sqlite3'}", free_port())
    if options.imports:
        compare_imports(options.imports)
    place.load(history_of(options.runs, options.users), options.runs)
    values = read_values(place.database)
    print(f"{values['runs']:,} runs · {kind} · {options.workers} workers")
    plan, floor_port = json.dumps({"database": place.database, "values": values}), free_port()
    floor = place.serving("scripts.bench.floor:app", options.workers, floor_port, BENCH_PLAN=plan)
    with place.serving("app:app", options.workers, place.port) as portal, floor:
        key, cookie = place.key(), place.cookie()
        print(f"{'shape':34}{'median':>9}{'p95':>9}{'floor':>9}{'ratio':>7}{'8 clients':>12}")
        for number, shape in enumerate(SHAPES):
            if not options.shapes or any(text in shape.name for text in options.shapes):
                ours = _target(place.port, shape, values, key, cookie)
                before_each = place.change_workflows if shape.changing else lambda: None
                _measure(shape.name, ours, Target(floor_port, f"/floor/{number}"), options, before_each)
        for line in depths.report(place.port, _bearer(key), values, options.depths) if options.depths else ():
            print(line, flush=True)
        print(f"memory of the server {memory_mb(portal):,.0f} MB · database {place.size_mb():,.0f} MB")
        if options.visits:
            url = f"http://127.0.0.1:{place.port}/workflows/{values['workflow']}/runs"
            print(browser.report(browser.visits(url, cookie, options.visits)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3, help="of each throughput figure")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shapes", nargs="*", help="parts of the names of the shapes to measure")
    parser.add_argument("--visits", type=int, default=10, help="of a browser to the first page; 0: none")
    parser.add_argument(
        "--depths", type=int, default=0, help="requests to each page of every sort and filter"
    )
    parser.add_argument("--imports", type=int, default=0, help="import so many with and without the counts")
    parser.add_argument("--keep", type=Path, help="where the loaded database is kept and found again")
    parser.add_argument("--fresh", action="store_true", help="load again")
    return parser.parse_args()


def _measure(
    name: str,
    portal: Target,
    floor: Target,
    options: argparse.Namespace,
    before_each: Callable[[], None],
) -> None:
    ours, least = alternate([portal, floor], options.requests, before_each)
    rate = throughput(portal, 8, options.seconds)
    print(
        f"{name:34}{ours.median_ms:>6.2f} ms{ours.p95_ms:>6.2f} ms{least.median_ms:>6.2f} ms"
        f"{ours.median_ms / least.median_ms:>6.1f}x{rate:>10,.0f}/s",
        flush=True,
    )


def _target(port: int, shape: Shape, values: Values, key: str, cookie: str) -> Target:
    path = shape.path.format(**values) + ("?" + shape.query.format(**values) if shape.query else "")
    if not shape.browser:
        return Target(port, path, _bearer(key))
    headers = (("Cookie", cookie), *((("HX-Request", "true"),) if shape.fragment else ()))
    return Target(port, path, headers)


def _bearer(key: str) -> tuple[tuple[str, str], ...]:
    return (("Authorization", f"Bearer {key}"),)


def compare_imports(runs: int) -> None:
    """Import the beginning of the history into new SQLite databases, with the counts and without."""
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.jsonl"
        with history_of(1_000_000, 1_000).open() as lines:
            part.write_text("".join(islice(lines, runs + 1)))
        for name, *flask in (("with",), ("without", str(BIN / "python"), "-m", "scripts.bench.uncounted")):
            place = Place(ready_folder(Path(folder) / name, False), f"sqlite:///{folder}/{name}.sqlite3", 0)
            place.flask("db", "upgrade")
            rate = place.bring_in(part, runs, *flask)
            print(f"import of {runs:,} runs {name} the counts: {rate}", flush=True)


if __name__ == "__main__":
    main()
