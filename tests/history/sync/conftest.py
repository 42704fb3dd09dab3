"""Two portals, each with its own database, and a mirror of one in the other."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from portal import create_app, moments
from portal.database.engine import db
from portal.database.models import Mirror, MirroredRun, Workflow, Workspace
from portal.database.transactions import writing
from portal.engine.execution.workers import WorkerIdentity
from portal.history.importer import import_lines
from portal.history.sync import mirrors, source, workflow_pass
from portal.history.sync.passes import PassOptions, run_pass
from portal.history.sync.source import Source
from portal.history.sync.summary import PassSummary
from portal.moments import format_moment
from portal.runs.recording.recorder import delete_runs
from portal.runs.recording.workflow_rows import lock_workflows
from tests.conftest import OutsideClient, empty_postgres, settings_for, under_test
from tests.factories import NOON, make_key, make_member, make_user, make_workspace
from tests.history.lines import WORKFLOW, encode, run_line
from tests.history.sync.bad_network import BadNetwork, bad_network
from tests.serving import served


@dataclass
class Portal:
    """A portal with one workspace, and a key of it."""

    app: Flask
    environment: dict[str, str]
    workspace_id: UUID
    key: str

    def workspace(self) -> Workspace:
        with self.app.app_context(), writing() as session:
            return session.get_one(Workspace, self.workspace_id)

    def take(self, *lines: dict[str, Any]) -> None:
        """Import lines of history here."""
        with self.app.app_context():
            summary = import_lines(self.workspace_id, [encode(line) for line in lines], now=moments.now())
        assert summary.ok, summary.bad

    def delete(self, *run_ids: str, workflow_id: str = WORKFLOW) -> None:
        """Delete runs here."""
        with self.app.app_context(), writing() as session:
            lock_workflows(session, [UUID(workflow_id)])
            delete_runs(session, UUID(workflow_id), [UUID(run_id) for run_id in run_ids])

    def edit_workflow(self, **fields: Any) -> None:
        """Change a workflow over the API."""
        with self.app.app_context():
            user = make_user(f"editor@{self.workspace_id}.example")
            make_member(self.workspace(), user)
            key = make_key(self.workspace(), user, ("workflows:write",))
        headers = {"Authorization": f"Bearer {key}"}
        answer = self.app.test_client().patch(f"/api/v1/workflows/{WORKFLOW}", json=fields, headers=headers)
        assert answer.status_code == 200, answer.json

    def delete_workflow(self, workflow_id: str = WORKFLOW) -> None:
        with self.app.app_context(), writing() as session:
            session.get_one(Workflow, UUID(workflow_id)).deleted_at = NOON

    def rows(self) -> dict[str, MirroredRun]:
        """What its mirrors know of runs, by their ids."""
        with self.app.app_context():
            found = {str(row.run_id): row for row in db.session.scalars(sa.select(MirroredRun))}
            db.session.expunge_all()
            db.session.rollback()
        return found

    def mirror(self) -> mirrors.MirrorView:
        """Its only mirror."""
        with self.app.app_context():
            [found] = mirrors.mirrors_of(self.workspace_id)
        return found

    def ask(self, path: str) -> Any:
        """The answer of the API."""
        client: FlaskClient = self.app.test_client()
        answer = client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {self.key}"})
        assert answer.status_code == 200, answer.json
        return answer.json

    def pages(self, path: str) -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.ask(f"{path}?limit=100&offset={len(found)}")
            found += page["data"]
            if page["pagination"]["next"] is None:
                return found

    def workflows(self) -> dict[str, dict[str, Any]]:
        return {each["id"]: each for each in self.pages("/workflows")}

    def runs(self) -> dict[str, dict[str, Any]]:
        """All runs of the workspace by id, as List Runs shows them."""
        found: dict[str, dict[str, Any]] = {}
        for workflow_id in self.workflows():
            rows = self.pages(f"/workflows/{workflow_id}/runs")
            for row in rows:
                row.pop("x_portal", None)  # a mirror says where its runs come from
            assert not found.keys() & {row["id"] for row in rows}
            found |= {row["id"]: row | {"workflow_id": workflow_id} for row in rows}
            assert len(rows) == len({row["id"] for row in rows})
        return found


def run(number: int, status: str = "completed", **fields: Any) -> dict[str, Any]:
    """The line of a run that was created some minutes after noon."""
    created, ended = (format_moment(NOON + timedelta(minutes=number + later)) for later in (0, 1))
    known = {"created_at": created, "started_at": created, "completed_at": ended}
    if status in ("pending", "running"):
        known["completed_at"] = None
    return run_line(f"run {number}", run_number=number, status=status, **(known | fields))


def open_portal(app: Flask, environment: dict[str, str], slug: str) -> Portal:
    with app.app_context():
        workspace, user = make_workspace(slug, slug.title()), make_user(f"ada@{slug}.example", "Ada")
        make_member(workspace, user)
        return Portal(app, environment, workspace.id, make_key(workspace, user))


@contextmanager
def other_portal(empty_sqlite: Path, folder: Path, slug: str) -> Iterator[Portal]:
    """A portal on a database of its own."""
    folder.mkdir()
    shutil.copy(empty_sqlite, folder / "portal.sqlite3")
    environment = settings_for(f"sqlite:///{folder / 'portal.sqlite3'}")
    app = create_app(environment, instance=folder)
    app.test_client_class = OutsideClient
    with under_test(app):
        yield open_portal(app, environment, slug)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, empty_sqlite: Path, tmp_path: Path) -> Iterator[str]:
    """SQLite, unless a test asks for each kind: what there is to copy depends on no database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        shutil.copy(empty_sqlite, tmp_path / "portal.sqlite3")
        yield f"sqlite:///{tmp_path / 'portal.sqlite3'}"
        return
    emptying = request.getfixturevalue("emptying")
    yield request.getfixturevalue("migrated_postgres")
    empty_postgres(emptying)


