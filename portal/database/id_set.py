"""A set of ids that takes no memory to speak of, however many they are."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from types import TracebackType
from typing import Self
from uuid import UUID

_CACHE_KIB = 4096
_ADD = "INSERT OR IGNORE INTO ids VALUES (?)"


class IdSet:
    """In a temporary file that SQLite makes once there are too many ids for its cache, and removes."""

    def __init__(self) -> None:
        self._ids = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
            self._ids.execute(f"PRAGMA {pragma}")
        self._ids.execute("CREATE TABLE ids (id BLOB PRIMARY KEY) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ids.close()

    def add(self, ids: Sequence[UUID]) -> list[UUID]:
        """Add ids, and return those that are new, in their order."""
        with closing(self._ids.cursor()) as cursor:
            cursor.execute("BEGIN")
            new = [each for each in ids if cursor.execute(_ADD, (each.bytes,)).rowcount]
            cursor.execute("COMMIT")
        return new
