"""Whether a run waited and took as long as is usual."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from portal.runs.facts.duration import duration_of
from portal.runs.statistics.run_timing import timing_of
from portal.runs.statistics.usual import UsualDuration
from tests.factories import NOON

USUAL = UsualDuration(runs=100, median_ms=60_000, p90_ms=90_000)


def made(status: str, **columns: Any) -> SimpleNamespace:
    values: dict[str, Any] = {
        "started_at": NOON,
        "completed_at": None,
        "paused_at": None,
        "paused_ms": None,
        "source": None,
    }
    values = {"status": status, "created_at": NOON, **values, **columns}
    took = duration_of(*(values[name] for name in ("status", "started_at", "completed_at", "paused_ms")))
    return SimpleNamespace(**values, duration_ms=took)


def seconds(number: float) -> Any:
    return NOON + timedelta(seconds=number)


@pytest.mark.parametrize(
    ("took", "verdict"), [(29, "quick"), (30, "usual"), (90, "usual"), (91, "slow"), (600, "slow")]
)
def test_a_completed_run_is_held_against_what_is_usual(took: float, verdict: str) -> None:
    timing = timing_of(made("completed", completed_at=seconds(took)), USUAL, NOON)
    assert (timing.took_ms, timing.verdict) == (took * 1000, verdict)


def test_a_failed_run_is_not_judged_by_its_duration() -> None:
    assert timing_of(made("failed", completed_at=seconds(600)), USUAL, NOON).verdict == ""


def test_a_run_that_goes_on_counts_to_now_and_may_already_be_slow() -> None:
    timing = timing_of(made("running"), USUAL, seconds(120))
    assert (timing.took_ms, timing.so_far, timing.verdict, timing.times_usual) == (120_000, True, "slow", 2.0)


def test_pauses_do_not_count() -> None:
    ended = made("completed", completed_at=seconds(100), paused_ms=40_000)
    assert timing_of(ended, USUAL, NOON).took_ms == 60_000
    paused = made("paused", paused_at=seconds(30))
    assert timing_of(paused, USUAL, seconds(500)).took_ms == 30_000


def test_waiting_is_apart_from_running_and_unknown_where_nobody_recorded_it() -> None:
    run = made("completed", started_at=seconds(5), completed_at=seconds(6))
    assert timing_of(run, None, NOON).queued_ms == 5000
    assert timing_of(made("pending", started_at=None), None, seconds(7)).queued_ms == 7000
    assert (
        timing_of(made("completed", source={"created_at_from": "started_at"}), None, NOON).queued_ms is None
    )
    assert timing_of(made("completed", created_at=seconds(9)), None, NOON).queued_ms is None
