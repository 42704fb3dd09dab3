"""Connections to PostgreSQL that nobody waits for in vain: a server that says nothing is down.

A timeout on the server's side would not help where its answer, or the network, never comes.
"""

import select
import time
from typing import Any

import psycopg
import sqlalchemy as sa
from flask import has_request_context
from psycopg.pq import TransactionStatus

from portal.database.refusals import ReadOnlyDatabase, UnfitDatabase

ANSWER_SECONDS = 5.0
"""How long a request waits for an answer of the server; commands may wait longer, for instance to migrate."""

IDLE_SECONDS = 60.0
"""How long a connection may have been idle to be used without asking the server whether it still is there."""

READ_ONLY_SECONDS = 5.0
"""How long a connection that was found to be read-only is kept: on a new one writing may be possible."""

READ_ONLY = "PostgreSQL is read-only: a standby, or one with default_transaction_read_only"


class Connection(psycopg.Connection[Any]):
    """A connection that gives up, for good, when a request has waited long enough."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is None and has_request_context():
            timeout = ANSWER_SECONDS
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError:
            # In the middle of a statement it is worth nothing any more: not even to roll back.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise

    def rollback(self) -> None:
        """Roll back; where the server has gone meanwhile, it did so itself, and the answer stands."""
        try:
            super().rollback()
        except psycopg.OperationalError:
            self.close()

    def is_alive(self, idle_seconds: float) -> bool:
        """Whether the server still is at the other end; asked only where there is reason to doubt it.

        A server that ends says so to its idle connections, which are readable then.
        """
        if self.closed:
            return False
        if idle_seconds < IDLE_SECONDS and not self._has_news():
            return True
        try:
            self.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def _has_news(self) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(0))


def prepare_engine(engine: sa.Engine) -> None:
    """Let a PostgreSQL engine make such connections, and look at each before it is used again."""
    if engine.dialect.name != "postgresql":
        return

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> psycopg.Connection[Any]:
        connection = Connection.connect(*arguments, **options)
        encoding = connection.info.parameter_status("server_encoding")
        if encoding not in (None, "UTF8"):
            connection.close()
            raise UnfitDatabase(
                f"The database's encoding is {encoding}; the portal needs UTF8. Make another one: "
                "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
            )
        return connection

    @sa.event.listens_for(engine, "checkin")
    def put_back(_connection: Any, record: Any) -> None:
        record.info["idle since"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def look(connection: Connection, record: Any, _proxy: Any) -> None:
        now = time.monotonic()
        if not connection.is_alive(now - record.info.get("idle since", now)):
            raise sa.exc.InvalidatePoolError
        if now - record.info.get("read-only since", now) > READ_ONLY_SECONDS:
            raise sa.exc.DisconnectionError

    @sa.event.listens_for(engine, "handle_error")
    def tell(context: sa.engine.ExceptionContext) -> None:
        error = context.original_exception
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            context.is_disconnect = True
            raise ReadOnlyDatabase(f"{READ_ONLY}.") from error


def refuse_read_only(connection: sa.Connection, read_only: bool) -> None:
    """Say at the begin of a write transaction that it could not write. Raises ReadOnlyDatabase."""
    if read_only:
        connection.info.setdefault("read-only since", time.monotonic())
        raise ReadOnlyDatabase(f"{READ_ONLY}.")
