"""PostgreSQL stops, is killed or falls silent under traffic: 503s while it lasts, and nothing lost."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
from flask_migrate import upgrade

from portal import create_app
from portal.database import engine as database
from portal.database import postgresql
from portal.database.engine import db
from tests import cluster as clusters
from tests.cluster import Cluster
from tests.conftest import settings_for
from tests.factories import make_key, make_member, make_user, make_workspace
from tests.serving import served
from tests.traffic import Traffic


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    why_not = clusters.missing()
    if why_not is not None:
        pytest.skip(why_not)
    with clusters.cluster() as cluster:
        yield cluster


def prepare(url: str, instance: Path) -> str:
    """Tables and a key in a new database."""
    app = create_app(settings_for(url), instance=instance)
    with app.app_context():
        upgrade()
        workspace, user = make_workspace(), make_user()
        make_member(workspace, user)
        key = make_key(workspace, user)
        db.session.remove()
        db.engine.dispose()
    return key


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_while_it_restarts_there_are_503s_only_and_no_acknowledged_write_is_lost(
    cluster: Cluster, tmp_path: Path, how: str
) -> None:
    key = prepare(cluster.url(), tmp_path)
    environment = settings_for(cluster.url())
    app = create_app(environment, instance=tmp_path)
    with served(environment, tmp_path) as url:
        traffic = Traffic(url, key, app)
        traffic.start(readers=2, writers=1)
        traffic.until(lambda: traffic.since(0, 200) >= 20 and len(traffic.acknowledged) >= 10)
        down = time.monotonic()
        cluster.stop(how)
        traffic.until(lambda: traffic.since(down, 503) >= 10)
        cluster.start()
        back = time.monotonic()
        written = len(traffic.acknowledged)
        traffic.until(lambda: traffic.since(back, 200) >= 20 and len(traffic.acknowledged) > written + 5)
        traffic.stop()
    assert {status for _, status, _ in traffic.answers} == {200, 503}
    late = [answer for answer in traffic.answers if answer[0] > back + 5 and answer[1] != 200]
    assert late == []
    assert [status for _, status, _ in traffic.answers[-10:]] == [200] * 10
    assert max(seconds for _, _, seconds in traffic.answers) < 10
    assert traffic.lost() == set()
    with app.app_context():
        db.engine.dispose()


def test_a_server_that_goes_after_it_was_read_spoils_no_answer(cluster: Cluster, tmp_path: Path) -> None:
    with create_app(settings_for(cluster.url()), instance=tmp_path).app_context():
        db.session.execute(sa.text("SELECT 1"))
        cluster.stop("fast")
        db.session.remove()
        cluster.start()
        assert db.session.scalar(sa.text("SELECT 1")) == 1
        db.session.remove()
        db.engine.dispose()


def test_a_server_that_falls_silent_makes_nobody_wait_for_long(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert postgresql.ANSWER_SECONDS + database.CONNECT_SECONDS < 10
    monkeypatch.setattr(postgresql, "ANSWER_SECONDS", 1.0)
    key = prepare(cluster.url(), tmp_path)
    with (
        clusters.wire_to(cluster.port) as wire,
        served(settings_for(cluster.url(wire.port)), tmp_path) as url,
    ):

        def ask(_: int = 0) -> tuple[int, float]:
            begun = time.monotonic()
            headers = {"Authorization": f"Bearer {key}"}
            answer = requests.get(f"{url}/api/v1/workflows", headers=headers, timeout=30)
            return answer.status_code, time.monotonic() - begun

        assert ask()[0] == 200
        wire.hanging.set()
        with ThreadPoolExecutor(4) as people:
            answers = list(people.map(ask, range(4)))
        assert {status for status, _ in answers} == {503}
        assert max(seconds for _, seconds in answers) < 1 + database.CONNECT_SECONDS + 2
        wire.hanging.clear()
        assert ask()[0] == 200
