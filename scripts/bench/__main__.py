"""`python -m scripts.bench`: load, serve, measure, print one table."""

import argparse
import json
import os
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from scripts.bench.measure import Target, alternate, throughput
from scripts.bench.place import Place, free_port, memory_mb, ready_folder
from scripts.bench.shapes import SHAPES, Shape

SEARCH = "hopper 7"


def main() -> None:
    options = _options()
    folder = ready_folder(options.runs, options.fresh)
    database = os.environ.get("PORTAL_DATABASE_URL") or f"sqlite:///{folder / 'portal.sqlite3'}"
    place = Place(folder, database, free_port())
    place.load(options.runs, options.users)
    values = _values(place)
    plan = json.dumps({"database": _url(database), "values": values})
    floor_port = free_port()
    with (
        place.serving("app:app", options.workers, place.port) as portal,
        place.serving("scripts.bench.floor:app", options.workers, floor_port, BENCH_PLAN=plan),
    ):
        key, cookie = place.key(), place.cookie()
        print(f"{values['runs']:,} runs · {database.split(':')[0]} · {options.workers} workers")
        print(f"{'shape':34}{'median':>9}{'p95':>9}{'floor':>9}{'ratio':>7}{'8 clients':>12}")
        for number, shape in enumerate(SHAPES):
            if options.shapes and not any(text in shape.name for text in options.shapes):
                continue
            targets = [
                _target(place.port, shape, values, key, cookie),
                Target(floor_port, f"/floor/{number}"),
            ]
            ours, floor = alternate(targets, options.requests)
            rate = throughput(targets[0], 8, options.seconds)
            print(
                f"{shape.name:34}{ours.median_ms:>6.2f} ms{ours.p95_ms:>6.2f} ms{floor.median_ms:>6.2f} ms"
                f"{ours.median_ms / floor.median_ms:>6.1f}x{rate:>10,.0f}/s",
                flush=True,
            )
        print(f"memory of the server {memory_mb(portal):,.0f} MB · database {_size_mb(place):,.0f} MB")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3, help="of each throughput figure")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shapes", nargs="*", help="parts of the names of the shapes to measure")
    parser.add_argument("--fresh", action="store_true", help="load again")
    return parser.parse_args()


def _url(database: str) -> str:
    return database.replace("postgresql://", "postgresql+psycopg://") if "+" not in database else database


def _values(place: Place) -> dict[str, Any]:
    """What the shapes ask for, from what was loaded."""
    engine = sa.create_engine(_url(place.database))
    with engine.connect() as connection:
        workflow, workspace = connection.execute(
            sa.text(
                "SELECT w.id, w.workspace_id FROM workflows w JOIN workspaces s ON s.id = w.workspace_id WHERE s.slug = 'bench'"
            )
        ).one()
        ids = {"workflow": workflow}
        runs = connection.execute(
            sa.text(
                "SELECT pending + running + paused + completed + failed + cancelled FROM run_totals WHERE workflow_id = :workflow"
            ),
            ids,
        ).scalar_one()
        offset = runs * 9 // 10 // 20 * 20
        seek = "SELECT created_at FROM runs WHERE workflow_id = :workflow ORDER BY created_at DESC, id LIMIT 1 OFFSET :offset"
        start = _moment(connection.execute(sa.text(seek), ids | {"offset": offset}).scalar_one())
    engine.dispose()
    begin = datetime.combine(start.date() + timedelta(days=10), time(), UTC)
    end = begin + timedelta(days=7, microseconds=-1)
    day = (begin - datetime(1970, 1, 1, tzinfo=UTC)).days
    return {
        "workflow": _id(workflow), "workspace": _id(workspace), "runs": runs, "offset": offset,
        "start": start.isoformat(), "earliest": begin.isoformat(), "latest": end.isoformat(),
        "from": f"{begin:%Y-%m-%dT%H:%M:%SZ}", "to": f"{end:%Y-%m-%dT%H:%M:%S.%fZ}",
        "first": day, "last": day + 6, "search": SEARCH.replace(" ", "%20"), "text": f"%{SEARCH}%",
    }  # fmt: skip


def _moment(value: Any) -> datetime:
    moment = (
        datetime.fromtimestamp(0, UTC) + timedelta(microseconds=value) if isinstance(value, int) else value
    )
    return moment.astimezone(UTC)


def _id(value: Any) -> str:
    return str(UUID(bytes=value) if isinstance(value, bytes) else value)


def _target(port: int, shape: Shape, values: dict[str, Any], key: str, cookie: str) -> Target:
    path = shape.path.format(**values) + ("?" + shape.query.format(**values) if shape.query else "")
    if not shape.browser:
        return Target(port, path, (("Authorization", f"Bearer {key}"),))
    headers = (("Cookie", cookie), *((("HX-Request", "true"),) if shape.fragment else ()))
    return Target(port, path, headers)


def _size_mb(place: Place) -> float:
    if place.database.startswith("sqlite:"):
        return sum(file.stat().st_size for file in place.folder.glob("portal.sqlite3*")) / 1e6
    engine = sa.create_engine(_url(place.database))
    with engine.connect() as connection:
        return (
            float(connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar_one())
            / 1e6
        )


if __name__ == "__main__":
    main()
