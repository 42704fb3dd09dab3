"""A database of another release than the code: who may write to it, and how it is told."""

import contextvars
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from click.testing import Result
from flask import Flask

from portal import moments
from portal.auth import signin
from portal.database.compatibility import NEWEST, MigrationStatus, Schema
from portal.database.engine import db
from tests.factories import make_key, make_member, make_user, make_workspace

SAME = {"Sec-Fetch-Site": "same-origin"}
LATER = "9999"

MigrateTo = Callable[[str, str | None], None]


@pytest.fixture
def become(app: Flask) -> Iterator[MigrateTo]:
    """Let the database be that of another release: at this migration, with this oldest writer."""

    def become(version: str, oldest_writer: str | None) -> None:
        db.session.rollback()
        engine = sa.create_engine(db.engine.url)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :v"), {"v": version})
            connection.execute(sa.text("DELETE FROM schema_state"))
            if oldest_writer is not None:
                connection.execute(sa.text("INSERT INTO schema_state VALUES (1, :v)"), {"v": oldest_writer})
        engine.dispose()

    yield become
    become(NEWEST, "0011")


def run(app: Flask, *words: str) -> Result:
    return contextvars.Context().run(app.test_cli_runner().invoke, args=list(words))


@pytest.mark.parametrize(
    ("version", "oldest_writer", "status"),
    [
        (None, None, MigrationStatus.OLDER),
        ("0001", None, MigrationStatus.OLDER),
        (NEWEST, "0010", MigrationStatus.NEWEST),
        (LATER, None, MigrationStatus.NEWER),
        (LATER, NEWEST, MigrationStatus.NEWER),
        (LATER, "0001", MigrationStatus.NEWER),
        (LATER, "9998", MigrationStatus.TOO_NEW),
    ],
)
def test_the_migration_status_of_a_database(
    version: str | None, oldest_writer: str | None, status: str
) -> None:
    assert Schema(version, oldest_writer).status == status


def test_the_newest_migration_is_that_of_the_files(sqlite_app: Flask) -> None:
    scripts = ScriptDirectory(sqlite_app.extensions["migrate"].directory)
    assert scripts.get_heads() == [NEWEST]


@pytest.mark.parametrize("oldest_writer", [NEWEST, "0010", None])
def test_a_server_of_the_release_before_goes_on(
    app: Flask, become: MigrateTo, oldest_writer: str | None
) -> None:
    user = make_user()
    link = f"/signin/{signin.make_link_token(user.email, moments.now())}"
    become(LATER, oldest_writer)
    assert app.test_client().post(link, headers=SAME).status_code == 303
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_a_server_that_is_older_than_that_reads_on_and_says_why_it_does_not_write(
    app: Flask, become: MigrateTo
) -> None:
    user, workspace = make_user(), make_workspace()
    make_member(workspace, user)
    key = make_key(workspace, user)
    link = f"/signin/{signin.make_link_token(user.email, moments.now())}"
    become(LATER, "9998")
    refused = app.test_client().post(link, headers=SAME)
    assert refused.status_code == 503
    assert "your operator must start the newer release" in refused.text
    headers = {"Authorization": f"Bearer {key}"}
    assert app.test_client().get("/api/v1/workflows", headers=headers).status_code == 200
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["status"] == "read-only"
    assert "9998" in answer.json["reason"]
    assert NEWEST in answer.json["reason"]


@pytest.mark.parametrize("oldest_writer", [NEWEST, "9998"])
def test_commands_do_not_write_to_it_and_say_so(app: Flask, become: MigrateTo, oldest_writer: str) -> None:
    make_workspace()
    become(LATER, oldest_writer)
    for words in ("users add ada@acme.example", "demo", "check --repair", "db upgrade", "db downgrade"):
        refused = run(app, *words.split())
        assert refused.exit_code == 1, words
        assert "newer release: at migration 9999" in refused.output, words
        assert "Can't locate" not in refused.output, words
    assert run(app, "keys", "list").exit_code == 0
    become(NEWEST, "0010")
    assert run(app, "users", "add", "ada@acme.example").exit_code == 0


def test_doctor_and_check_say_it(app: Flask, become: MigrateTo) -> None:
    become(LATER, NEWEST)
    assert "note  migrations: the database is of a newer release" in run(app, "doctor").output
    checked = run(app, "check")
    assert checked.exit_code == 1
    assert "BAD  migrations: the database is of a newer release: at migration 9999" in checked.output
    become(LATER, "9998")
    assert "BAD   migrations: the database is of a newer release" in run(app, "doctor").output
    become("0009", None)
    for command in ("doctor", "check"):
        assert "migrations: run: flask db upgrade" in run(app, command).output
