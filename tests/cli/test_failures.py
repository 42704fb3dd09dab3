"""Every failure of a command: one line, exit status 1, JSON where asked for, and what went in before it."""

import contextvars
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from portal import create_app
from portal.cli import init_app
from portal.cli.failures import Command, Group
from portal.database.engine import db
from portal.database.models import Run, Workspace
from portal.database.transactions import writing
from portal.history.storing import store
from portal.workspaces import accounts
from tests import cluster as clusters
from tests.conftest import settings_for
from tests.factories import make_workspace
from tests.history.lines import run_line, workflow_line, write
from tests.test_server import ROOT

RunCommand = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> RunCommand:
    runner = app.test_cli_runner()
    return lambda *words: contextvars.Context().run(runner.invoke, args=[str(word) for word in words])


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


def failing_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let whatever the database or the system may answer come out of adding a user."""

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(accounts, "add_user", fail)


def of_database(kind: type[sa.exc.DBAPIError], text: str) -> sa.exc.DBAPIError:
    return kind("INSERT INTO users VALUES ('s3cr3t')", {}, Exception(text))


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            of_database(sa.exc.DataError, "integer out of range"),
            "INTERNAL_ERROR",
            "DataError: integer out of range",
        ),
        (of_database(sa.exc.InternalError, "odd"), "INTERNAL_ERROR", "InternalError: odd"),
        (OverflowError("Python int too large"), "INTERNAL_ERROR", "OverflowError: Python int too large"),
        (KeyError("x"), "INTERNAL_ERROR", "KeyError: 'x'"),
        (OSError(28, "No space left on device", "/data/x"), "DISK_FULL", "No space left on device: /data/x"),
        (OSError(13, "Permission denied", "/data/x"), "NOT_PERMITTED", "Permission denied: /data/x"),
        (OSError(5, "Input/output error"), "SYSTEM_FAILED", "Input/output error"),
        (sa.exc.TimeoutError("pool"), "NO_DATABASE", "does not answer"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_any_failure_is_one_line_a_status_and_json(
    run: RunCommand, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, said: str
) -> None:
    failing_with(monkeypatch, error)
    plain = run("users", "add", "ada@acme.example")
    assert plain.exit_code == 1
    [line] = plain.stderr.strip().splitlines()
    assert line.startswith("Error: ")
    assert said in line
    assert plain.stdout == ""
    assert ("This is a bug" in line) == (code == "INTERNAL_ERROR")
    assert "flask db upgrade" not in line
    assert "s3cr3t" not in plain.output
    told = run("users", "add", "ada@acme.example", "--json")
    assert told.exit_code == 1
    failure = json.loads(told.stdout)
    assert failure == {"error": {"code": code, "message": line.removeprefix("Error: ")}}


def test_a_refusal_as_json_names_its_fields(run: RunCommand) -> None:
    refused = run("users", "add", "nobody", "--json")
    assert refused.exit_code == 1
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert [each["field"] for each in error["details"]] == ["email"]


def test_the_traceback_of_a_bug_is_shown_on_demand_only(
    run: RunCommand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing_with(monkeypatch, OverflowError("too large"))
    assert "flask --debug" in run("users", "add", "ada@acme.example").stderr
    assert not caplog.records
    monkeypatch.setenv("FLASK_DEBUG", "1")
    run("users", "add", "ada@acme.example")
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_every_command_has_its_failures_told() -> None:
    app = Flask(__name__)
    init_app(app)
    groups = [each for each in app.cli.commands.values() if isinstance(each, Group)]
    commands = [each for each in app.cli.commands.values() if not isinstance(each, Group)]
    assert len(groups) >= 5
    assert len(commands) >= 5
    for command in (*commands, *(each for group in groups for each in group.commands.values())):
        assert isinstance(command, Command), command.name


def long_history(tmp_path: Path, runs: int = 100) -> Path:
    return write(tmp_path / "long.jsonl", workflow_line(), *(run_line(str(n)) for n in range(runs)))


def count_runs() -> int:
    db.session.rollback()
    return db.session.scalar(sa.select(sa.func.count()).select_from(Run)) or 0


@pytest.fixture
def fail_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, BaseException], None]:
    """Let the commit of this batch fail, as on a full disk or with Ctrl-C at that moment."""

    def fail_at(batch: int, error: BaseException) -> None:
        finish, batches = store.Store.finish, iter(range(1, 10_000))

        def fail(self: store.Store) -> None:
            finish(self)
            if next(batches) == batch:
                raise error

        monkeypatch.setattr(store.Store, "finish", fail)

    return fail_at


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (of_database(sa.exc.DataError, "integer out of range"), "INTERNAL_ERROR"),
        (OverflowError("Python int too large"), "INTERNAL_ERROR"),
        (OSError(28, "No space left on device"), "DISK_FULL"),
        (KeyboardInterrupt(), "INTERRUPTED"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else value,
)
@pytest.mark.slow
def test_an_import_that_fails_says_what_was_committed(
    run: RunCommand,
    tmp_path: Path,
    fail_at: Callable[[int, BaseException], None],
    error: BaseException,
    code: str,
) -> None:
    bad = write(tmp_path / "bad.jsonl", workflow_line(name="First"), run_line("bad", status="odd"))
    file = long_history(tmp_path)
    fail_at(4, error)
    failed = run("import", bad, file, "--batch-size", 20, "--json")
    assert failed.exit_code == 1
    told = json.loads(failed.stdout)
    assert told["error"]["code"] == code
    assert told["ok"] is False
    assert told["runs"]["new"] == count_runs() == 39
    assert (told["lines"], told["bad_lines"], len(told["bad"])) == (42, 1, 1)
    assert [each["runs"]["new"] for each in told["files"]] == [0, 39]
    again = run("import", bad, file, "--batch-size", 20)
    assert "Runs: 61 new, 0 updated, 39 unchanged" in again.stdout


@pytest.mark.usefixtures("workspace")
def test_an_import_that_fails_says_so_in_words_too(
    run: RunCommand, tmp_path: Path, fail_at: Callable[[int, BaseException], None]
) -> None:
    fail_at(1, OSError(28, "No space left on device"))
    failed = run("import", long_history(tmp_path))
    assert failed.exit_code == 1
    assert failed.stderr.strip() == (
        "Error: No space is left (No space left on device). Free some space, then try again."
    )
    assert "What was done before it failed:" in failed.stdout
    assert "Runs: 0 new" in failed.stdout
    assert "0 lines" in failed.stdout
    assert count_runs() == 0


@pytest.fixture
def sqlite_team(sqlite_app: Flask) -> Flask:
    make_workspace()
    db.session.remove()
    return sqlite_app


def run_bounded(folder: Path, limit: int, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own, whose files may become only so large."""

    def bound() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    environment = settings_for(f"sqlite:///{folder / 'portal.sqlite3'}") | {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "flask", "--app", str(ROOT / "app.py"), *words]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, preexec_fn=bound, timeout=120, check=False
    )


