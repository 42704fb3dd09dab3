"""Chromium against the portal over real HTTP."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from portal import create_app, moments
from portal.auth import signin
from portal.db import db
from portal.models import Workflow
from tests.conftest import settings_for
from tests.factories import NOON, make_member, make_person, make_run, make_user, make_workflow, make_workspace
from tests.serving import served

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RUNS = 45


@dataclass(frozen=True)
class Portal:
    url: str
    workflow: Workflow
    signin_token: str

    @property
    def list_url(self) -> str:
        return f"{self.url}/workflows/{self.workflow.id}/runs"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed: no browser to test with")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def portal(empty_sqlite: Path, tmp_path: Path) -> Iterator[Portal]:
    """The portal with a workflow of 45 runs, every third failed, triggered by two people in turn."""
    shutil.copy(empty_sqlite, tmp_path / "portal.sqlite3")
    environment = settings_for(f"sqlite:///{tmp_path / 'portal.sqlite3'}")
    with create_app(environment, instance=tmp_path).app_context():
        workspace, user = make_workspace(), make_user(first_name="Ada", last_name="Lovelace")
        make_member(workspace, user)
        workflow = make_workflow(workspace)
        people = [make_person(workspace, name) for name in ("Grace Hopper", "Åsa Öberg")]
        for number in range(1, RUNS + 1):
            make_run(
                workflow,
                people[number % 2],
                run_number=number,
                status="completed" if number % 3 else "failed",
                error=None if number % 3 else "Validate ko-KR: word error rate 0.31 over 0.10",
                created_at=NOON + timedelta(hours=number),
            )
        token = signin.make_link_token(user.email, moments.now())
        db.engine.dispose()
    with served(environment, tmp_path) as url:
        yield Portal(url, workflow, token)


@pytest.fixture
def open_browser(chromium: Browser, portal: Portal) -> Iterator[Callable[..., Page]]:
    """A signed-in page; whatever its console complains about fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_browser(**options: Any) -> Page:
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: _note(complaints, message.type, message.text))
        page.goto(f"{portal.url}/signin/{portal.signin_token}")
        page.get_by_role("button", name="Sign in as").click()
        page.wait_for_url(f"{portal.url}/")
        return page

    yield open_browser
    for context in contexts:
        context.close()
    assert complaints == []


def _note(complaints: list[str], kind: str, text: str) -> None:
    expected = ("Failed to load resource", "Failed to fetch")  # what the tests cause on purpose
    if kind in ("error", "warning") and not any(words in text for words in expected):
        complaints.append(text)
