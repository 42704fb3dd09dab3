"""Traffic on the portal while something breaks: who was answered what, and what was acknowledged."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import requests
import sqlalchemy as sa
from flask import Flask

from portal import moments
from portal.database.engine import db
from portal.database.models import User
from portal.errors import PortalError
from portal.workspaces import accounts

GUARD_SECONDS = 300
"""A guard against what never ends, not a bound: however slow the machine, the awaited comes long before."""


@dataclass
class Traffic:
    """Readers over HTTP and writers through the services, until `stop`."""

    url: str
    key: str
    app: Flask
    answers: list[tuple[float, int, float]] = field(default_factory=list)
    """When, with which status (0: none at all), and after how many seconds."""
    acknowledged: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, readers: int, writers: int) -> None:
        work: list[Callable[[], None]] = [self._read] * readers + [self._write] * writers
        self._threads = [threading.Thread(target=one, daemon=True) for one in work]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(GUARD_SECONDS)

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait for something to happen; fail if it never does."""
        deadline = time.monotonic() + GUARD_SECONDS
        while not reached():
            assert time.monotonic() < deadline, f"never reached; last: {self.answers[-5:]}"
            self._over.wait(0.01)

    def since(self, moment: float, status: int) -> int:
        """How many answers with this status there were since then."""
        return sum(1 for at, found, _ in list(self.answers) if at >= moment and found == status)

    def statuses(self) -> dict[int, int]:
        """How many answers there were with each status."""
        return dict(Counter(status for _, status, _ in self.answers))

    def lost(self) -> set[str]:
        """Acknowledged writes that are not there."""
        with self.app.app_context():
            there = set(db.session.scalars(sa.select(User.email)))
        return set(self.acknowledged) - there

    def _read(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        while not self._over.is_set():
            begun = time.monotonic()
            try:
                url = f"{self.url}/api/v1/workflows"
                status = requests.get(url, headers=headers, timeout=GUARD_SECONDS).status_code
            except requests.RequestException:
                status = 0
            self.answers.append((begun, status, time.monotonic() - begun))
            self._over.wait(0.01)

    def _write(self) -> None:
        while not self._over.is_set():
            email = f"{uuid4().hex}@acme.example"
            with self.app.app_context():
                try:
                    accounts.add_user(email, "", "", moments.now())
                except (sa.exc.DBAPIError, sa.exc.TimeoutError, PortalError):
                    pass
                else:
                    self.acknowledged.append(email)
            self._over.wait(0.01)
