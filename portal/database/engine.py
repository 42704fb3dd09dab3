"""The SQLAlchemy engine: connection options of both databases, and JSON columns."""

import json
import re

import orjson
import sqlalchemy as sa
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from portal.database.columns import Base

SQLITE_BUSY_SECONDS = 30
"""SQLite's busy timeout."""

CONNECT_SECONDS = 3
"""Connect timeout of PostgreSQL."""

CONNECTIONS = 8
"""Size of the connection pool: one for each worker thread (gunicorn.conf.py)."""

SQLITE_CACHE_KIB = 16 * 1024

_LONG_NUMBER = re.compile("[0-9]{19}")

db = SQLAlchemy(metadata=Base.metadata, disable_autonaming=True)
migrate = Migrate()


def _to_json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # integers over 64 bits
        return json.dumps(value)


def _from_json(text: str | bytes) -> object:
    """Parse a JSON column; the standard library reads integers over 64 bits, which orjson cannot."""
    decoded = text if isinstance(text, str) else text.decode()
    value: object = json.loads(decoded) if _LONG_NUMBER.search(decoded) else orjson.loads(decoded)
    return value


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
"""PostgreSQL settings that the portal depends on, whatever role and database have as defaults."""


def engine_options(url: sa.URL) -> dict[str, object]:
    """`SQLALCHEMY_ENGINE_OPTIONS` for this URL.

    Reads on PostgreSQL run in autocommit: under READ COMMITTED each statement has its own snapshot anyway.
    """
    options: dict[str, object] = {
        "json_serializer": _to_json,
        "json_deserializer": _from_json,
        "pool_size": CONNECTIONS,
    }
    if url.get_backend_name() == "sqlite":
        return options | {"connect_args": {"timeout": SQLITE_BUSY_SECONDS}}
    wanted = url.query.get("options", ())
    flags = [wanted] if isinstance(wanted, str) else [*wanted]
    flags += [f"-c {name}={value}" for name, value in SESSION_SETTINGS.items()]
    return options | {
        "isolation_level": "AUTOCOMMIT",
        "pool_timeout": 5,
        "connect_args": {"connect_timeout": CONNECT_SECONDS, "options": " ".join(flags)},
    }
