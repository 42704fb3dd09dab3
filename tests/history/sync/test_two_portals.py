"""Two portals mirror each other's history through a bad network, are killed, and lose and double nothing."""

import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from flask.cli import cli as flask_command

from tests.conftest import DATABASES
from tests.history.lines import an_id, workflow_line
from tests.history.sync.bad_network import BadNetwork, bad_network
from tests.history.sync.conftest import PAGE_SIZES, SHORT_PAGE, Hasty, Mirroring, Portal, add_mirror, run
from tests.serving import served

ROOT = Path(__file__).resolve().parents[3]
ROUNDS = 2
Runs = dict[str, dict[str, Any]]


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient", "short_pages")]


def sync_command(environment: dict[str, str]) -> BaseProcess:
    """`flask sync run` in a process of its own, forked from one that has imported the portal."""
    start = multiprocessing.get_context("forkserver")
    start.set_forkserver_preload(["portal.cli", "portal.history.sync.passes", __name__])
    process = start.Process(target=_sync, args=(environment,))
    process.start()
    return process


def _sync(environment: dict[str, str]) -> None:
    import onepin.core.http_client

    onepin.core.http_client.time = Hasty  # type: ignore[assignment]
    for module, name in PAGE_SIZES:
        setattr(module, name, SHORT_PAGE)
    os.environ.update(environment)
    sys.path.insert(0, str(ROOT))
    flask_command.main(["--app", str(ROOT / "app.py"), "sync", "run"])


@dataclass
class Side:
    """A portal with a workflow of its own, which grows and shrinks."""

    name: str
    portal: Portal
    url: str
    numbers: list[int] = field(default_factory=list)
    active: set[int] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)

    @property
    def workflow_id(self) -> str:
        return an_id(self.name)

    def line(self, number: int, status: str = "completed") -> dict[str, Any]:
        steps = [{"node_id": "voice", "status": status, "node_type": "operator_generator"}]
        line = run(number, status, workflow_id=self.workflow_id, steps=steps, credits=number)
        return line | {"id": self.run_id(number), "triggered_by": {"id": an_id("ada"), "name": "Ada"}}

    def run_id(self, number: int) -> str:
        return an_id(f"{self.name} {number}")

    def live(self, chance: random.Random) -> None:
        """Runs begin and end, old ones are added and deleted."""
        ended = {number for number in self.active if chance.random() < 0.5}
        lines = [self.line(number, chance.choice(["completed", "failed"])) for number in sorted(ended)]
        begun = self.numbers[-1] if self.numbers else 100
        new = range(begun + 1, begun + chance.randint(3, 25))
        statuses = {number: chance.choice(["completed", "completed", "failed", "running"]) for number in new}
        self.active = (self.active - ended) | {n for n, status in statuses.items() if status == "running"}
        lines += [self.line(number, status) for number, status in statuses.items()]
        self.portal.take(workflow_line(id=self.workflow_id, name=self.name), *lines)
        settled = sorted(set(self.numbers) - self.active - ended)
        lost = chance.sample(settled, min(len(settled), 3))
        self.portal.delete(*map(self.run_id, lost), workflow_id=self.workflow_id)
        self.deleted |= {self.run_id(number) for number in lost}
        self.numbers = [number for number in [*self.numbers, *new] if number not in lost]


def own(runs: Runs, side: Side) -> Runs:
    return {run_id: row for run_id, row in runs.items() if row["workflow_id"] == side.workflow_id}


def persist(mirror: Mirroring) -> None:
    """Make passes until one comes through."""
    for _ in range(20):
        if mirror.attempt().error is None:
            return
    raise AssertionError("no pass came through")


def kill_at_random(process: BaseProcess, network: BadNetwork, chance: random.Random) -> bool:
    """Kill a pass somewhere in the middle; whether it was still at work."""
    network.wait_for(chance.randint(1, 12), seconds=30)
    process.join(chance.uniform(0, 0.05))
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


@pytest.fixture
def sides(
    here: Portal, there: Portal, address: str, environment: dict[str, str], tmp_path: Path
) -> Iterator[tuple[Side, Side]]:
    with served(environment, tmp_path) as our_address:
        yield Side("ours", here, our_address), Side("theirs", there, address)


@pytest.mark.parametrize("database_url", DATABASES, indirect=True)
def test_two_portals_that_mirror_each_other_lose_and_double_nothing(
    sides: tuple[Side, Side], tmp_path: Path
) -> None:
    ours, theirs = sides
    chance = random.Random(2026)
    killed = 0
    with bad_network(theirs.url, share=0.1) as to_them, bad_network(ours.url, share=0.1, seed=7) as to_us:
        in_us = add_mirror(ours.portal, theirs.portal, to_them.url, tmp_path, details=20)
        in_them = add_mirror(theirs.portal, ours.portal, to_us.url, tmp_path, details=20)
        for _ in range(ROUNDS):
            for side in sides:
                side.live(chance)
            killed += kill_at_random(sync_command(ours.portal.environment), to_them, chance)
            persist(in_us)
            persist(in_them)
        to_them.share = to_us.share = 0
        for mirror in (in_us, in_them, in_us, in_them):
            persist(mirror)
    assert killed >= 1
    assert to_them.met.total() + to_us.met.total() >= 10
    for side, other in (sides, sides[::-1]):
        original, copy = own(side.portal.runs(), side), own(other.portal.runs(), side)
        assert {run_id: copy[run_id] for run_id in original} == original
        assert copy.keys() - original.keys() <= side.deleted
        gone = {run_id for run_id, row in other.portal.rows().items() if row.gone_at}
        assert gone == copy.keys() - original.keys()
