"""Pictures of every page and state: light, dark and on a phone. `make shots` runs it; look at them all.

With `--readme` the two pictures of the README are made anew as well.
"""

import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_migrate import upgrade
from playwright.sync_api import Browser, Page, Route, sync_playwright

from portal import create_app, moments
from portal.auth import signin
from portal.database.engine import db
from portal.database.models import Run, Workflow, Workspace
from portal.history.demo.sample import USER_EMAIL, install_demo
from tests.browser.pages import (
    addresses,
    make_driven_runs,
    make_odd_workflow,
    make_spoken_run,
    make_versioned_run,
    make_views,
    make_way_in,
    make_workflows_to_look_at,
)
from tests.conftest import settings_for
from tests.serving import served

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".shots"
README = {"runs-light": "run-list.png", "runs-dark": "run-list-dark.png"}
WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 820}}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {**WIDE, "color_scheme": "light"},
    "dark": {**WIDE, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}


def main() -> None:
    logging.disable()  # what fails here does so on purpose
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir()
    with _portal() as (url, links, paths), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for look, options in LOOKS.items():
            _photograph(browser, url, next(links), paths, look, options)
        browser.close()
    if "--readme" in sys.argv:
        for taken, kept in README.items():
            shutil.copy(PLACE / f"{taken}.png", ROOT / "docs" / kept)
    print(f"{len(list(PLACE.glob('*.png')))} pictures in {PLACE}")


@contextmanager
def _portal() -> Iterator[tuple[str, Iterator[str], dict[str, str]]]:
    """The demo and odd history, served; sign-in links and the paths of all pages."""
    with tempfile.TemporaryDirectory() as folder:
        environment = settings_for(f"sqlite:///{folder}/portal.sqlite3")
        with create_app(environment, instance=Path(folder)).app_context():
            upgrade()
            install_demo(moments.now())
            paths = _paths()
            tokens = [signin.make_link_token(USER_EMAIL, moments.now()) for _ in LOOKS]
            db.engine.dispose()
        with served(environment, Path(folder)) as url:
            yield url, iter([f"{url}/signin/{token}" for token in tokens]), paths


def _paths() -> dict[str, str]:
    workspace = db.session.scalars(sa.select(Workspace)).one()
    named = {workflow.name: workflow for workflow in db.session.scalars(sa.select(Workflow))}
    dub = named["Nightly dub"]
    failed: UUID = db.session.scalars(
        sa.select(Run.id).where(Run.workflow_id == dub.id, Run.status == "failed").limit(1)
    ).one()
    odd, spoken = make_odd_workflow(workspace), make_spoken_run(workspace)
    driven, versioned = make_driven_runs(workspace), make_versioned_run(workspace)
    way_in = make_way_in(workspace)
    make_workflows_to_look_at(workspace)
    empty, view = named["Onboarding tour"], make_views(dub)
    return addresses(dub, odd, empty, str(failed), spoken, driven, versioned, way_in, view)


def _photograph(
    browser: Browser, url: str, link: str, paths: dict[str, str], look: str, options: dict[str, Any]
) -> None:
    context = browser.new_context(**options, timezone_id="Europe/Berlin")
    page = context.new_page()
    page.goto(link)
    _take(page, f"signin-{look}")
    page.get_by_role("button", name="Sign in as").click()
    page.wait_for_url(f"{url}/")
    for name, path in paths.items():
        page.goto(f"{url}{path}")
        _take(page, f"{name}-{look}")
    page.goto(f"{url}{paths['runs']}")
    _take_what_opens(page, look)
    _take_failures(page, look)
    _take_refusals(page, url, look)
    context.clear_cookies()
    page.goto(f"{url}/login")
    _take(page, f"login-{look}")
    context.close()


def _take_refusals(page: Page, url: str, look: str) -> None:
    """A bad value in a form, a form from elsewhere, and a portal whose database has no tables."""
    for origin, name in ((f"{url}/login", "refused"), ("about:blank", "forbidden")):
        page.goto(origin)
        page.set_content(f'<form method="post" action="{url}/theme"><button>Send</button></form>')
        page.get_by_role("button").click()
        page.wait_for_url(f"{url}/theme")
        _take(page, f"{name}-{look}")
    with tempfile.TemporaryDirectory() as folder:
        environment = settings_for(f"sqlite:///{folder}/empty.sqlite3")
        with served(environment, Path(folder)) as down:
            page.goto(f"{down}/signin/unknown")
            _take(page, f"not-available-{look}")


def _take_what_opens(page: Page, look: str) -> None:
    page.locator(".api-call summary").click()
    page.locator(".figures summary").click()
    page.locator("#account summary").click()
    _take(page, f"opened-{look}", full=True)
    page.reload()
    page.keyboard.press("?")
    _take(page, f"keys-{look}")
    page.keyboard.press("Escape")


def _take_failures(page: Page, look: str) -> None:
    """A list that cannot be had, and one that lets wait."""

    def refuse(route: Route) -> None:
        route.fulfill(status=503, headers={"X-Request-Id": "0b0c9f5e-9f2f-4f0e-8a43-6f0a3f0c6c1d"}, body="")

    page.route("**/runs/table*", refuse)
    page.locator("#status-failed").check()
    page.locator("#trouble").wait_for()
    _take(page, f"trouble-{look}")
    page.unroute("**/runs/table*")
    waiting: list[Route] = []
    page.route("**/runs/table*", lambda route: waiting.append(route))
    page.locator("#status-running").check()
    page.wait_for_timeout(400)
    _take(page, f"slow-{look}")
    for route in waiting:
        route.abort()
    page.unroute("**/runs/table*")


def _take(page: Page, name: str, full: bool = False) -> None:
    page.screenshot(path=PLACE / f"{name}.png", full_page=full, animations="disabled")


if __name__ == "__main__":
    main()
