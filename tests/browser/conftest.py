"""Chromium against the portal over real HTTP: one browser and one served portal for all tests of a run."""

import contextvars
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright

from portal import create_app, moments
from portal.auth import signin
from portal.database.engine import db
from portal.database.models import Workflow, Workspace
from tests.conftest import settings_for
from tests.factories import NOON, make_member, make_person, make_run, make_user, make_workflow, make_workspace
from tests.serving import served

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RUNS = 45
GUARD_MS = 60_000
"""A guard against what never happens: however slow the machine, the awaited comes long before."""
expect.set_options(timeout=GUARD_MS)
NO_SIDEWAYS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
"""Whether a page fits its width."""

OpenBrowser = Callable[..., Page]
EMAIL = "ada@acme.example"


@dataclass(frozen=True)
class Portal:
    """A served portal. Tests read `workflow`; what they change they make for themselves, `inside()` it."""

    url: str
    instance: Path
    workspace: Workspace
    workflow: Workflow
    run_id: UUID
    """Its newest run."""
    environment: dict[str, str] = field(repr=False)

    @property
    def list_url(self) -> str:
        return self.list_of(self.workflow.id)

    def list_of(self, workflow_id: UUID) -> str:
        return f"{self.url}/workflows/{workflow_id}/runs"

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The database behind the served pages, to arrange or change something."""
        with create_app(self.environment, instance=self.instance).app_context():
            yield
            db.session.remove()
            db.engine.dispose()

    def signin_url(self, email: str = EMAIL) -> str:
        with self.inside():
            return f"{self.url}/signin/{signin.make_link_token(email, moments.now())}"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed: no browser to test with")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def portal(
    chromium: Browser, empty_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Portal]:
    """The portal with a workflow of 45 runs, every third failed, triggered by two people in turn."""
    with portal_in(tmp_path_factory.mktemp("served"), empty_sqlite) as portal:
        yield portal


@contextmanager
def portal_in(instance: Path, empty_sqlite: Path, more: Mapping[str, str] | None = None) -> Iterator[Portal]:
    """A served portal with that history and with more settings."""
    shutil.copy(empty_sqlite, instance / "portal.sqlite3")
    environment = settings_for(f"sqlite:///{instance / 'portal.sqlite3'}") | dict(more or {})
    workspace, workflow, run_id = contextvars.Context().run(_history, environment, instance)
    with served(environment, instance) as url:
        yield Portal(url, instance, workspace, workflow, run_id, environment)


def _history(environment: dict[str, str], instance: Path) -> tuple[Workspace, Workflow, UUID]:
    with create_app(environment, instance=instance).app_context():
        workspace, user = make_workspace(), make_user(EMAIL, "Ada", "Lovelace", time_zone="UTC")
        make_member(workspace, user)
        workflow = make_workflow(workspace)
        people = [make_person(workspace, name) for name in ("Grace Hopper", "Åsa Öberg")]
        for number in range(1, RUNS + 1):
            run = make_run(
                workflow,
                people[number % 2],
                run_number=number,
                status="completed" if number % 3 else "failed",
                error=None if number % 3 else "Validate ko-KR: word error rate 0.31 over 0.10",
                created_at=NOON + timedelta(hours=number),
            )
        db.engine.dispose()
        return workspace, workflow, run.id


@pytest.fixture(scope="session")
def signed_in(chromium: Browser, portal: Portal) -> StorageState:
    """The cookies of somebody who is signed in."""
    context = chromium.new_context()
    page = context.new_page()
    sign_in(page, portal)
    state = context.storage_state()
    context.close()
    return state


def sign_in(page: Page, portal: Portal, email: str = EMAIL) -> None:
    """Sign in by a fresh link, as a person would."""
    page.goto(portal.signin_url(email))
    page.get_by_role("button", name="Sign in as").click()
    page.wait_for_url(re.compile(r"/(workflows/.*)?$"))


@pytest.fixture
def open_browser(chromium: Browser, signed_in: StorageState) -> Iterator[Callable[..., Page]]:
    """A signed-in page; whatever its console complains about fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_browser(**options: Any) -> Page:
        context = chromium.new_context(**{"storage_state": signed_in, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(GUARD_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: _note(complaints, message.type, message.text))
        return page

    yield open_browser
    for context in contexts:
        context.close()
    assert complaints == []


def _note(complaints: list[str], kind: str, text: str) -> None:
    expected = ("Failed to load resource", "Failed to fetch")  # what the tests cause on purpose
    if kind in ("error", "warning") and not any(words in text for words in expected):
        complaints.append(text)
