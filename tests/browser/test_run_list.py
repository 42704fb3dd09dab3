"""The run list in a real browser: htmx, keys, history, narrow screens, and no JavaScript at all."""

import re

import pytest
from playwright.sync_api import Page, Response, Route, expect

from tests.browser.conftest import NO_SIDEWAYS, OpenBrowser, Portal


@pytest.fixture
def page(open_browser: OpenBrowser, portal: Portal) -> Page:
    """The run list, with a mark that is lost if the whole page is loaded again."""
    page = open_browser()
    page.goto(portal.list_url)
    page.evaluate("window.sameDocument = true")
    return page


def same_document(page: Page) -> bool:
    return bool(page.evaluate("window.sameDocument === true"))


def chip(page: Page, status: str) -> None:
    page.locator(f"#status-{status}").check()


def test_a_chip_filters_in_place_and_is_announced(page: Page, portal: Portal) -> None:
    chip(page, "failed")
    expect(page).to_have_url(f"{portal.list_url}?status=failed")
    expect(page.locator("#runs tbody tr")).to_have_count(15)
    expect(page.locator("#live")).to_have_text("15 runs match, page 1 of 1")
    expect(page.locator("#status-failed")).to_be_focused()
    assert same_document(page)
    assert page.title().startswith("Nightly dub")


def test_chips_combine(page: Page, portal: Portal) -> None:
    chip(page, "failed")
    expect(page).to_have_url(f"{portal.list_url}?status=failed")
    chip(page, "completed")
    expect(page).to_have_url(f"{portal.list_url}?status=completed,failed")
    expect(page.locator("#live")).to_have_text("45 runs match, page 1 of 3")


def test_typing_searches_keeps_the_focus_and_adds_no_history(page: Page, portal: Portal) -> None:
    before = page.evaluate("history.length")
    page.locator("#search").press_sequentially("öberg", delay=20)
    expect(page).to_have_url(re.compile(r"\?search=%C3%B6berg$"))
    expect(page.locator("#live")).to_have_text("23 runs match, page 1 of 2")
    expect(page.locator("#search")).to_be_focused()
    expect(page.locator("#search")).to_have_value("öberg")
    assert page.evaluate("history.length") == before


def test_enter_in_the_search_field_keeps_what_was_typed(page: Page, portal: Portal) -> None:
    page.locator("#search").fill("grace")
    page.locator("#search").press("Enter")
    expect(page).to_have_url(f"{portal.list_url}?search=grace")
    expect(page.locator("#search")).to_have_value("grace")
    assert same_document(page)


def test_a_header_sorts_and_says_so(page: Page, portal: Portal) -> None:
    page.locator("#sort-created_at").click()
    expect(page).to_have_url(f"{portal.list_url}?order=asc")
    expect(page.locator("#runs tbody .run").first).to_have_text("#1")
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("#order")).to_have_value("asc")
    chip(page, "failed")
    expect(page).to_have_url(f"{portal.list_url}?status=failed&order=asc")


def test_pages_and_the_jump_to_one(page: Page, portal: Portal) -> None:
    page.locator("#pager-next").click()
    expect(page).to_have_url(f"{portal.list_url}?offset=20")
    expect(page.locator("#live")).to_have_text("45 runs, page 2 of 3")
    page.locator("#jump-page").fill("3")
    page.locator("#jump-page").press("Enter")
    expect(page).to_have_url(f"{portal.list_url}?offset=40")
    expect(page.locator("#runs tbody tr")).to_have_count(5)
    page.locator("#size-limit").select_option("50")
    expect(page).to_have_url(f"{portal.list_url}?limit=50")
    expect(page.locator("#runs tbody tr")).to_have_count(45)
    assert same_document(page)


def test_back_and_forward_show_the_list_as_it_was(page: Page, portal: Portal) -> None:
    chip(page, "failed")
    expect(page).to_have_url(f"{portal.list_url}?status=failed")
    page.locator("#sort-created_at").click()
    expect(page).to_have_url(f"{portal.list_url}?status=failed&order=asc")
    page.go_back()
    expect(page).to_have_url(f"{portal.list_url}?status=failed")
    expect(page.locator("#runs tbody .run").first).to_have_text("#45")
    expect(page.locator("#status-failed")).to_be_checked()
    page.go_back()
    expect(page.locator("#runs tbody tr")).to_have_count(20)
    expect(page.locator("#status-failed")).not_to_be_checked()
    page.go_forward()
    expect(page.locator("#runs tbody tr")).to_have_count(15)
    expect(page.locator("#status-failed")).to_be_checked()
    chip(page, "completed")
    expect(page).to_have_url(f"{portal.list_url}?status=completed,failed")


def test_clearing_empties_what_was_typed_even_before_it_was_sent(page: Page, portal: Portal) -> None:
    page.locator("#from").fill("2026-03-02")
    chip(page, "failed")
    expect(page).to_have_url(f"{portal.list_url}?status=failed&from=2026-03-02T00:00:00Z")
    page.locator("#search").press_sequentially("gra")
    page.locator("#clear").click()
    expect(page).to_have_url(portal.list_url)
    expect(page.locator("#runs tbody tr")).to_have_count(20)
    for field in ("#search", "#from", "#to"):
        expect(page.locator(field)).to_have_value("")
    expect(page.locator("#status-failed")).not_to_be_checked()


