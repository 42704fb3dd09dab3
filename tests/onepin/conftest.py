"""The published clients, each with a home folder of its own, and a portal for them over real HTTP."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.database.models import Workflow
from tests.factories import (
    NOON,
    make_key,
    make_member,
    make_person,
    make_run,
    make_user,
    make_workflow,
    make_workspace,
)
from tests.serving import served

RELEASES = ("0.16.1", "0.13.0", "0.4.0")
"""The newest, which lies with all other packages, and older ones in folders of their own (see Makefile)."""
NEWEST, OLDEST = RELEASES[0], RELEASES[-1]
_OLDER = Path(__file__).parents[2] / ".onepin"


@dataclass
class Onepin:
    """The command line client, signed in as a person would be."""

    release: str
    home: Path
    base_url: str
    key: str
    workflow: Workflow
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(str(program(self.release)), *arguments, check=check)

    def run(
        self, *command: str, check: bool = True, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that finds this release of the client; `given`: its standard input."""
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "COLUMNS": "200", "NO_COLOR": "1"}
        if self.release != NEWEST:
            environment["PYTHONPATH"] = str(_OLDER / self.release)
        done = subprocess.run(
            command,
            env=environment | self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json").stdout)

    def rows(self, *options: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.json("workflows", "runs", "list", str(self.workflow.id), *options)
        return rows


def program(release: str) -> Path:
    if release == NEWEST:
        return Path(sys.executable).parent / "onepin"
    return _OLDER / release / "bin" / "onepin"


@pytest.fixture
def database_url(empty_sqlite: Path, tmp_path: Path) -> str:
    """One kind of database: what a client understands of an answer depends on no other."""
    shutil.copy(empty_sqlite, tmp_path / "portal.sqlite3")
    return f"sqlite:///{tmp_path / 'portal.sqlite3'}"


@pytest.fixture
def shelf(app: Flask) -> tuple[Workflow, str]:
    """A workflow with seven runs of three people, and a key for it."""
    workspace, user = make_workspace(), make_user(first_name="Ada", last_name="Lovelace")
    make_member(workspace, user)
    workflow = make_workflow(workspace, "Nightly dub", description="Dubs")
    people = [make_person(workspace, "Ada Lovelace"), make_person(workspace, "Åsa Öberg"), None]
    statuses = ["completed", "failed", "cancelled", "running", "pending", "paused", "completed"]
    for number, status in enumerate(statuses):
        at = NOON + timedelta(minutes=number)
        make_run(
            workflow, people[number % 3], status=status, created_at=at, started_at=at, run_number=number + 1
        )
    return workflow, make_key(workspace, user)


@pytest.fixture
def server(shelf: object, environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    with served(environment, tmp_path) as base_url:
        yield base_url


@pytest.fixture(scope="session")
def kept() -> dict[str, tuple[str, str, str]]:
    """What `onepin login` wrote once, by release: the file, and the key and base URL in it."""
    return {}


@pytest.fixture(params=RELEASES)
def onepin(
    request: pytest.FixtureRequest,
    shelf: tuple[Workflow, str],
    server: str,
    tmp_path: Path,
    kept: dict[str, tuple[str, str, str]],
) -> Onepin:
    """Signed in as `onepin login` does it: the first of each release really, the others with its file."""
    if not program(request.param).exists():
        pytest.skip(f"the onepin client {request.param} is not installed: run the tests with `make test`")
    workflow, key = shelf
    client = Onepin(request.param, tmp_path / "home", server, key, workflow)
    credentials = client.home / ".onepin" / "credentials"
    if client.release in kept:
        file, old_key, old_url = kept[client.release]
        credentials.parent.mkdir(parents=True)
        credentials.write_text(file.replace(old_key, key).replace(old_url, server))
    else:
        client.home.mkdir()
        client("login", "--key", key, "--base-url", server)
        kept[client.release] = credentials.read_text(), key, server
    return client
