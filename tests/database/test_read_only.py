"""A database that is read-only for a while: everything can be read, changes are refused with a reason."""

import contextvars
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from portal import create_app, moments
from portal.auth import signin
from portal.database import postgresql
from portal.database.engine import db
from portal.database.models import ApiKey, BrowserSession, User
from portal.database.refusals import ReadOnlyDatabase
from portal.database.transactions import writing
from tests import cluster as clusters
from tests.conftest import OutsideClient, settings_for, sign_in_to
from tests.factories import make_key, make_member, make_user, make_workflow, make_workspace
from tests.odd_databases import Database, unprivileged

SAME = {"Sec-Fetch-Site": "same-origin"}
SAID = "read-only at the moment"


@dataclass
class World:
    """A portal with somebody signed in and a key, both due to be marked as used again."""

    app: Flask
    database: Database
    browser: FlaskClient
    key: str
    user: User

    def api(self, path: str) -> int:
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.app.test_client().get(f"/api/v1{path}", headers=headers).status_code

    def ready(self) -> tuple[int, str]:
        answer = self.app.test_client().get("/readyz")
        assert answer.json is not None
        return answer.status_code, answer.json["status"]

    def run(self, *words: str) -> Result:
        runner = self.app.test_cli_runner()
        return contextvars.Context().run(runner.invoke, args=list(words))

    def reads(self) -> None:
        for path in ("/login", "/readyz", "/healthz"):
            assert self.app.test_client().get(path).status_code == 200
        assert self.browser.get("/", follow_redirects=True).status_code == 200
        assert self.api("/auth/whoami") == self.api("/workflows") == 200


def make_world(app: Flask, database: Database) -> World:
    app.test_client_class = OutsideClient
    workspace, user = make_workspace(), make_user(first_name="Ada")
    make_member(workspace, user)
    make_workflow(workspace)
    key, browser = make_key(workspace, user), sign_in_to(app, user)
    with writing() as session:
        session.execute(sa.update(BrowserSession).values(seen_at=moments.now() - timedelta(hours=1)))
    return World(app, database, browser, key, user)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "postgresql":
        url = request.getfixturevalue("fresh_postgres_url")
        app = create_app(settings_for(url), instance=tmp_path)
        with app.app_context():
            upgrade()
            yield make_world(app, Database(url))
            db.session.remove()
            db.engine.dispose()
        return
    template: Path = request.getfixturevalue("empty_sqlite")
    with template.open("rb") as empty, unprivileged() as folder:
        file = folder / "portal.sqlite3"
        with file.open("wb") as copy:
            shutil.copyfileobj(empty, copy)
        app = create_app(settings_for(f"sqlite:///{file}"), instance=folder)
        with app.app_context():
            yield make_world(app, Database(f"sqlite:///{file}", file))
            db.session.remove()
            db.engine.dispose()


def last_uses() -> tuple[object, ...]:
    with db.engine.connect() as connection:
        uses = sa.select(ApiKey.last_used_at), sa.select(sa.func.min(BrowserSession.seen_at))
        return tuple(connection.scalar(each) for each in uses)


@pytest.mark.slow
def test_while_it_takes_no_changes_everything_is_read_and_changes_are_refused_in_words(world: World) -> None:
    link = f"/signin/{signin.make_link_token(world.user.email, moments.now())}"
    used = last_uses()
    world.database.take_no_changes()
    db.engine.dispose()  # as after a failover: all connections are new
    for _ in range(3):
        world.reads()
    assert last_uses() == used
    assert world.ready() == (200, "read-only")
    assert world.app.test_client().get(link).status_code == 200
    refused = world.app.test_client().post(link, headers=SAME)
    assert refused.status_code == 503
    assert SAID in refused.text
    assert "Retry-After" in refused.headers
    world.reads()

    world.database.take_changes()
    assert world.app.test_client().post(link, headers=SAME).status_code == 303
    assert world.ready() == (200, "ok")
    world.reads()
    assert all(now != before for now, before in zip(last_uses(), used, strict=True))


def test_connections_opened_meanwhile_write_again_afterwards_without_a_restart(world: World) -> None:
    world.database.take_no_changes()
    db.engine.dispose()
    connections = [db.engine.connect() for _ in range(4)]
    for connection in connections:
        connection.execute(sa.text("SELECT 1"))
        connection.close()
    world.database.take_changes()
    for number in range(3):
        with writing() as session:
            session.execute(sa.update(User).values(first_name=f"Ada {number}"))
    assert db.session.scalar(sa.select(User.first_name)) == "Ada 2"


