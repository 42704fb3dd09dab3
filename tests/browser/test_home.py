"""The page of workflows in a browser: it keeps itself up to date, works by keyboard and without script."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from portal import moments
from tests.browser.conftest import NO_SIDEWAYS, OpenBrowser, Portal
from tests.browser.pages import make_workflows_to_look_at
from tests.factories import make_run, make_workflow

POLL = "htmx.trigger(document.querySelector('[data-poll]'), 'poll')"


@pytest.fixture(scope="module", autouse=True)
def _workflows(portal: Portal) -> None:
    with portal.inside():
        make_workflows_to_look_at(portal.workspace)


def test_what_begins_to_fail_moves_up_while_somebody_types(portal: Portal, open_browser: OpenBrowser) -> None:
    with portal.inside():
        workflow = make_workflow(portal.workspace, "Watched")
        make_run(workflow, created_at=moments.now() - timedelta(minutes=3))
    page = open_browser()
    page.goto(f"{portal.url}/?search=watched")
    row = page.locator("#workflows tbody tr")
    expect(row).to_contain_text("1 run, no usual yet")
    page.evaluate("window.sameDocument = true")
    page.locator("#search").focus()
    with portal.inside():
        make_run(workflow, status="failed", error="no voice", created_at=moments.now())
    page.evaluate(POLL)
    expect(row).to_contain_text(re.compile("Failing since .*: no voice"))
    expect(page.locator("#search")).to_be_focused()
    expect(page).to_have_url(f"{portal.url}/?search=watched")
    assert page.evaluate("window.sameDocument === true")


def test_chips_are_reached_by_keyboard_and_change_the_list_in_place(
    portal: Portal, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(portal.url)
    page.evaluate("window.sameDocument = true")
    page.locator("#look-slow").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{portal.url}/?look=slow")
    expect(page.locator("#workflows tbody .run")).to_have_text(["Slow"])
    expect(page.locator("#look-slow")).to_be_focused()
    page.locator("#workflows tbody a.look").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/runs\?status=completed$"))
    page.go_back()
    expect(page.locator("#workflows tbody .run")).to_have_text(["Slow"])


def test_without_script_on_a_narrow_phone_it_says_the_same(portal: Portal, open_browser: OpenBrowser) -> None:
    page = open_browser(java_script_enabled=False, viewport={"width": 320, "height": 640})
    page.goto(portal.url)
    assert page.evaluate(NO_SIDEWAYS)
    expect(page.locator("tbody tr", has_text="Failing everywhere")).to_contain_text("3 in a row: no voice")
    expect(page.locator("a.look.running").first).to_contain_text("times its usual 10 s")
    page.locator("#look-quiet").click()
    expect(page).to_have_url(f"{portal.url}/?look=quiet")
    expect(page.locator("a.look.quiet").first).to_contain_text("No run for 3 days, usually every 12 hours")
    page.locator("#sort").select_option("failures")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"sort=failures&.*look=quiet"))
    expect(page.locator("#look-quiet")).to_have_attribute("aria-current", "true")
