"""Many at once on SQLite, from several processes: nobody is turned away, nothing is lost."""

import pytest

from scripts.soak import crowd

pytestmark = pytest.mark.slow


def test_150_readers_and_50_writers_are_all_answered_and_every_run_is_there() -> None:
    told = crowd(seconds=2)
    assert set(told.statuses) == {200}
    assert told.recorded
    assert told.numbers == list(range(1, told.recorded + 1))
