"""The queue as DBOS keeps it, in the portal's own database. No other module imports DBOS.

Deliveries are enqueued in the transaction of the caller. DBOS never recovers by itself what another process
has begun, so workers do (`recover`), and what it might lose, the reconciler finds. A delivery never ends on
an error: DBOS would count it as done.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, _workflow_commands
from sqlalchemy.orm import Session

from portal.database import outages
from portal.database.engine import CONNECT_SECONDS, db
from portal.engine.queue import Delivery

APPLICATION = "run-portal"
VERSION = "engine-1"
"""DBOS hands work of another version to nobody, so an upgrade of the portal keeps it."""
WORKFLOW = "portal.step"
SCHEMA = "dbos"
POOL = 5
"""Connections of a worker to the queue, beside its own."""
WAITING = ("ENQUEUED", "DELAYED")
KEEP_MS = 24 * 3600 * 1000
"""How long ended deliveries are kept."""
_DELAYS_SECONDS = 2.0
"""How often a worker looks for delayed deliveries whose time has come."""
_AT_ONCE = 1000
_MOST_FAULTS = 5
"""How often a delivery may fail for no reason that passes."""

TABLES = frozenset(
    "notifications queues streams workflow_status workflow_input workflow_output workflow_events "
    "workflow_events_history workflow_schedules operation_outputs application_versions dbos_migrations "
    "event_dispatch_kv".split()
)
"""The tables that DBOS has in a SQLite file, where it knows no schema."""

Deliver = Callable[[UUID, str, int], None]
"""Run a step: run, node, iteration."""

log = logging.getLogger(__name__)


def enqueue(session: Session, delivery: Delivery, delay: float = 0) -> None:
    """Send a delivery when the transaction commits, `delay` seconds later."""
    options: dict[str, Any] = {
        "queue_name": delivery.queue,
        "workflow_name": WORKFLOW,
        "workflow_id": delivery.id,
        "app_version": VERSION,
        "queue_partition_key": str(delivery.workspace_id),
    }
    if delay > 0:
        options["delay_seconds"] = delay
    step = (str(delivery.run_id), delivery.node_id, delivery.iteration)
    _client(db.engine).enqueue_in_transaction(session, cast(Any, options), *step)


def waiting(session: Session) -> int:
    """How many deliveries wait."""
    status = _status_table(session)
    counted = sa.select(sa.func.count()).select_from(status).where(status.c.status.in_(WAITING))
    return session.scalar(counted) or 0


def live_runs(session: Session, workers: Collection[str]) -> set[UUID]:
    """The runs that have a delivery which waits, or which one of these workers has begun."""
    status = _status_table(session)
    begun = sa.and_(status.c.status == "PENDING", status.c.executor_id.in_(sorted(workers)))
    live = sa.or_(status.c.status.in_(WAITING), begun)
    ids = session.scalars(sa.select(status.c.workflow_uuid).where(live))
    return {UUID(each[:36]) for each in ids if each[36:37] == ":"}


def is_not_its_own(_object: object, name: str | None, kind: str, *_: object) -> bool:
    """For Alembic's `include_object`: the tables of the queue, beside ours on SQLite, are not Alembic's."""
    return not (kind == "table" and name in TABLES)


def migrate(url: sa.URL) -> None:
    """Create or upgrade the queue's own tables."""
    # Its public ways to migrate create triggers that we do not use.
    from dbos._serialization import DefaultSerializer
    from dbos._sys_db import SystemDatabase

    limits = {} if url.get_backend_name() == "sqlite" else {"connect_timeout": CONNECT_SECONDS}
    engine = sa.create_engine(url, connect_args=limits)
    try:
        SystemDatabase.create(
            system_database_url=_url_text(url),
            engine_kwargs={},
            engine=engine,
            schema=SCHEMA,
            serializer=DefaultSerializer(),
            executor_id=None,
            use_listen_notify=False,
        ).run_migrations()
    finally:
        engine.dispose()


def versions(engine: sa.Engine) -> tuple[int, int]:
    """The version of the queue's tables, 0 if there are none, and the one that this release needs."""
    from dbos import _migration

    if engine.dialect.name == "sqlite":
        return _migration.get_sqlite_migration_versions(engine)
    return _migration.get_migration_versions(engine, SCHEMA, use_listen_notify=False)


