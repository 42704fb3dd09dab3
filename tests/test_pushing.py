"""Clients that push history while others list, and a server that is killed under them: nothing is lost."""

import shutil
from pathlib import Path

import pytest

from scripts.soaking_push import push

pytestmark = pytest.mark.slow


def test_clients_that_repeat_get_all_of_their_history_in_once_though_the_server_is_killed(
    tmp_path: Path, empty_sqlite: Path
) -> None:
    shutil.copy(empty_sqlite, tmp_path / "portal.sqlite3")
    url = f"sqlite:///{tmp_path / 'portal.sqlite3'}"
    found = push(url, seconds=0.5, clients=3, lines_a_second=120, readers=1, workers=1)
    assert found.runs
    assert found.killed.answers[0], "the server was not away"
    assert found.faults == []
