"""Clients that push lines of history while readers list, and while the server is killed."""

import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from portal import create_app, moments
from portal.auth.api_keys.ingest_management import MAX_RATE_LIMIT
from portal.checks.database_check import check_database
from portal.database.engine import db
from portal.database.models import Run, Workspace
from portal.history.identity import run_id, workflow_id
from scripts.soaking import Gunicorn, at, prepare
from tests.conftest import settings_for
from tests.factories import make_ingest_key

A_REQUEST = 20
"""Lines of a request: half of them begin runs, half end those of the request before."""
PAIRS = A_REQUEST // 2
REPEATED = 10
"""Every tenth request is sent again although it was acknowledged."""
SOURCE = "soak"
ROUND_SECONDS = 10
PAUSE_SECONDS = 1
"""Between the lists of a reader."""
GUARD_SECONDS = 120
"""A guard against what never ends, not a bound."""

History = set[tuple[UUID, str, int]]
"""Runs: which one, its status, and how many steps it has."""


@dataclass
class Phase:
    """A stretch of traffic: what clients and readers were answered."""

    seconds: float = 0
    processor_seconds: float = 0
    """Of the server."""
    answers: Counter[int] = field(default_factory=Counter)
    """Of pushes, by status; 0 where the server was away."""
    without_wait: int = 0
    """Answers 429 and 503 that did not say when to come again."""
    taken: int = 0
    """Lines of acknowledged requests, repeated ones left out."""
    pushes: list[float] = field(default_factory=list)
    """Seconds that acknowledged pushes took."""
    lists: list[float] = field(default_factory=list)
    refused_lists: int = 0
    over: threading.Event = field(default_factory=threading.Event)


@dataclass
class Figures:
    alone: Phase
    together: Phase
    killed: Phase
    lost: int
    extra: int
    """Runs that are there and should not be, or are not as they should be."""
    runs: int
    failed_checks: Sequence[str]
    """Of `flask check`."""

    @property
    def ratio(self) -> float:
        return at(sorted(self.together.lists), 0.95) / at(sorted(self.alone.lists), 0.95)

    @property
    def rate(self) -> float:
        return self.together.taken / self.together.seconds

    @property
    def faults(self) -> list[str]:
        """What of the history or of the answers is wrong, however fast it came."""
        phases = self.together, self.killed
        statuses = set(self.together.answers) | (set(self.killed.answers) - {0})
        found = {
            f"answers {sorted(statuses)}": statuses <= {200, 429, 503},
            "429 or 503 without Retry-After": not any(phase.without_wait for phase in phases),
            "lists that failed": not self.together.refused_lists,
            f"{self.lost} runs lost": not self.lost,
            f"{self.extra} runs too many or wrong": not self.extra,
        }
        failed = [f"flask check: {name}" for name in self.failed_checks]
        return [fault for fault, holds in found.items() if not holds] + failed

    def __str__(self) -> str:
        slow = [] if self.rate >= 400 else ["fewer than 400 lines a second"]
        slow += [] if self.ratio <= 3 else ["lists more than three times as slow"]
        pushes, lists, alone = (
            sorted(each) for each in (self.together.pushes, self.together.lists, self.alone.lists)
        )
        return (
            f"{self.rate:.0f} lines/s taken in {self.together.seconds:.0f} s, of which the server had "
            f"{self.together.processor_seconds:.0f} s of processor time; answers "
            f"{dict(self.together.answers)}, p50 {at(pushes, 0.5):.3f} s, p95 {at(pushes, 0.95):.3f} s; "
            f"lists p95 {at(lists, 0.95):.3f} s, {at(alone, 0.95):.3f} s alone: {self.ratio:.1f} times; "
            f"around kill -9: {dict(self.killed.answers)}; {self.runs} runs, {self.lost} lost, {self.extra} "
            f"too many or wrong; verdict: {', '.join(self.faults + slow) or 'good'}"
        )


