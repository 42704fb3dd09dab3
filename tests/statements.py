"""What is asked of the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa


class Statement(NamedTuple):
    text: str
    bound: Any


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """The statements of a block of code, but for those that begin a transaction."""
    found: list[Statement] = []

    def note(_connection: Any, _cursor: Any, statement: str, bound: Any, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            found.append(Statement(statement, bound))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
