"""Saved views in a real browser: counts come after the page, tabs work in place, and without script too."""

from uuid import UUID

import pytest
from playwright.sync_api import expect

from portal.database.engine import db
from portal.database.models import Workflow
from tests.browser.conftest import NO_SIDEWAYS, OpenBrowser, Portal
from tests.factories import NOON, make_run, make_view, make_workflow


@pytest.fixture(scope="module")
def listed(portal: Portal) -> str:
    """The address of a list with three runs and two views."""
    with portal.inside():
        workflow = make_workflow(portal.workspace, "Viewed")
        for number, status in enumerate(("failed", "failed", "completed"), start=1):
            make_run(workflow, run_number=number, status=status)
        make_view(workflow, "Broken")
        make_view(workflow, "Hours " * 8, parameters={"within": "48h"})
        return portal.list_of(workflow.id)


def test_counts_come_after_the_page_and_again_when_runs_change(
    open_browser: OpenBrowser, portal: Portal, listed: str
) -> None:
    page = open_browser()
    page.goto(listed)
    broken = page.locator("#views a", has_text="Broken")
    expect(broken.locator("b")).to_have_text("2")
    expect(page.locator("#views a", has_text="Hours").locator("b")).to_have_text("0")
    with portal.inside():
        make_run_of(listed)
    page.evaluate("htmx.trigger('#runs-poll', 'poll')")
    expect(broken.locator("b")).to_have_text("3")


def make_run_of(listed: str) -> None:
    workflow = db.session.get_one(Workflow, UUID(listed.split("/")[-2]))
    make_run(workflow, run_number=9, status="failed", created_at=NOON)


def test_a_tab_shows_its_list_in_place_and_is_current(open_browser: OpenBrowser, listed: str) -> None:
    page = open_browser()
    page.goto(listed)
    page.evaluate("window.sameDocument = true")
    page.locator("#views a", has_text="Broken").click()
    expect(page).to_have_url(f"{listed}?status=failed")
    expect(page.locator("#status-failed")).to_be_checked()
    expect(page.locator("#views [aria-current]")).to_contain_text("Broken")
    page.locator("#views a", has_text="All runs").click()
    expect(page).to_have_url(listed)
    expect(page.locator("#status-failed")).not_to_be_checked()
    assert page.evaluate("window.sameDocument") is True


def test_a_list_is_saved_renamed_and_deleted_without_script(open_browser: OpenBrowser, listed: str) -> None:
    page = open_browser(java_script_enabled=False, viewport={"width": 320, "height": 700})
    page.goto(f"{listed}?status=completed")
    page.locator("#views .save").click()
    page.get_by_label("Name").fill("Good ones")
    page.get_by_role("button", name="Save view").click()
    expect(page).to_have_url(f"{listed}?status=completed")
    expect(page.locator("#views [aria-current]")).to_contain_text("Good ones")
    page.goto(f"{listed.rsplit('/workflows', 1)[0]}/settings/views")
    page.get_by_role("link", name="Change Good ones").click()
    page.get_by_label("Name").fill("Better ones")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Change Better ones").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete view").click()
    expect(page.get_by_role("link", name="Better ones")).to_have_count(0)


def test_the_strip_of_tabs_scrolls_and_the_page_does_not(open_browser: OpenBrowser, listed: str) -> None:
    page = open_browser(viewport={"width": 320, "height": 700})
    page.goto(listed)
    assert page.evaluate(NO_SIDEWAYS)
    assert page.evaluate("document.getElementById('views').scrollWidth > 320")
    page.locator("#views .save").focus()
    expect(page.locator("#views .save")).to_be_in_viewport()
