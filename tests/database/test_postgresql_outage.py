"""PostgreSQL stops, is killed or falls silent under traffic: 503s while it lasts, and nothing lost."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
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
from tests.traffic import GUARD_SECONDS, Traffic


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
    cluster: Cluster, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server that went refuses at once, so nothing here may come from waiting in vain.
    monkeypatch.setattr(postgresql, "ANSWER_SECONDS", GUARD_SECONDS)
    monkeypatch.setattr(database, "CONNECT_SECONDS", GUARD_SECONDS)
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
        recovered = time.monotonic()
        traffic.until(lambda: traffic.since(recovered, 200) >= 20)
        traffic.stop()
    assert {status for _, status, _ in traffic.answers} == {200, 503}
    assert {status for begun, status, _ in traffic.answers if begun >= recovered} == {200}
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


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[float | None], list[float]]]:
    """The timeouts of the waits for an answer that were in vain, and of the attempts to connect."""
    answers: list[float | None] = []
    connections: list[float] = []
    wait = psycopg.Connection.wait

    def counted(self: Any, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return wait(self, gen, interval, timeout)
        except psycopg.OperationalError:
            answers.append(timeout)
            raise

    def connecting(_dialect: object, _record: object, _args: object, options: dict[str, Any]) -> None:
        connections.append(options["connect_timeout"])

    monkeypatch.setattr(psycopg.Connection, "wait", counted)
    sa.event.listen(sa.Engine, "do_connect", connecting)
    yield answers, connections
    sa.event.remove(sa.Engine, "do_connect", connecting)


def test_a_server_that_falls_silent_makes_nobody_wait_for_long(
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    waits: tuple[list[float | None], list[float]],
) -> None:
    assert postgresql.ANSWER_SECONDS + database.CONNECT_SECONDS < 10
    monkeypatch.setattr(postgresql, "ANSWER_SECONDS", GUARD_SECONDS)
    key, askers = prepare(cluster.url(), tmp_path), 4
    with (
        clusters.wire_to(cluster.port) as wire,
        served(settings_for(cluster.url(wire.port)), tmp_path) as url,
    ):

        def ask(_: int = 0) -> int:
            headers = {"Authorization": f"Bearer {key}"}
            return requests.get(f"{url}/api/v1/workflows", headers=headers, timeout=GUARD_SECONDS).status_code

        def is_served() -> bool:
            return any(ask() == 200 for _ in range(20))  # a slow machine may take long to connect

        assert is_served()
        for each in waits:
            each.clear()
        wire.hanging.set()
        monkeypatch.setattr(postgresql, "ANSWER_SECONDS", 1.0)
        with ThreadPoolExecutor(askers) as people:
            assert set(people.map(ask, range(askers))) == {503}
        answers, connections = waits
        assert set(answers) == {1.0}
        assert set(connections) <= {database.CONNECT_SECONDS}
        # Each waits once for an answer and once for a connection at the most.
        assert len(answers) <= askers
        assert len(connections) <= askers
        monkeypatch.setattr(postgresql, "ANSWER_SECONDS", GUARD_SECONDS)
        wire.hanging.clear()
        assert is_served()