@dataclass
class Client:
    """One of those that push: has its own runs, and repeats a request until it is acknowledged."""

    number: int
    key: str
    port: int
    every: float
    """Seconds between requests."""
    began: datetime
    """Of its first run."""
    sent: int = 0
    """Requests that were acknowledged."""

    def push(self, phase: Phase) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=GUARD_SECONDS)
        due = time.monotonic() + self.every * (self.number % 50) / 50
        while not phase.over.wait(max(due - time.monotonic(), 0)):
            now = time.monotonic()
            due = max(due + self.every, now - self.every)
            self._deliver(connection, phase)
            self.sent += 1
            phase.taken += A_REQUEST if self.sent > 1 else PAIRS
            if self.sent % REPEATED == 0:
                self.sent -= 1
                self._deliver(connection, phase)
                self.sent += 1
        connection.close()

    def _deliver(self, connection: http.client.HTTPConnection, phase: Phase) -> None:
        body = json.dumps({"lines": list(self.lines(self.sent))})
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        deadline = time.monotonic() + GUARD_SECONDS
        while time.monotonic() < deadline:
            begun, wait, status = time.monotonic(), 0.2, 0
            try:
                connection.request("POST", "/api/v1/history", body, headers)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
                if status in (429, 503):
                    wait = float(answer.headers.get("Retry-After", 0))
                    phase.without_wait += not wait
            except (OSError, http.client.HTTPException):
                connection.close()
            phase.answers[status] += 1
            if status == 200:
                phase.pushes.append(time.monotonic() - begun)
                return
            time.sleep(max(wait, 0.2))
        raise TimeoutError("a push was never acknowledged")

    def lines(self, request: int) -> Iterable[dict[str, object]]:
        """What a request holds: beginnings, and the ends of what the one before began."""
        for place in range(PAIRS):
            yield self._line(request, place, status="running", started_at=self._moment(request, place))
        for place in range(PAIRS if request else 0):
            end = self._moment(request, place)
            step = {"node_id": "load", "name": "Load", "status": "completed", "completed_at": end}
            yield self._line(request - 1, place, status="completed", completed_at=end, steps=[step])

    def _line(self, request: int, place: int, **said: object) -> dict[str, object]:
        at_ = said.get("completed_at", said.get("started_at"))
        return {
            "type": "run",
            "source": SOURCE,
            "external_id": f"{self.number}/{request}/{place}",
            "workflow": {"name": f"Flow {self.number % 10}"},
            "at": at_,
            **said,
        }

    def expected(self, workspace_id: UUID) -> History:
        """What there must be of it in the end."""
        return {
            (
                run_id(workspace_id, SOURCE, f"{self.number}/{request}/{place}", 1),
                *(("completed", 1) if request + 1 < self.sent else ("running", 0)),
            )
            for request in range(self.sent)
            for place in range(PAIRS)
        }

    def _moment(self, request: int, place: int) -> str:
        return moments.format_moment(self.began + timedelta(seconds=request, milliseconds=place))


def push(
    url: str, seconds: float, clients: int, lines_a_second: int, readers: int = 50, workers: int = 2
) -> Figures:
    """Readers alone; clients and readers; clients while the server is killed; and what of it is there."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = settings_for(url) | {"PORTAL_RATE_LIMIT_PER_MIN": "0"}
        reading_key = prepare(url, place)
        app = create_app(environment, instance=place)
        with app.app_context():
            workspace = db.session.scalars(sa.select(Workspace)).one()
            key = make_ingest_key(workspace, rate_limit_per_min=MAX_RATE_LIMIT)
            workspace_id = workspace.id
            listed = workflow_id(workspace_id, SOURCE, "Flow 0")
            db.session.remove()
            db.engine.dispose()
        server = Gunicorn(environment, workers)
        every = clients * A_REQUEST / lines_a_second
        now = moments.now()
        pushing = [Client(number, key, server.port, every, now) for number in range(clients)]
        reader = _Reader(reading_key, server.port, f"/api/v1/workflows/{listed}/runs")
        part = min(seconds, ROUND_SECONDS)
        try:
            server.start()
            _during(Phase(), every + 0.1, pushing, [])  # so that there is something to list
            alone = _during(Phase(), part, [], [reader] * readers)
            before = server.processor_seconds
            together = _during(Phase(), seconds, pushing, [reader] * readers)
            together.processor_seconds = server.processor_seconds - before
            killed = _during(Phase(), part, pushing, [], lambda: _kill(server))
        finally:
            server.stop()
        expected = {run for client in pushing for run in client.expected(workspace_id)}
        with app.app_context():
            there = _stored()
            failed = [result.check for result in check_database() if not result.ok]
            db.session.remove()
            db.engine.dispose()
    found = set(there)
    wrong = len(found - expected) + len(there) - len(found)
    return Figures(alone, together, killed, len(expected - found), wrong, len(there), failed)


def _kill(server: Gunicorn) -> None:
    server.kill()
    server.start()


def _during(
    phase: Phase,
    seconds: float,
    clients: Sequence[Client],
    readers: Sequence["_Reader"],
    midway: Callable[[], None] | None = None,
) -> Phase:
    """Traffic for so long, until the last request is acknowledged."""
    begun = time.monotonic()
    work = [client.push for client in clients] + [reader.read for reader in readers]
    failures: list[BaseException] = []

    def one(each: Callable[[Phase], None]) -> None:
        try:
            each(phase)
        except Exception as failure:  # noqa: BLE001  (raised below)
            failures.append(failure)

    threads = [threading.Thread(target=one, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 2)
    if midway:
        midway()
    time.sleep(seconds / 2)
    phase.over.set()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    phase.seconds = time.monotonic() - begun
    return phase


@dataclass(frozen=True)
class _Reader:
    """Lists the newest runs of a workflow, again and again."""

    key: str
    port: int
    path: str

    def read(self, phase: Phase) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=GUARD_SECONDS)
        while not phase.over.wait(PAUSE_SECONDS):
            begun = time.monotonic()
            connection.request("GET", self.path, headers={"Authorization": f"Bearer {self.key}"})
            answer = connection.getresponse()
            answer.read()
            phase.lists.append(time.monotonic() - begun)
            phase.refused_lists += answer.status != 200
        connection.close()


def _stored() -> list[tuple[UUID, str, int]]:
    """The runs that are there, each as often as it is."""
    rows = sa.select(Run.id, Run.status, Run.total_steps).where(Run.source_system == SOURCE)
    return [(found, str(status), steps) for found, status, steps in db.session.execute(rows)]
