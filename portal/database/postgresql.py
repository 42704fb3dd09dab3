"""PostgreSQL connections with a client-side timeout: a server that does not answer counts as down.

A `statement_timeout` on the server would not help when the server or the network is gone.
"""

import select
import time
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from flask import has_request_context
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from sqlalchemy.pool import ConnectionPoolEntry

from portal.database.refusals import ReadOnlyDatabase, UnfitDatabase

_Result = TypeVar("_Result")

ANSWER_SECONDS = 5.0
"""How long a request waits for the server; commands such as migrations may wait longer."""

IDLE_SECONDS = 60.0
"""A connection that was idle for longer is tested before use."""

READ_ONLY_SECONDS = 5.0
"""How long a connection found to be read-only is reused: a new one may be writable."""

READ_ONLY = "PostgreSQL is read-only: a standby, or one with default_transaction_read_only"


class Connection(psycopg.Connection[tuple[Any, ...]]):  # Any: a column of any type
    """A connection that breaks off when a request has waited for too long."""

    def wait(self, gen: PQGen[_Result], interval: float = 0.1, timeout: float | None = None) -> _Result:
        if timeout is None and has_request_context():
            timeout = ANSWER_SECONDS
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError:
            # Interrupted in a statement, the connection is unusable: it cannot even roll back.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise

    def rollback(self) -> None:
        """Roll back; if the connection is lost, the server does so itself."""
        try:
            super().rollback()
        except psycopg.OperationalError:
            self.close()

    def is_alive(self, idle_seconds: float) -> bool:
        """Whether the server is still connected, tested only when in doubt.

        A server that shuts down notifies idle connections, which makes their sockets readable.
        """
        if self.closed:
            return False
        if idle_seconds < IDLE_SECONDS and not self._is_readable():
            return True
        try:
            self.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def _is_readable(self) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(0))


def prepare_engine(engine: sa.Engine) -> None:
    """Make the engine use these connections and test each at checkout."""
    if engine.dialect.name != "postgresql":
        return

    @sa.event.listens_for(engine, "do_connect")
    def connect(
        _dialect: sa.Dialect, _record: ConnectionPoolEntry, arguments: list[str], options: dict[str, Any]
    ) -> Connection:
        connection = Connection.connect(*arguments, **options)
        encoding = connection.info.parameter_status("server_encoding")
        if encoding not in (None, "UTF8"):
            connection.close()
            raise UnfitDatabase(
                f"The database's encoding is {encoding}; the portal needs UTF8. Create another: "
                "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
            )
        return connection

    @sa.event.listens_for(engine, "checkin")
    def put_back(_connection: Connection | None, record: ConnectionPoolEntry) -> None:
        record.info["idle since"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def check(connection: Connection, record: ConnectionPoolEntry, _proxy: object) -> None:
        now = time.monotonic()
        if not connection.is_alive(now - record.info.get("idle since", now)):
            raise sa.exc.InvalidatePoolError
        if now - record.info.get("read-only since", now) > READ_ONLY_SECONDS:
            raise sa.exc.DisconnectionError

    @sa.event.listens_for(engine, "handle_error")
    def translate(context: sa.engine.ExceptionContext) -> None:
        error = context.original_exception
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            context.is_disconnect = True
            raise ReadOnlyDatabase(f"{READ_ONLY}.") from error


def end_idle_transactions(engine: sa.Engine, seconds: float) -> None:
    """Let the server end transactions of this process that wait so long for it, and release their locks.

    A process that is frozen, or cut off from the network, within a transaction would hold them for hours.
    """
    if engine.dialect.name != "postgresql":
        return

    @sa.event.listens_for(engine, "connect")
    def limit(connection: Connection, _record: ConnectionPoolEntry) -> None:
        milliseconds = [str(round(seconds * 1000))]
        connection.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, false)", milliseconds
        )
        connection.commit()


def refuse_read_only(connection: sa.Connection, read_only: bool) -> None:
    """Refuse to begin a write transaction on a read-only server. Raises ReadOnlyDatabase."""
    if read_only:
        connection.info.setdefault("read-only since", time.monotonic())
        raise ReadOnlyDatabase(f"{READ_ONLY}.")