def test_a_refused_value_is_said_at_its_field_in_place(page: Page, portal: Portal) -> None:
    page.locator("#from").fill("2026-03-09")
    expect(page).to_have_url(re.compile("from="))
    page.locator("#to").fill("2026-03-01")
    expect(page.locator("#from")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#from-error")).to_contain_text("must not be after to")
    page.locator("#corrected").click()
    expect(page.locator("[aria-invalid=true]")).to_have_count(0)
    expect(page.locator("#from")).to_have_value("")
    expect(page.locator("#to")).to_have_value("2026-03-01")
    assert same_document(page)


def test_a_failed_request_is_said_with_its_id_and_can_be_repeated(page: Page, portal: Portal) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=503, headers={"X-Request-Id": "a-request-id"}, body="<p>down</p>")

    page.route("**/runs/table*", refuse)
    chip(page, "failed")
    expect(page.locator("#trouble")).to_contain_text("a-request-id")
    expect(page.locator("#runs tbody tr")).to_have_count(20)
    page.unroute("**/runs/table*")
    page.locator("#trouble-retry").click()
    expect(page.locator("#runs tbody tr")).to_have_count(15)
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_lost_connection_is_said(page: Page) -> None:
    page.route("**/runs/table*", lambda route: route.abort())
    page.locator("#pager-next").click()
    expect(page.locator("#trouble")).to_contain_text("cannot be reached")
    expect(page.locator("#runs")).not_to_have_attribute("aria-busy", "true")


def test_the_keyboard_reaches_content_chips_and_rows(page: Page, portal: Portal) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("#status-failed").focus()
    page.keyboard.press("Space")
    expect(page).to_have_url(f"{portal.list_url}?status=failed")
    page.locator("#runs tbody .run").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Run #45")


@pytest.mark.parametrize("width", [390, 900, 1280])
def test_no_page_scrolls_sideways(open_browser: OpenBrowser, portal: Portal, width: int) -> None:
    page = open_browser(viewport={"width": width, "height": 800})
    run_url = f"{portal.list_url}/{portal.run_id}"
    for url in (portal.list_url, f"{portal.list_url}?limit=500&status=x&from=y", f"{portal.url}/", run_url):
        page.goto(url)
        assert page.evaluate(NO_SIDEWAYS), url


def test_without_javascript_every_control_works(open_browser: OpenBrowser, portal: Portal) -> None:
    page = open_browser(java_script_enabled=False)
    page.goto(portal.list_url)
    chip(page, "failed")
    page.locator("#search").fill("grace")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("status=failed.*search=grace"))
    expect(page.locator("#runs tbody tr")).to_have_count(7)
    page.locator("#clear").click()
    page.locator("#jump-page").fill("2")
    page.get_by_role("button", name="Go").click()
    expect(page).to_have_url(f"{portal.list_url}?offset=20")
    page.locator("#size-limit").select_option("50")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#runs tbody tr")).to_have_count(45)
    page.locator("#sort-status").click()
    expect(page.locator("th[aria-sort]")).to_contain_text("Status")


def test_the_first_page_is_light(open_browser: OpenBrowser, portal: Portal) -> None:
    page = open_browser()
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(portal.list_url, wait_until="networkidle")
    ours = [answer for answer in answers if not answer.url.startswith("data:")]
    assert len(ours) <= 5
    assert sum(answer.request.sizes()["responseBodySize"] for answer in ours) <= 60_000


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_moves_when_the_script_comes(open_browser: OpenBrowser, portal: Portal, width: int) -> None:
    places = []
    for scripted in (False, True):
        page = open_browser(java_script_enabled=scripted, viewport={"width": width, "height": 900})
        page.goto(f"{portal.list_url}?search=grace")
        found = [page.locator(part).bounding_box() for part in ("#runs-list", "#clear", "tbody tr >> nth=0")]
        places.append([(box["x"], box["y"]) for box in found if box])
    assert len(places[0]) == 3
    assert places[0] == places[1]


GAPS = """rows => rows.map(row => {
  const words = document.createRange()
  words.selectNodeContents(row.querySelector('.state'))
  const date = [...row.querySelectorAll('time')].find(each => each.offsetParent)
  return date.getBoundingClientRect().left - words.getBoundingClientRect().right
})"""


def test_on_the_narrowest_phone_no_status_runs_into_its_date(
    portal: Portal, open_browser: OpenBrowser
) -> None:
    page = open_browser(java_script_enabled=False, viewport={"width": 320, "height": 640})
    page.goto(portal.list_url)
    gaps = page.locator(".runs tbody tr").evaluate_all(GAPS)
    assert gaps
    assert min(gaps) >= 8  # pixels: what is between the cells of a card is 12