@pytest.mark.slow
@pytest.mark.usefixtures("sqlite_team")
def test_a_disk_that_runs_full_keeps_whole_batches(tmp_path: Path) -> None:
    file = long_history(tmp_path, 20_000)
    size = (tmp_path / "portal.sqlite3").stat().st_size
    words = ("import", str(file), "--batch-size", "1000", "--json")
    failed = run_bounded(tmp_path, size + 6_000_000, *words)
    assert failed.returncode == 1, failed.stderr
    told = json.loads(failed.stdout)
    assert told["error"]["code"] in ("DISK_FULL", "DISK_FAILS")
    assert "room" in told["error"]["message"]
    assert "flask db upgrade" not in told["error"]["message"]
    assert "Traceback" not in failed.stderr
    assert 0 < told["runs"]["new"] == count_runs() < 20_000


@pytest.mark.slow
def test_a_database_that_may_not_grow_is_full(sqlite_team: Flask, tmp_path: Path) -> None:
    with db.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    @sa.event.listens_for(db.engine, "connect")
    def bound(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + 40}")

    db.engine.dispose()
    runner = sqlite_team.test_cli_runner()
    file = str(long_history(tmp_path, 5_000))
    words = ["import", file, "--batch-size", "50", "--json"]
    failed = contextvars.Context().run(runner.invoke, args=words)
    assert failed.exit_code == 1
    told = json.loads(failed.stdout)
    assert told["error"]["code"] == "DISK_FULL"
    assert told["runs"]["new"] == count_runs()


