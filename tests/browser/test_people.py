"""People differ: keys only, small screens, large text, dark rooms, other time zones, screen readers."""

import re
from uuid import uuid4

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from portal.database.models import User
from portal.database.transactions import writing
from tests.browser.conftest import NO_SIDEWAYS, OpenBrowser, Portal, sign_in
from tests.factories import make_member, make_user


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


@pytest.fixture
def newcomer(portal: Portal) -> str:
    """The e-mail of a member whose time zone is not known."""
    email = f"{uuid4().hex}@acme.example"
    with portal.inside():
        make_member(portal.workspace, make_user(email, "New", "Comer"), "viewer")
    return email


def open_as(open_browser: OpenBrowser, portal: Portal, email: str, **options: object) -> Page:
    page = open_browser(storage_state=None, **options)
    sign_in(page, portal, email)
    return page


def test_a_fresh_account_takes_the_zone_of_its_browser_and_the_list_shows_it(
    open_browser: OpenBrowser, portal: Portal, newcomer: str
) -> None:
    page = open_browser(storage_state=None, timezone_id="America/Los_Angeles")
    with page.expect_response("**/zone") as learnt:
        sign_in(page, portal, newcomer)
    assert learnt.value.status == 204
    answer = page.goto(portal.list_url)
    assert answer is not None
    assert '<body data-shown-zone="America/Los_Angeles">' in answer.text()
    assert '3 Mar 2026</span> <span class="clock">01:00:00' in answer.text()
    time = page.locator("#runs tbody .c-created_at time").first
    expect(time).to_have_text("3 Mar 2026 01:00:00")
    expect(time).to_have_attribute("title", "3 Mar 2026 09:00:00 UTC")
    expect(page.locator("#runs .bar [data-zone]")).to_have_text("America/Los_Angeles")
    page.locator("#from").fill("2026-03-02")
    page.locator("#to").fill("2026-03-02")
    expect(page).to_have_url(re.compile("from=2026-03-02T08:00:00Z&to=2026-03-03T07:59:59.999999Z"))
    expect(page.locator("#from")).to_have_value("2026-03-02")
    expect(page.locator("#runs-match")).to_contain_text("24")
    for day in page.locator("#runs tbody .c-created_at .day").all_text_contents():
        assert day == "2 Mar 2026"
    page.locator(".presets a", has_text="Today").click()
    expect(page).to_have_url(re.compile(r"\?from=[0-9T:Z-]+&to="))


def test_utc_is_one_click_away_and_stays(open_browser: OpenBrowser, portal: Portal, newcomer: str) -> None:
    with portal.inside(), writing() as session:
        session.execute(sa.update(User).where(User.email == newcomer).values(time_zone="Asia/Kolkata"))
    page = open_as(open_browser, portal, newcomer, timezone_id="Europe/Berlin")
    page.goto(f"{portal.list_url}?status=completed")
    time = page.locator("#runs tbody .c-created_at time").first
    expect(time).to_have_text("3 Mar 2026 13:30:00")
    page.locator("#runs .bar button[form=zones]").click()
    expect(page).to_have_url(f"{portal.list_url}?status=completed")
    expect(time).to_have_text("3 Mar 2026 08:00:00")
    expect(page.locator("#runs .bar [data-zone]")).to_have_text("UTC")
    page.goto(portal.list_url)
    page.locator("#pager-next").click()
    expect(page).to_have_url(re.compile("offset=20"))
    expect(time).to_have_text("2 Mar 2026 13:00:00")
    page.locator("#zones button", has_text="Asia/Kolkata").click()
    expect(time).to_have_text("2 Mar 2026 18:30:00")
    expect(page).to_have_url(re.compile("offset=20"))


def test_the_longest_name_of_a_zone_fits_a_small_screen(
    open_browser: OpenBrowser, portal: Portal, newcomer: str
) -> None:
    with portal.inside(), writing() as session:
        longest = {"time_zone": "America/Argentina/ComodRivadavia"}
        session.execute(sa.update(User).where(User.email == newcomer).values(longest))
    page = open_as(open_browser, portal, newcomer, viewport={"width": 320, "height": 800})
    summary = portal.list_url.replace("/runs", "/summary")
    for url in (portal.list_url, f"{portal.url}/", summary, f"{portal.url}/settings/time-zone"):
        page.goto(url)
        assert page.evaluate(NO_SIDEWAYS), url


def test_who_lives_in_utc_is_offered_no_choice_of_zones(open_browser: OpenBrowser, portal: Portal) -> None:
    page = open_browser(timezone_id="Asia/Tokyo")
    page.goto(portal.list_url)
    expect(page.locator("#theme")).to_be_visible()
    expect(page.locator("#zones")).to_have_count(0)
    expect(page.locator("#runs tbody .c-created_at time").first).to_have_text("3 Mar 2026 09:00:00")


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
