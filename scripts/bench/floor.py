"""The floor: a bare Flask view that does only the best SQL, below any library, and JSON for the same rows."""

import os
import re
import sqlite3
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
from flask import Flask, Response

from scripts.bench.shapes import SHAPES, Shape

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = ("start", "begun", "earliest", "latest")
plan: dict[str, Any] = orjson.loads(os.environ["BENCH_PLAN"])
sqlite = plan["database"].startswith("sqlite:")
app = Flask(__name__)
kept = threading.local()


def connection() -> Any:
    if not hasattr(kept, "connection"):
        if sqlite:
            file = plan["database"].removeprefix("sqlite:///")
            kept.connection = sqlite3.connect(file, isolation_level=None)
            kept.connection.execute("PRAGMA cache_size = -16384")  # as the portal's
        else:
            kept.connection = psycopg.connect(plan["database"].replace("+psycopg", ""), autocommit=True)
            kept.connection.prepare_threshold = 1
    return kept.connection


def bound(values: dict[str, Any]) -> dict[str, Any]:
    """Ids and moments as the database keeps them."""
    ids = {name: UUID(values[name]) for name in ("workflow", "workspace")}
    moments = {name: datetime.fromisoformat(values[name]) for name in MOMENTS}
    if not sqlite:
        return {**values, **ids, **moments}
    whole = {name: (at - EPOCH) // timedelta(microseconds=1) for name, at in moments.items()}
    return {**values, **{name: uuid.bytes for name, uuid in ids.items()}, **whole}


def dialect(text: str) -> str:
    return text if sqlite else re.sub(r":(\w+)", r"%(\1)s", text)


VALUES = bound(plan["values"])
QUERIES = [tuple(map(dialect, (shape.people, shape.rows, shape.total))) for shape in SHAPES]


def plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name.endswith("id"):
        if not sqlite:
            return str(value)
        text = value.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    if name.endswith("_at"):
        moment = EPOCH + timedelta(microseconds=value) if sqlite else value
        return moment.isoformat()[:-6] + "Z"
    return orjson.loads(value) if name == "usage_summary" and sqlite else value


def item(shape: Shape, row: Sequence[Any]) -> dict[str, Any]:
    values = {name: plain(name, value) for name, value in zip(shape.fields, row, strict=True)}
    if "user_name" in values:
        values["triggered_by"] = {"user_id": values.pop("user_id"), "user_name": values.pop("user_name")}
    return values


@app.get("/floor/<int:number>")
def floor(number: int) -> Response:
    shape, (people, rows, total) = SHAPES[number], QUERIES[number]
    cursor = connection().cursor()
    if people:
        found = ", ".join(str(person) for [person] in cursor.execute(people, VALUES))
        rows, total = rows.replace("{people}", found), total.replace("{people}", found)
    items = [item(shape, row) for row in cursor.execute(rows, VALUES).fetchall()]
    [count] = cursor.execute(total, VALUES).fetchone() or (0,)
    body = orjson.dumps({"data": items, "pagination": {"total": int(count)}})
    return Response(body, mimetype="application/json")