class QueueServer:
    """Brings deliveries to this process."""

    def __init__(
        self,
        url: sa.URL,
        executor_id: str,
        deliver: Deliver,
        give_up: Deliver,
        draining: threading.Event,
        *,
        threads: int,
        queues: Collection[str],
        poll: float,
        partition: int,
        lease: float,
    ) -> None:
        """`poll` in seconds; `partition` is how many steps of one workspace run at once anywhere.

        PostgreSQL ends a transaction of this process that is idle for the `lease`, in seconds.

        `give_up` is told of a delivery whose step fails for no reason that passes. While `draining` is set,
        nothing more is delivered.
        """
        self._deliver, self._give_up, self._draining = deliver, give_up, draining
        self._stop = threading.Event()
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": _url_text(_with_idle_limit(url, lease)),
            "application_version": VERSION,
            "executor_id": executor_id,
            "run_migrations": False,
            "use_listen_notify": False,
            "sys_db_pool_size": POOL,
            "max_executor_threads": threads + 8,
            "log_level": "ERROR",
            "scheduler_polling_interval_sec": 3600.0,
        }
        DBOS(config=config)

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1000)
        def step(run_id: str, node_id: str, iteration: int) -> None:
            self._deliver_surely(UUID(run_id), node_id, iteration)

        # Each second it looks for delays that have passed: a third of what an idle worker uses.
        _workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC = _DELAYS_SECONDS
        DBOS.listen_queues(sorted(queues))
        DBOS.launch()
        for queue in sorted(queues):
            DBOS.register_queue(
                queue,
                worker_concurrency=threads,
                partition_concurrency=partition,
                polling_interval_sec=poll,
                on_conflict="always_update",
            )

    def _deliver_surely(self, run_id: UUID, node_id: str, iteration: int) -> None:
        """Deliver until it is done: an error of the database is waited out.

        A delivery that comes while the process stops is left to others: it counts as begun by a process that
        is gone. One that fails for another reason again and again is given up, so that it holds no thread.
        """
        pause, faults = 0.1, 0
        while not self._stop.is_set():
            if self._draining.is_set():
                self._stop.wait()
                break
            try:
                self._deliver(run_id, node_id, iteration)
            except Exception as error:  # noqa: BLE001 (DBOS would count the delivery as done)
                faults += outages.cause_of(error) is None
                outages.warn(log, "a delivery is tried again", error)
                if faults == _MOST_FAULTS:
                    self._give_up(run_id, node_id, iteration)
                    return
                self._stop.wait(pause)
                pause = min(pause * 2, 5.0)
            else:
                return
        raise SystemExit

    def executors(self) -> set[str]:
        """The processes that have begun deliveries which have not ended."""
        begun = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        return {each.executor_id for each in begun if each.executor_id}

    def recover(self, dead: Collection[str]) -> int:
        """Deliver again what these processes had begun; returns how many."""
        return len(DBOS._recover_pending_workflows(sorted(dead))) if dead else 0

    def prune(self) -> None:
        """Delete deliveries that ended long ago."""
        before = int(time.time() * 1000) - KEEP_MS
        while not self._stop.is_set():
            ended = DBOS.list_workflows(
                status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
                end_time=_iso(before),
                limit=_AT_ONCE,
                load_input=False,
                load_output=False,
            )
            if ended:
                DBOS.delete_workflows([each.workflow_id for each in ended])
            if len(ended) < _AT_ONCE:
                return

    def close(self, seconds: int) -> None:
        """Stop taking deliveries, and wait so long for those that have begun."""
        self._stop.set()
        DBOS.destroy(workflow_completion_timeout_sec=seconds)


def _iso(epoch_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(epoch_ms / 1000))


@cache
def _client(engine: sa.Engine) -> DBOSClient:
    """It only builds rows that the caller's transaction inserts: no thread, no connection of its own."""
    return DBOSClient(system_database_engine=engine, dbos_system_schema=SCHEMA, lazy=True)


def _status_table(session: Session) -> sa.TableClause:
    schema = SCHEMA if session.get_bind().dialect.name == "postgresql" else None
    names = ("workflow_uuid", "status", "executor_id")
    columns: list[sa.ColumnClause[str]] = [sa.column(name) for name in names]
    return sa.table("workflow_status", *columns, schema=schema)


def _with_idle_limit(url: sa.URL, seconds: float) -> sa.URL:
    """With what `postgresql.end_idle_transactions` sets: a locked delivery holds up its partition."""
    if url.get_backend_name() != "postgresql":
        return url
    given = url.query.get("options", ())
    options = [given] if isinstance(given, str) else [*given]
    options.append(f"-c idle_in_transaction_session_timeout={round(seconds * 1000)}")
    return url.update_query_dict({"options": " ".join(options)})


def _url_text(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{Path(url.database or '').resolve()}"
    return url.render_as_string(hide_password=False)
