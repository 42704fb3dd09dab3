"""The floor: a bare Flask view that does only the best SQL, below any library, and JSON for the same rows."""

import json
import os
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask, Response

from scripts.bench.shapes import FIELDS, SHAPES

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
plan: dict[str, Any] = json.loads(os.environ["BENCH_PLAN"])
sqlite = plan["database"].startswith("sqlite:")
app = Flask(__name__)
kept = threading.local()


def connection() -> Any:
    if not hasattr(kept, "connection"):
        if sqlite:
            kept.connection = sqlite3.connect(
                plan["database"].removeprefix("sqlite:///"), isolation_level=None
            )
        else:
            kept.connection = psycopg.connect(plan["database"].replace("+psycopg", ""), autocommit=True)
            kept.connection.prepare_threshold = 1
    return kept.connection


def bound(values: dict[str, Any]) -> dict[str, Any]:
    """Ids and moments as the database keeps them."""
    ids = {name: UUID(values[name]) for name in ("workflow", "workspace")}
    moments = {name: datetime.fromisoformat(values[name]) for name in ("start", "earliest", "latest")}
    if not sqlite:
        return {**values, **ids, **moments}
    whole = {name: (at - EPOCH) // timedelta(microseconds=1) for name, at in moments.items()}
    return {**values, **{name: uuid.bytes for name, uuid in ids.items()}, **whole}


def dialect(text: str) -> str:
    if sqlite:
        return text
    for name in ("workflow", "workspace", "text", "start", "earliest", "latest", "first", "last"):
        text = text.replace(f":{name}", f"%({name})s")
    return text


VALUES = bound(plan["values"])
QUERIES = {shape.name: (dialect(shape.rows), dialect(shape.total)) for shape in SHAPES}


def plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in ("id", "user_id"):
        return str(UUID(bytes=value)) if sqlite else str(value)
    if name.endswith("_at"):
        moment = EPOCH + timedelta(microseconds=value) if sqlite else value
        return moment.isoformat().replace("+00:00", "Z")
    return json.loads(value) if name == "usage_summary" and sqlite else value


@app.get("/floor/<int:number>")
def floor(number: int) -> Response:
    rows, total = QUERIES[SHAPES[number].name]
    cursor = connection().cursor()
    found = cursor.execute(rows, VALUES).fetchall()
    [count] = cursor.execute(total, VALUES).fetchone() or (0,)
    items = []
    for row in found:
        item = {name: plain(name, value) for name, value in zip(FIELDS, row, strict=False)}
        item["triggered_by"] = {"user_id": plain("user_id", row[-2]), "user_name": row[-1]}
        items.append(item)
    return Response(
        json.dumps({"data": items, "pagination": {"total": int(count)}}), mimetype="application/json"
    )
