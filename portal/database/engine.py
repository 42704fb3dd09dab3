"""The engine: how it connects to either kind of database, and how it reads and writes JSON columns."""

import json
import re
from typing import Any

import orjson
import sqlalchemy as sa
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from portal.database.columns import Base

SQLITE_BUSY_SECONDS = 30
"""How long a SQLite connection waits for another one's lock before it gives up."""

CONNECT_SECONDS = 3
"""How long PostgreSQL may take to accept a connection."""

CONNECTIONS = 8
"""How many connections a process keeps open: one for each thread that serves (gunicorn.conf.py)."""

SQLITE_CACHE_KIB = 16 * 1024

_LONG_NUMBER = re.compile("[0-9]{19}")

db = SQLAlchemy(metadata=Base.metadata, disable_autonaming=True)
migrate = Migrate()


def _to_json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # whole numbers of more than 64 bits
        return json.dumps(value)


def _from_json(text: str | bytes) -> Any:
    """Read what the database keeps; whole numbers of more than 64 bits by the library's own reader."""
    written = text if isinstance(text, str) else text.decode()
    return json.loads(written) if _LONG_NUMBER.search(written) else orjson.loads(written)


SESSION_SETTINGS = {
    "timezone": "UTC",
    "client_encoding": "UTF8",
    "datestyle": "ISO,MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "extra_float_digits": "1",
    "transform_null_equals": "off",
    "default_transaction_isolation": r"read\ committed",
    "jit": "off",
}
"""Settings of PostgreSQL on which what is read and written depends; a role or a database may have others."""


def engine_options(url: sa.URL) -> dict[str, Any]:
    """Options for the engine of this URL (`SQLALCHEMY_ENGINE_OPTIONS`).

    On PostgreSQL reading needs no transaction: each statement of one would see the newest all the same.
    """
    kept = {"json_serializer": _to_json, "json_deserializer": _from_json, "pool_size": CONNECTIONS}
    if url.get_backend_name() == "sqlite":
        return kept | {"connect_args": {"timeout": SQLITE_BUSY_SECONDS}}
    wanted = url.query.get("options", ())
    options = [wanted] if isinstance(wanted, str) else [*wanted]
    options += [f"-c {name}={value}" for name, value in SESSION_SETTINGS.items()]
    return kept | {
        "isolation_level": "AUTOCOMMIT",
        "pool_timeout": 5,
        "connect_args": {"connect_timeout": CONNECT_SECONDS, "options": " ".join(options)},
    }
