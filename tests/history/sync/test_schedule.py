"""Workers bring mirrors up to date by themselves, and one process at a time does it."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from flask import Flask

from portal import create_app, moments
from portal.cli.ways_in.sync import mirror_chores
from portal.config import BadSetting
from portal.database.models import Mirror, MirroredRun
from portal.database.transactions import writing
from portal.engine.execution.workers import WorkerIdentity
from portal.errors import Conflict
from portal.history.sync import mirrors, schedule
from portal.history.sync.schedule import LeaseLost
from portal.history.sync.state import DetailRank
from tests.factories import NOON
from tests.history.lines import an_id, workflow_line
from tests.history.sync.bad_network import BadNetwork
from tests.history.sync.conftest import Mirroring, Portal, run


def look(app: Flask) -> None:
    """What a worker does every few seconds, and what it begins thereby."""
    [(_, chore)] = mirror_chores(app)
    chore()
    thread = chore.__self__._thread  # type: ignore[attr-defined]
    if thread is not None:
        thread.join()


def ended_process() -> str:
    """The id of a worker of this machine that was killed."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    place, _, rest = WorkerIdentity.new().id.rsplit("-", 2)
    return f"{place}-{process.pid}-{rest}"


@pytest.mark.slow
def test_a_worker_makes_passes_that_are_due(mirror: Mirroring, here: Portal, there: Portal) -> None:
    there.take(workflow_line(), run(1))
    look(here.app)
    assert here.runs() == there.runs()
    assert here.mirror().next_pass_at > moments.now() + timedelta(minutes=4)
    there.take(run(2))
    look(here.app)
    assert len(here.runs()) == 1


@pytest.mark.slow
def test_a_worker_fetches_opened_runs_before_the_next_pass(
    mirror: Mirroring, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), run(1, steps=[{"node_id": "a", "status": "completed"}]))
    look(here.app)
    with here.app.app_context(), writing() as session:
        session.get_one(MirroredRun, (UUID(an_id("run 1")), mirror.row.id)).detail_rank = DetailRank.OPENED
    look(here.app)
    assert here.rows()[an_id("run 1")].detail_rank is None


def test_a_worker_makes_no_passes_if_it_is_told_so(environment: dict[str, str], tmp_path: Path) -> None:
    app = create_app(environment | {"PORTAL_SYNC_SECONDS": "0"}, instance=tmp_path)
    assert mirror_chores(app) == []
    with pytest.raises(BadSetting):
        create_app(environment | {"PORTAL_SYNC_SECONDS": "90000"}, instance=tmp_path)


@pytest.mark.slow
def test_two_processes_do_not_make_a_pass_at_the_same_time(
    far_mirror: Mirroring, network: BadNetwork, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), run(1))
    refused: list[str] = []

    def also(_path: str) -> None:
        network.before = lambda _path: None
        with pytest.raises(Conflict) as conflict:
            far_mirror()
        refused.append(conflict.value.message)
        with here.app.app_context(), pytest.raises(Conflict):
            mirrors.remove_mirror(far_mirror.row.name, NOON)

    network.before = also
    far_mirror()
    assert refused == [
        f"Another process is bringing {far_mirror.row.name} up to date. Try again when it has ended."
    ]
    assert here.runs() == there.runs()


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.slow
def test_a_lease_ends_with_its_process_or_its_time(mirror: Mirroring, here: Portal) -> None:
    elsewhere, other = f"elsewhere-1-{uuid4().hex}", WorkerIdentity.new().id
    schedule.begin(mirror.row.id, elsewhere)
    with pytest.raises(Conflict):
        schedule.begin(mirror.row.id, other)
    with writing() as session:
        session.get_one(Mirror, mirror.row.id).held_until = moments.now() - timedelta(seconds=1)
    schedule.begin(mirror.row.id, other)
    with writing() as session, pytest.raises(LeaseLost):
        schedule.renew_lease(session, mirror.row.id, elsewhere)
    with writing() as session:
        session.get_one(Mirror, mirror.row.id).holder = ended_process()
    schedule.begin(mirror.row.id, elsewhere)


def test_passes_that_fail_come_later_and_later() -> None:
    interval = timedelta(minutes=5)
    delays = [schedule.next_pass(NOON, interval, failures, None) - NOON for failures in (0, 1, 2, 3, 4, 50)]
    assert delays == [timedelta(minutes=minutes) for minutes in (5, 10, 20, 40, 60, 60)]
    assert schedule.next_pass(NOON, interval, 1, 7200) == NOON + timedelta(hours=2)
