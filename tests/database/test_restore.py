"""A backup is restored under running workers: no browser is told that it has seen what is there now."""

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from portal import moments
from portal.auth import signin
from portal.database.engine import db
from portal.database.models import Workflow
from portal.paging import Slice
from portal.runs.listing import list_runs
from portal.runs.query import RunQuery
from tests.cluster import binaries
from tests.factories import (
    NOON,
    make_member,
    make_run,
    make_runs,
    make_user,
    make_workflow,
    make_workspace,
    seen,
)
from tests.test_server import ROOT, SAME_ORIGIN, Server, wait_until
from tests.thresholds import SMALL, divide_small_buckets

pytestmark = pytest.mark.slow


class Backup:
    """A backup of the database under test, made and restored as the README says, while others use it."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._file = sa.make_url(url), folder / "backup"
        if self._url.get_backend_name() == "sqlite":
            with closing(sqlite3.connect(str(self._url.database))) as source:
                source.execute(f"VACUUM INTO '{self._file}'")
        else:
            self._run("pg_dump", "--format=custom", f"--file={self._file}")

    def restore(self) -> None:
        db.session.rollback()
        if self._url.get_backend_name() == "sqlite":
            with (
                closing(sqlite3.connect(self._file)) as source,
                closing(sqlite3.connect(str(self._url.database))) as target,
            ):
                source.backup(target)
        else:
            self._run("pg_restore", "--clean", "--if-exists", "--single-transaction", str(self._file))

    def _run(self, program: str, *words: str) -> None:
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        found = shutil.which(program) or str((binaries() or Path()) / program)
        subprocess.run([found, f"--dbname={url}", *words], check=True, capture_output=True)


@pytest.fixture
def workflow(app: Flask) -> Workflow:
    workspace = make_workspace()
    make_member(workspace, make_user())
    workflow = make_workflow(workspace)
    make_run(workflow, run_number=1)
    return workflow


@pytest.fixture
def server(workflow: Workflow, environment: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    """Two workers on the database under test."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    gunicorn = [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}", "app:app"]
    with (tmp_path / "log").open("wb") as log:
        settings = environment | {"PATH": os.environ["PATH"], "PORTAL_ARTIFACTS": str(tmp_path / "artifacts")}
        process = subprocess.Popen(gunicorn, cwd=ROOT, env=settings, stdout=log, stderr=log)
    server = Server(process, "127.0.0.1", port, tmp_path)
    try:
        wait_until(server.answers, "the server")
        yield server
    finally:
        process.terminate()
        process.wait(30)


def signed_in(server: Server) -> str:
    """The cookie of a session."""
    token = signin.make_link_token("ada@acme.example", moments.now())
    answer = server.ask(f"/signin/{token}", "POST", **SAME_ORIGIN)
    found = re.match("portal=[^;]+", answer.headers["Set-Cookie"])
    assert found is not None
    return found[0]


def mark(server: Server, path: str, cookie: str) -> str:
    """The ETag of a page, the same from every worker. It names the minute on a page that speaks of time."""

    def ask() -> set[str]:
        return {server.ask(path, Cookie=cookie).headers["ETag"] for _ in range(4)}

    if len(found := ask()) > 1:
        found = ask()  # a minute ended between the first answers; two do not end within seconds
    assert len(found) == 1, path
    return found.pop()


@pytest.mark.parametrize("jump", [None, timedelta(), timedelta(hours=-1)], ids=["clock", "frozen", "back"])
def test_a_mark_from_before_a_restore_is_no_mark_of_what_is_written_after_it(
    server: Server, workflow: Workflow, environment: dict[str, str], tmp_path: Path, jump: timedelta | None
) -> None:
    cookie = signed_in(server)
    paths = [f"/workflows/{workflow.id}/runs", f"/workflows/{workflow.id}/summary", "/"]
    backup = Backup(environment["PORTAL_DATABASE_URL"], tmp_path)
    with time_machine.travel(datetime.now(UTC) + (jump or timedelta()), tick=jump is None):
        make_run(workflow, run_number=2, status="failed")
        marks = {path: mark(server, path, cookie) for path in paths}
        backup.restore()
        make_run(workflow, run_number=3)
    for path, known in marks.items():
        for _ in range(4):  # whichever worker answers
            assert server.ask(path, Cookie=cookie, **{"If-None-Match": known}).status == 200, path
        new = mark(server, path, cookie)
        assert new != known


def test_pages_in_memory_are_not_those_of_a_database_that_was_restored(
    workflow: Workflow, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    divide_small_buckets(monkeypatch)

    def numbers() -> list[int]:
        query = RunQuery(workflow_id=workflow.id, slice=Slice(8, 4), order="asc")
        return [row.run_number for row in list_runs(seen(workflow), query, thresholds=SMALL).rows]

    def write(first: int, minutes: range) -> None:
        rows = [{"run_number": first + n, "created_at": NOON + timedelta(minutes=n)} for n in minutes]
        make_runs(workflow, rows)

    backup = Backup(environment["PORTAL_DATABASE_URL"], tmp_path)
    with time_machine.travel(datetime.now(UTC), tick=False):
        write(100, range(1, 20))
        assert numbers() == [108, 109, 110, 111]
        backup.restore()
        write(200, range(-20, -1))
        assert numbers() == [188, 189, 190, 191]