def test_a_locked_database_is_said_to_be_locked(sqlite_team: Flask) -> None:
    other = sa.create_engine(db.engine.url).connect()
    other.exec_driver_sql("BEGIN IMMEDIATE")

    @sa.event.listens_for(db.engine, "connect")
    def impatient(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA busy_timeout = 0")

    db.engine.dispose()
    runner = sqlite_team.test_cli_runner()
    refused = contextvars.Context().run(runner.invoke, args=["users", "add", "ada@acme.example"])
    other.close()
    other.engine.dispose()
    assert refused.exit_code == 1
    assert "The database is locked by another writer (database is locked)" in refused.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://portal@127.0.0.1:1/portal", "The database does not answer"),
        ("sqlite:////nowhere/at/all.sqlite3", "The database file cannot be opened"),
        ("sqlite:///{file}", "damaged, or is no SQLite database"),
        ("sqlite:///{empty}", "Run: flask db upgrade"),
    ],
)
def test_the_advice_fits_the_cause(tmp_path: Path, url: str, said: str) -> None:
    (tmp_path / "text").write_text("This is no database, but quite long enough to look like one. " * 20)
    url = url.format(file=tmp_path / "text", empty=tmp_path / "empty.sqlite3")
    app = create_app(settings_for(url), instance=tmp_path)
    told = contextvars.Context().run(app.test_cli_runner().invoke, args=["users", "add", "ada@acme.example"])
    assert told.exit_code == 1
    assert said in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1
    if "empty" not in url:
        migrated = contextvars.Context().run(app.test_cli_runner().invoke, args=["db", "upgrade"])
        assert migrated.exit_code == 1
        assert said in migrated.output
    with app.app_context():
        db.engine.dispose()


def test_wrong_rights_and_missing_tables_on_postgresql_are_told_apart(
    fresh_postgres_url: str, tmp_path: Path
) -> None:
    admin = sa.create_engine(fresh_postgres_url, isolation_level="AUTOCOMMIT")
    name = sa.make_url(fresh_postgres_url).database
    role = f"reader_{name}"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 's3cr3t'")
    try:
        app = create_app(settings_for(fresh_postgres_url), instance=tmp_path)
        add = ["users", "add", "ada@acme.example"]
        empty = contextvars.Context().run(app.test_cli_runner().invoke, args=add)
        assert "lacks tables or columns of this release" in empty.stderr
        assert "Run: flask db upgrade" in empty.stderr
        contextvars.Context().run(app.test_cli_runner().invoke, args=["db", "upgrade"])
        reading = sa.make_url(fresh_postgres_url).set(username=role, password="s3cr3t")
        with admin.connect() as connection:
            connection.exec_driver_sql(f"GRANT SELECT ON alembic_version TO {role}")
        other = create_app(settings_for(reading.render_as_string(hide_password=False)), instance=tmp_path)
        refused = contextvars.Context().run(other.test_cli_runner().invoke, args=add)
        assert "This is not permitted (permission denied for table users" in refused.stderr
        assert "s3cr3t" not in refused.output
        for each in (app, other):
            with each.app_context():
                db.engine.dispose()
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
        admin.dispose()


@pytest.mark.postgres
def test_what_postgresql_refuses_at_the_door_is_told_apart(tmp_path: Path) -> None:
    if clusters.missing() is not None:
        pytest.skip(str(clusters.missing()))
    with clusters.cluster() as cluster:
        trusting = cluster.url().replace("portal@", "nobody_here@")
        absent = cluster.url().replace("/postgres", "/not_there")
        assert "The database refuses the sign-in" in refusal_of(trusting, tmp_path)
        assert "There is no such database" in refusal_of(absent, tmp_path)
        hba = cluster.folder / "data" / "pg_hba.conf"
        hba.write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        cluster.stop("fast")
        cluster.start()
        wrong = sa.make_url(cluster.url()).set(password="s3cr3t-of-mine")
        said = refusal_of(wrong.render_as_string(hide_password=False), tmp_path)
        assert "The database refuses the sign-in" in said
        assert "s3cr3t" not in said


def refusal_of(url: str, instance: Path) -> str:
    """What a command says on this database."""
    app = create_app(settings_for(url), instance=instance)
    words = ["users", "add", "ada@acme.example"]
    told = contextvars.Context().run(app.test_cli_runner().invoke, args=words)
    with app.app_context():
        db.engine.dispose()
    assert told.exit_code == 1
    return told.stderr


def test_a_request_that_finds_no_room_is_answered_with_503(sqlite_app: Flask) -> None:
    with db.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    with writing() as session:
        session.execute(sa.text("CREATE TABLE filler (text TEXT)"))

    @sa.event.listens_for(db.engine, "connect")
    def bound(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    db.engine.dispose()

    @sqlite_app.get("/api/fill")
    def fill() -> str:
        with writing() as session:
            session.execute(sa.text("INSERT INTO filler VALUES (:text)"), {"text": "x" * 1_000_000})
        return ""

    fill.portal_public = True  # type: ignore[attr-defined]
    answer = sqlite_app.test_client().get("/api/fill")
    assert answer.status_code == 503
    assert answer.json is not None
    assert "no space left" in answer.json["error"]["message"]
