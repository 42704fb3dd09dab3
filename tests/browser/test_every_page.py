"""Every page in light and dark: nothing that axe objects to, nothing sideways, nothing in the console."""

from collections.abc import Mapping, Sequence
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import NO_SIDEWAYS, OpenBrowser, Portal
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
from tests.factories import make_workflow

ALL = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTRAST = ["color-contrast"]
"""What alone differs in the dark."""


@pytest.fixture(scope="module")
def pages(portal: Portal) -> Mapping[str, str]:
    """Paths of pages by name."""
    with portal.inside():
        odd = make_odd_workflow(portal.workspace)
        empty = make_workflow(portal.workspace, "Onboarding tour")
        spoken = make_spoken_run(portal.workspace)
        driven = make_driven_runs(portal.workspace)
        versioned = make_versioned_run(portal.workspace)
        way_in = make_way_in(portal.workspace)
        make_workflows_to_look_at(portal.workspace)
        view = make_views(portal.workflow)
        run_id = str(portal.run_id)
        return addresses(portal.workflow, odd, empty, run_id, spoken, driven, versioned, way_in, view)


def violations(page: Page, rules: Sequence[str] = ALL) -> list[str]:
    found = Axe().run(page, options={"runOnly": rules}).response["violations"]
    return [f"{one['id']} ({one['help']}): {node['html'][:160]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize(("scheme", "rules"), [("light", ALL), ("dark", CONTRAST)])
def test_axe_objects_to_no_page(
    open_browser: OpenBrowser,
    portal: Portal,
    pages: Mapping[str, str],
    scheme: Literal["light", "dark"],
    rules: Sequence[str],
) -> None:
    page = open_browser(color_scheme=scheme)
    found = {}
    for name, path in pages.items():
        page.goto(f"{portal.url}{path}")
        found[name] = violations(page, rules)
    page.context.clear_cookies()
    page.goto(f"{portal.url}/login")
    found["login"] = violations(page, rules)
    assert {name: objections for name, objections in found.items() if objections} == {}


def test_axe_does_object(open_browser: OpenBrowser, portal: Portal) -> None:
    page = open_browser()
    page.goto(portal.list_url)
    page.evaluate("document.querySelector('label[for=search]').remove()")
    page.evaluate("document.querySelector('.run').style.color = '#eee'")
    assert {text.split()[0] for text in violations(page)} >= {"color-contrast"}


def test_axe_objects_to_nothing_that_opens(open_browser: OpenBrowser, portal: Portal) -> None:
    page = open_browser()
    page.goto(portal.list_url)
    for summary in (".figures summary", ".api-call summary", "#account summary"):
        page.locator(summary).click()
    opened = violations(page)
    page.keyboard.press("?")
    assert opened + violations(page) == []


def test_axe_objects_to_nothing_that_opens_on_a_run(
    open_browser: OpenBrowser, portal: Portal, pages: Mapping[str, str]
) -> None:
    page = open_browser()
    page.goto(f"{portal.url}{pages['run-spoken']}")
    for summary in page.locator("main summary").all():
        summary.click()
    assert violations(page) == []


def test_no_page_is_wider_than_a_small_phone(
    open_browser: OpenBrowser, portal: Portal, pages: Mapping[str, str]
) -> None:
    page = open_browser(viewport={"width": 320, "height": 640})
    for name, path in pages.items():
        page.goto(f"{portal.url}{path}")
        assert page.evaluate(NO_SIDEWAYS), name
    page.goto(f"{portal.url}{pages['runs-odd']}")
    assert violations(page) == []