@pytest.fixture
def there(empty_sqlite: Path, tmp_path: Path) -> Iterator[Portal]:
    """The portal whose workspace is mirrored."""
    with other_portal(empty_sqlite, tmp_path / "there", "there") as portal:
        yield portal


@pytest.fixture
def address(there: Portal, tmp_path: Path) -> Iterator[str]:
    """Where it is served."""
    with served(there.environment, tmp_path / "there") as base_url:
        yield base_url


@pytest.fixture
def here(there: Portal, app: Flask, environment: dict[str, str]) -> Portal:
    """The portal that mirrors it; its application context is the current one."""
    return open_portal(app, environment, "here")


def unhurried(base_url: str, key: str, workspace_id: UUID | None = None) -> Source:
    """A source that does not wait between attempts."""
    return Source(base_url, key, workspace_id, sleep=lambda _seconds: None)


@dataclass
class Mirroring:
    """A mirror, and passes of it."""

    portal: Portal
    row: Mirror

    def __call__(self, **options: Any) -> PassSummary:
        """A pass that comes to its end without an error."""
        summary = self.attempt(**options)
        assert summary.error is None, summary.error
        return summary

    def attempt(self, **options: Any) -> PassSummary:
        with self.portal.app.app_context():
            chosen = PassOptions(**({"open_source": unhurried} | options))
            return run_pass(self.row.id, WorkerIdentity.new().id, chosen, PassSummary(""))


def add_mirror(portal: Portal, mirrored: Portal, url: str, folder: Path, **more: Any) -> Mirroring:
    key_file = folder / f"{mirrored.workspace_id}.key"
    key_file.write_text(f"{mirrored.key}\n")
    with portal.app.app_context():
        spec = mirrors.MirrorSpec.parse(url, key_file, more.pop("details", 0), more.pop("name", None))
        added = mirrors.add_mirror(portal.workspace(), spec, moments.now())
    return Mirroring(portal, added.row)


@pytest.fixture
def mirror(here: Portal, there: Portal, address: str, tmp_path: Path) -> Mirroring:
    """A mirror without a budget for details."""
    return add_mirror(here, there, address, tmp_path)


class Hasty:
    """A clock that does not wait."""

    sleep = staticmethod(lambda _seconds: None)
    time = staticmethod(lambda: 0.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK does not wait between its tries."""
    monkeypatch.setattr("onepin.core.http_client.time", Hasty)


SHORT_PAGE = 20
PAGE_SIZES = ((source, "PAGE"), (workflow_pass, "PAGE"), (workflow_pass, "MOST_RUNS"))


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pages and commits for few runs."""
    for module, name in PAGE_SIZES:
        monkeypatch.setattr(module, name, SHORT_PAGE)


@pytest.fixture
def network(address: str) -> Iterator[BadNetwork]:
    """A proxy in front of the portal that is mirrored."""
    with bad_network(address) as proxy:
        yield proxy


@pytest.fixture
def far_mirror(here: Portal, there: Portal, network: BadNetwork, tmp_path: Path) -> Mirroring:
    """A mirror that asks through that proxy."""
    return add_mirror(here, there, network.url, tmp_path)


Adding = Callable[..., Mirroring]


@pytest.fixture
def adding(here: Portal, there: Portal, address: str, tmp_path: Path) -> Adding:
    """Adds a mirror with options."""
    return partial(add_mirror, here, there, address, tmp_path)
