"""PostgreSQL with settings of its own, and databases that cannot keep what the portal stores."""

import contextvars
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import create_app
from portal.database.engine import db, engine_options
from tests.conftest import settings_for
from tests.odd_databases import encoded
from tests.test_server import ROOT, wait_until

ODD_SETTINGS = {
    "DateStyle": "'German'",
    "IntervalStyle": "'sql_standard'",
    "bytea_output": "'escape'",
    "standard_conforming_strings": "off",
    "client_encoding": "'LATIN1'",
    "extra_float_digits": "-15",
    "TimeZone": "'Asia/Kathmandu'",
    "transform_null_equals": "on",
    "default_transaction_isolation": "'serializable'",
}


ON_POSTGRES = [pytest.param(encoding, marks=pytest.mark.postgres) for encoding in ("SQL_ASCII", "LATIN1")]


@pytest.fixture(params=[*ON_POSTGRES, "sqlite"])
def unfit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The URL of a database in another encoding, and the name of that."""
    if request.param == "sqlite":
        file = tmp_path / "utf-16.sqlite3"
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA encoding = 'UTF-16le'")
            database.execute("CREATE TABLE something (else_ TEXT)")
        database.close()
        yield f"sqlite:///{file}", "UTF-16le"
        return
    with encoded(request.param) as url:
        yield url, request.param


def run(app: Flask, *words: str) -> tuple[int, str]:
    done = contextvars.Context().run(app.test_cli_runner().invoke, args=list(words))
    return done.exit_code, done.output


def test_another_encoding_is_refused_in_words_everywhere(unfit: tuple[str, str], tmp_path: Path) -> None:
    url, encoding = unfit
    said = f"encoding is {encoding}; the portal needs"
    app = create_app(settings_for(url), instance=tmp_path)
    for words in ("db upgrade", "db current", "users add ada@acme.example", "check", "doctor", "keys list"):
        status, output = run(app, *words.split())
        assert status == 1, words
        assert said in output, words
        assert "Traceback" not in output, words
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert (answer.json["status"], said in answer.json["reason"]) == ("unfit database", True)
    assert (
        app.test_client().get("/api/v1/auth/whoami", headers={"Authorization": "Bearer op_live_"}).status_code
    )
    with app.app_context():
        db.engine.dispose()


def start_server(url: str, folder: Path) -> tuple[int | None, str]:
    """Start the server with one worker; its exit status, None where it came up, and its log."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = settings_for(url) | {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "app:app"]
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_until(
                lambda: process.poll() is not None or "Booting worker" in (folder / "log").read_text(),
                "the server to start or to refuse",
            )
            return process.poll(), (folder / "log").read_text()
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.slow
def test_the_server_does_not_start_on_it(unfit: tuple[str, str], tmp_path: Path) -> None:
    status, log = start_server(unfit[0], tmp_path)
    assert status == 1
    assert f"Run Portal does not start. The database's encoding is {unfit[1]}" in log
    assert "Traceback" not in log


@pytest.mark.slow
def test_a_database_that_is_away_holds_up_no_start(tmp_path: Path) -> None:
    status, log = start_server("postgresql://portal@127.0.0.1:1/portal", tmp_path)
    assert status is None
    assert "Booting worker" in log


def test_odd_settings_of_a_role_or_database_change_nothing(fresh_postgres_url: str) -> None:
    url = sa.make_url(fresh_postgres_url)
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for name, value in ODD_SETTINGS.items():
            connection.exec_driver_sql(f'ALTER DATABASE "{url.database}" SET {name} = {value}')
    admin.dispose()
    moment, number = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), 0.1 + 0.2
    engine = sa.create_engine(url, **engine_options(url))
    with engine.connect() as connection:
        kept = connection.execute(
            sa.text(r"SELECT :moment ::timestamptz, :raw ::bytea, :text ::text, :number ::float8, 'a\b' "),
            {"moment": moment, "raw": b"\x00\xff\\'", "text": "Ünïcode 漢字 €", "number": number},
        ).one()
        assert tuple(kept) == (moment, b"\x00\xff\\'", "Ünïcode 漢字 €", number, "a\\b")
        assert connection.exec_driver_sql("SHOW timezone").scalar() == "UTC"
        assert connection.exec_driver_sql("SHOW default_transaction_isolation").scalar() == "read committed"
        assert connection.exec_driver_sql("SELECT interval '1 day 2 hours'").scalar().days == 1
    engine.dispose()


def test_options_of_the_address_count_too(fresh_postgres_url: str) -> None:
    url = sa.make_url(fresh_postgres_url).update_query_dict(
        {"options": "-c work_mem=5MB -c datestyle=German"}
    )
    engine = sa.create_engine(url, **engine_options(url))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW work_mem").scalar() == "5MB"
        assert connection.exec_driver_sql("SHOW datestyle").scalar() == "ISO, MDY"
    engine.dispose()