def test_signing_out_takes_the_cookie_away_and_says_that_the_session_goes_on(world: World) -> None:
    world.database.take_no_changes()
    db.engine.dispose()
    answer = world.browser.post("/logout", headers=SAME)
    assert answer.status_code == 503
    assert "You are signed out of this browser. The session itself could not be ended" in answer.text
    assert "Nothing is lost. Wait a few seconds" not in answer.text
    assert "/login" in world.browser.get("/").headers["Location"]
    world.database.take_changes()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(BrowserSession)) == 1


@pytest.mark.slow
def test_a_session_that_cannot_be_ended_keeps_nobody_from_signing_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = f"/signin/{signin.make_link_token(world.user.email, moments.now())}"
    real = signin.use_link

    def then_read_only(*arguments: object) -> str | None:
        token = real(*arguments)  # type: ignore[arg-type]
        world.database.take_no_changes()
        db.engine.dispose()
        return token

    monkeypatch.setattr(signin, "use_link", then_read_only)
    assert world.browser.post(link, headers=SAME).status_code == 303
    assert world.browser.get("/").status_code == 200
    world.database.take_changes()


@pytest.mark.slow
def test_commands_and_doctor_say_it(world: World) -> None:
    world.database.take_no_changes()
    db.engine.dispose()
    refused = world.run("users", "add", "grace@acme.example")
    assert refused.exit_code == 1
    assert SAID in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "flask db upgrade" not in refused.stderr
    told = world.run("doctor")
    assert told.exit_code == 1
    assert "BAD   changes:" in told.output
    assert "ok    migrations" in told.output
    assert world.run("check").exit_code == 0
    world.database.take_changes()
    assert world.run("users", "add", "grace@acme.example").exit_code == 0
    assert "BAD   changes" not in world.run("doctor").output


@pytest.fixture
def standby(tmp_path: Path) -> Iterator[tuple[clusters.Cluster, World]]:
    """A cluster that can turn into a standby, and the portal on it."""
    why_not = clusters.missing()
    if why_not is not None:
        pytest.skip(why_not)
    with clusters.cluster() as cluster:
        app = create_app(settings_for(cluster.url()), instance=tmp_path)
        with app.app_context():
            upgrade()
            yield cluster, make_world(app, Database(cluster.url()))
            db.session.remove()
            db.engine.dispose()


def test_a_standby_serves_reads_and_takes_changes_once_it_is_promoted(
    standby: tuple[clusters.Cluster, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, world = standby
    cluster.stop("fast")
    (cluster.folder / "data" / "standby.signal").touch()
    cluster.start()
    world.reads()
    assert world.ready() == (200, "read-only")
    with pytest.raises(ReadOnlyDatabase), writing():
        pass
    cluster.run("pg_ctl", "-D", str(cluster.folder / "data"), "-w", "promote")
    assert world.run("users", "add", "grace@acme.example").exit_code == 0
    assert world.ready() == (200, "ok")

    world.database.run("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    while world.ready() != (200, "read-only"):
        pass  # the server tells its processes in its own time
    world.reads()
    with pytest.raises(ReadOnlyDatabase), writing():
        pass
    monkeypatch.setattr(postgresql, "READ_ONLY_SECONDS", 0.0)
    world.database.run("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
    while world.ready() != (200, "ok"):
        pass
    assert world.run("users", "add", "edsger@acme.example").exit_code == 0
    world.reads()


def test_a_backup_moved_over_the_file_of_a_running_portal_is_what_it_serves(
    sqlite_app: Flask, tmp_path: Path
) -> None:
    file = tmp_path / "portal.sqlite3"
    make_user("before@acme.example")
    with sqlite3.connect(file) as database:
        database.execute("VACUUM INTO ?", [str(tmp_path / "backup.sqlite3")])
    database.close()
    for number in range(50):
        make_user(f"later-{number}@acme.example")
    emails = sa.select(User.email).order_by(User.email)
    assert len(db.session.scalars(emails).all()) == 51
    db.session.remove()

    (tmp_path / "backup.sqlite3").rename(file)
    assert db.session.scalars(emails).all() == ["before@acme.example"]
    make_user("after@acme.example")
    assert db.session.scalars(emails).all() == ["after@acme.example", "before@acme.example"]
    db.session.remove()
    db.engine.dispose()
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT count(*) FROM users").fetchone() == (2,)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_a_file_that_was_taken_away_is_no_empty_database(sqlite_app: Flask, tmp_path: Path) -> None:
    client: Callable[[], int] = lambda: sqlite_app.test_client().get("/readyz").status_code  # noqa: E731
    assert client() == 200
    (tmp_path / "portal.sqlite3").rename(tmp_path / "away.sqlite3")
    assert client() == 503
    assert not (tmp_path / "portal.sqlite3").exists()
    (tmp_path / "away.sqlite3").rename(tmp_path / "portal.sqlite3")
    assert client() == 200
