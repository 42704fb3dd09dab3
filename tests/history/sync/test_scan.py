"""A scan lists every run, whatever happens there meanwhile, and goes on where it was cut off."""

import re
from collections.abc import Callable
from itertools import count

import pytest

from tests.history.lines import WORKFLOW, an_id, workflow_line
from tests.history.sync.bad_network import BadNetwork
from tests.history.sync.conftest import Mirroring, Portal, run

pytestmark = pytest.mark.usefixtures("short_pages", "impatient")


def offsets(network: BadNetwork) -> list[int]:
    """Where the pages of scans began."""
    return [int(re.findall(r"offset=(\d+)", path)[0]) for path in network.paths if "order=asc" in path]


def after(commits: int) -> Callable[[], bool]:
    """A time that is up after so many commits."""
    left = count(commits - 1, -1)
    return lambda: next(left) <= 0


@pytest.mark.slow
def test_runs_that_are_deleted_during_a_scan_hide_no_others(
    far_mirror: Mirroring, network: BadNetwork, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), *map(run, range(1, 101)))
    lost = [an_id(f"run {number}") for number in range(2, 40)]

    def lose(path: str) -> None:
        if "order=asc" in path and "offset=57&" in path and lost:
            there.delete(*lost)
            lost.clear()

    network.before = lose
    far_mirror()
    assert lost == []
    assert here.runs().keys() >= there.runs().keys()
    assert 57 in offsets(network)
    assert min(offsets(network)[offsets(network).index(57) :]) < 57
    far_mirror()
    assert (
        here.rows().keys() - {each for each, row in here.rows().items() if row.gone_at} == there.runs().keys()
    )


@pytest.mark.slow
def test_history_that_is_added_during_a_scan_is_found_in_the_end(
    far_mirror: Mirroring, network: BadNetwork, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), *map(run, range(50, 150)))
    late = list(map(run, range(1, 20)))

    def add(path: str) -> None:
        if "order=asc" in path and "offset=57&" in path and late:
            there.take(*late)
            late.clear()

    network.before = add
    far_mirror()
    far_mirror()
    assert late == []
    assert here.runs() == there.runs()


@pytest.mark.slow
def test_a_scan_goes_on_where_it_was_cut_off(
    far_mirror: Mirroring, network: BadNetwork, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), *map(run, range(1, 101)))

    def fail(path: str) -> None:
        if "offset=57&" in path:
            network.share, network.faults = 1.0, ("500",)

    network.before = fail
    summary = far_mirror.attempt()
    assert "answers 500" in (summary.error or "")
    assert 50 < len(here.runs()) < 100
    network.share, network.before = 0.0, lambda _path: None
    network.paths.clear()
    far_mirror()
    assert here.runs() == there.runs()
    assert offsets(network)[0] >= 57


@pytest.mark.slow
def test_a_pass_whose_time_is_up_is_gone_on_with(far_mirror: Mirroring, here: Portal, there: Portal) -> None:
    there.take(workflow_line(), *map(run, range(1, 101)))
    passes = 1
    while far_mirror(is_over=after(4)).unfinished:
        passes += 1
    assert 1 < passes < 10
    assert here.runs() == there.runs()


@pytest.mark.slow
def test_the_newest_runs_come_before_a_long_history(
    far_mirror: Mirroring, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), *map(run, range(1, 101)))
    assert far_mirror(is_over=after(1)).unfinished
    numbers = sorted(row["run_number"] for row in here.pages(f"/workflows/{WORKFLOW}/runs"))
    assert numbers == list(range(81, 101))
