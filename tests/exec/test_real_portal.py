"""`run-portal exec` and the portal itself, over real HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.database.models import Workspace
from tests import factories
from tests.exec.conftest import Machine
from tests.factories import make_key, make_member, make_user, make_workspace
from tests.serving import served

pytest.importorskip("portal.api.history", reason="This portal takes no pushed history yet.")


@dataclass(frozen=True)
class Reader:
    """Somebody who reads a workspace over the API."""

    app: Flask
    key: str

    def get(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.app.test_client().get(f"/api/v1{path}", headers=headers).get_json()["data"]

    def runs(self) -> list[dict[str, Any]]:
        return [run for flow in self.get("/workflows") for run in self.get(f"/workflows/{flow['id']}/runs")]


@pytest.fixture
def workspace(sqlite_app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def reader(sqlite_app: Flask, workspace: Workspace) -> Reader:
    user = make_user()
    make_member(workspace, user)
    return Reader(sqlite_app, make_key(workspace, user))


@pytest.fixture
def real(sqlite_app: Flask, workspace: Workspace, tmp_path: Path) -> Iterator[Machine]:
    """A machine that reports to the portal."""
    environment = {
        "PORTAL_DATABASE_URL": sqlite_app.config["SQLALCHEMY_DATABASE_URI"],
        "PORTAL_SECRET_KEY": sqlite_app.config["SECRET_KEY"],
    }
    key = tmp_path / "key"
    key.write_text(factories.make_ingest_key(workspace))
    with served(environment, tmp_path / "served") as url:
        yield Machine(tmp_path, url)


@pytest.mark.slow
def test_runs_appear_in_the_portal(real: Machine, reader: Reader) -> None:
    options = ("--key-file", str(real.home / "key"), "--source", "cron:db1", "--verbose")
    for command in ("echo done", "echo broken >&2; exit 3"):
        ran = real.exec("sh", "-c", command, options=options)
        assert b" was sent\n" in ran.stderr
    [flow] = reader.get("/workflows")
    assert flow["name"] == "Backup"
    completed, failed = sorted(reader.runs(), key=lambda run: run["status"])
    assert (completed["status"], completed["finished_steps"]) == ("completed", 1)
    whole = reader.get(f"/workflows/{flow['id']}/runs/{failed['id']}")
    assert (whole["status"], whole["error"]) == ("failed", "Exit status 3")
    [step] = reader.get(f"/workflows/{flow['id']}/runs/{failed['id']}/steps")
    assert (step["node_id"], step["status"], step["has_result"]) == ("command", "failed", True)
    assert real.kept == []


@pytest.mark.slow
def test_a_key_that_is_refused_loses_nothing(real: Machine, reader: Reader) -> None:
    key = real.home / "key"
    right = key.read_text()
    key.write_text(f"op_ing_{'0' * 32}")
    options = ("--key-file", str(key))
    assert real.exec("true", options=options).stderr == b""
    refused = real.flush(*options)
    assert refused.stdout == b"0 sent, 1 kept\n"
    assert b" answered 401: " in refused.stderr
    key.write_text(right)
    assert real.flush(*options).stdout == b"1 sent, 0 kept\n"
    assert [run["status"] for run in reader.runs()] == ["completed"]
