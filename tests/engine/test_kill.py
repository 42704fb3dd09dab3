"""Workers that are killed, stopped, woken and told to leave: no step is lost, and none is done twice."""

from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from portal.database.engine import db
from tests import cluster
from tests.engine.torture import handlers
from tests.engine.torture.checker import Findings, check
from tests.engine.torture.driver import Crew, Traffic, begin, drain
from tests.engine.torture.processes import wait_until_within, worker
from tests.engine.torture.trial import torture

pytestmark = pytest.mark.slow


def finish(traffic: Traffic, given: Mapping[str, str], folder: Path) -> Findings:
    """Let a new worker do what is left, and check the whole."""
    crew, findings = Crew(folder, given, Random(1)), Findings()
    crew.add()
    try:
        findings.faults += drain(traffic, crew)
        findings.faults += crew.close()
    finally:
        crew.kill_all()
    with traffic.client.application.app_context():
        check(findings, folder)
        db.session.remove()
        db.engine.dispose()
    return findings


@pytest.mark.parametrize("point", ["claimed", "ran", "finished"])
def test_a_worker_that_dies_at_any_point_loses_nothing(
    worker_settings: Mapping[str, str], tmp_path: Path, point: str
) -> None:
    traffic = begin(worker_settings, tmp_path, handlers.definition(seconds=0))
    for _ in range(2):
        with worker(tmp_path, {**worker_settings, "PORTAL_TEST_DIE_AT": point}) as doomed:
            doomed.process.join()
            assert doomed.process.exitcode == 9, doomed.said
    findings = finish(traffic, worker_settings, tmp_path)
    assert (findings.faults, findings.completed) == ([], 1)


@pytest.mark.parametrize("deaf", [False, True], ids=["hears", "deaf"])
def test_a_worker_that_is_told_to_stop_leaves_a_long_step_to_the_next(
    worker_settings: Mapping[str, str], tmp_path: Path, deaf: bool
) -> None:
    begin(worker_settings, tmp_path, handlers.straight(seconds=600, deaf=deaf))
    with worker(tmp_path, worker_settings) as first:
        wait_until_within(first, tmp_path)
        assert first.end() == 0, first.said
    with worker(tmp_path, worker_settings) as second:
        wait_until_within(second, tmp_path)


def test_twenty_kills_of_the_only_worker_on_sqlite(tmp_path: Path) -> None:
    findings = torture(tmp_path, "--kills", "20", "--workflows", "4")
    assert (findings.faults, findings.kills) == ([], 20)


@pytest.mark.postgres
def test_twenty_kills_and_a_restart_of_the_server_on_postgresql(tmp_path: Path) -> None:
    if reason := cluster.missing():
        pytest.skip(reason)
    words = ("--postgres", "--zombies", "--workers", "3", "--restarts", "1")
    findings = torture(tmp_path, "--kills", "20", *words)
    assert (findings.faults, findings.kills, findings.zombies) == ([], 20, 5)
