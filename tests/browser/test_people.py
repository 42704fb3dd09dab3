"""People differ: keys only, small screens, large text, dark rooms, other time zones, screen readers."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NO_SIDEWAYS, OpenBrowser, Portal


@pytest.fixture
def page(open_browser: OpenBrowser, portal: Portal) -> Page:
    page = open_browser()
    page.goto(portal.list_url)
    return page


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


def test_the_theme_follows_the_system_until_one_is_chosen_and_is_there_from_the_first_byte(
    open_browser: OpenBrowser, portal: Portal
) -> None:
    page = open_browser(color_scheme="dark")
    page.goto(portal.list_url)
    dark = background(page)
    with page.expect_response("**/theme"):
        page.locator("#theme button[value=light]").click()
    light = background(page)
    assert light != dark
    expect(page.locator("#theme button[value=light]")).to_have_attribute("aria-pressed", "true")
    answer = page.reload()
    assert answer is not None
    assert '<html lang="en" data-theme="light">' in answer.text()
    assert background(page) == light
    with page.expect_response("**/theme"):
        page.locator("#theme button[value=system]").click()
    assert background(page) == dark


def test_the_theme_is_chosen_without_javascript_too(open_browser: OpenBrowser, portal: Portal) -> None:
    page = open_browser(java_script_enabled=False)
    page.goto(f"{portal.list_url}?status=failed")
    page.locator("#theme button[value=dark]").click()
    expect(page).to_have_url(f"{portal.list_url}?status=failed")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_keys_search_walk_open_and_turn_pages(page: Page, portal: Portal) -> None:
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("j]")
    expect(page.locator("#search")).to_have_value("j]")
    page.goto(portal.list_url)
    page.keyboard.press("]")
    expect(page).to_have_url(f"{portal.list_url}?offset=20")
    page.keyboard.press("[")
    expect(page).to_have_url(portal.list_url)
    runs = page.locator("#runs tbody .run")
    for key, row in (("j", 0), ("j", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        expect(runs.nth(row)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("#45")


def test_help_says_the_keys_and_turns_them_off_for_good(page: Page, portal: Portal) -> None:
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    expect(page.locator("#keys")).to_contain_text("Next and previous row")
    page.locator("#keys-on").uncheck()
    page.get_by_role("button", name="Close").click()
    page.reload()
    for key in ("?", "j", "]"):
        page.keyboard.press(key)
    expect(page.locator("#keys")).to_be_hidden()
    expect(page).to_have_url(portal.list_url)
    page.locator("#keys-open").click()
    page.locator("#keys-on").check()
    page.keyboard.press("Escape")
    expect(page.locator("#keys-open")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("#runs tbody .run").first).to_be_focused()


def test_times_are_in_the_viewers_zone_which_is_named_and_utc_is_at_hand(
    open_browser: OpenBrowser, portal: Portal
) -> None:
    page = open_browser(timezone_id="Asia/Kolkata")
    page.goto(portal.list_url)
    time = page.locator("#runs tbody .c-created_at time").first
    expect(time).to_have_text("3 Mar 2026 14:30:00")
    expect(time).to_have_attribute("title", "3 Mar 2026 09:00:00 UTC")
    expect(page.locator("#runs .bar [data-zone]")).to_have_text(re.compile("Asia/(Kolkata|Calcutta)"))
    page.locator("[data-zone-choice=utc]").click()
    expect(time).to_have_text("3 Mar 2026 09:00:00")
    expect(page.locator("#runs .bar [data-zone]")).to_have_text("UTC")
    page.locator("#pager-next").click()
    expect(page).to_have_url(re.compile("offset=20"))
    expect(time).to_have_text("2 Mar 2026 13:00:00")
    page.reload()
    expect(time).to_have_text("2 Mar 2026 13:00:00")


def test_who_lives_in_utc_is_offered_no_choice_of_zones(open_browser: OpenBrowser, portal: Portal) -> None:
    page = open_browser(timezone_id="UTC")
    page.goto(portal.list_url)
    expect(page.locator("#theme")).to_be_visible()
    expect(page.locator("#zones")).to_be_hidden()


def test_putting_times_into_a_zone_moves_nothing(open_browser: OpenBrowser, portal: Portal) -> None:
    box = "JSON.stringify(document.querySelector('#runs tbody tr:last-child').getBoundingClientRect())"
    boxes = []
    for options in ({"timezone_id": "Asia/Tokyo"}, {"timezone_id": "UTC"}):
        page = open_browser(**options)
        page.goto(portal.list_url)
        boxes.append(page.evaluate(box))
    assert boxes[0] == boxes[1]


def test_text_twice_as_large_on_a_small_screen_still_fits(open_browser: OpenBrowser, portal: Portal) -> None:
    page = open_browser(viewport={"width": 640, "height": 800})
    for url in (portal.list_url, f"{portal.list_url}?limit=500&status=x", f"{portal.url}/"):
        page.goto(url)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate(NO_SIDEWAYS), url


@pytest.mark.parametrize("options", [{"forced_colors": "active"}, {"reduced_motion": "reduce"}])
def test_forced_colours_and_reduced_motion_are_honoured(
    open_browser: OpenBrowser, portal: Portal, options: dict[str, str]
) -> None:
    page = open_browser(**options)
    page.goto(f"{portal.list_url}?status=failed")
    chosen = page.locator(".chip", has=page.locator("#status-failed"))
    if "forced_colors" in options:
        assert chosen.evaluate("chip => getComputedStyle(chip).outlineStyle") == "solid"
    else:
        moving = (
            "[...document.querySelectorAll('*')]"
            ".filter(e => getComputedStyle(e).animationName !== 'none').length"
        )
        assert page.evaluate(moving) == 0


def test_the_account_menu_opens_and_closes_by_keyboard(page: Page) -> None:
    summary = page.locator("#account summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(summary).to_be_focused()
