"""Databases brought into an odd state, each of its own kind, and out of it again."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.conftest import postgres_database

NOBODY = pwd.getpwnam("nobody").pw_uid


@dataclass
class Database:
    """A database that can be made read-only, as a failover or a change of rights does it."""

    url: str
    file: Path | None = None

    def run(self, *statements: str) -> list[Any]:
        """Run statements as its operator would, past the portal; the rows of the last one."""
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT")
        rows: list[Any] = []
        with as_owner(), engine.connect() as connection:
            if self.file is None:
                connection.exec_driver_sql("SET default_transaction_read_only = off")
            for statement in statements:
                done = connection.exec_driver_sql(statement)
                rows = list(done.all()) if done.returns_rows else []
        engine.dispose()
        return rows

    def take_no_changes(self) -> None:
        self._set("SET default_transaction_read_only = on", 0o444)

    def take_changes(self) -> None:
        self._set("RESET default_transaction_read_only", 0o644)

    def _set(self, setting: str, mode: int) -> None:
        if self.file is None:
            self.run(f'ALTER DATABASE "{sa.make_url(self.url).database}" {setting}')
            return
        for file in self.file.parent.glob(f"{self.file.name}*"):
            file.chmod(mode)


@contextmanager
def as_owner() -> Iterator[None]:
    """Act as the user who runs the tests meanwhile."""
    acting = os.geteuid()
    os.seteuid(os.getuid())
    try:
        yield
    finally:
        os.seteuid(acting)


@contextmanager
def unprivileged() -> Iterator[Path]:
    """Be somebody who is not root, who may write everything; a folder of theirs."""
    folder = Path(tempfile.mkdtemp(prefix="portal-odd-"))
    root = os.getuid() == 0
    if root:
        os.chown(folder, NOBODY, -1)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def encoded(encoding: str) -> Iterator[str]:
    """A PostgreSQL database in another encoding than UTF-8."""
    with postgres_database() as url:
        name = sa.make_url(url).database
        engine = sa.create_engine(os.environ["PORTAL_TEST_POSTGRES_URL"], isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}"')
            connection.exec_driver_sql(
                f"CREATE DATABASE \"{name}\" ENCODING '{encoding}' TEMPLATE template0 "
                "LC_COLLATE 'C' LC_CTYPE 'C'"
            )
        engine.dispose()
        yield url
