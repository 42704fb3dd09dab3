"""The page of a run in a real browser: what moves, zooms, plays and is compared; and the workflows page."""

import re
from hashlib import sha256
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from portal import moments
from portal.history.demo import audio
from portal.runs.recording.recorder import apply_event, start_run
from portal.runs.recording.state_machine import Event
from portal.runs.recording.steps import add_step, finish_step
from portal.storage import artifact_store, object_key
from tests.browser.conftest import NO_SIDEWAYS, OpenBrowser, Portal
from tests.browser.pages import make_spoken_run
from tests.factories import make_output, make_run, make_workflow

LOADED = """player => new Promise((resolve, reject) => {
  player.onloadeddata = () => resolve([player.readyState >= 2, Math.round(player.duration * 1000)]);
  player.onerror = () => reject(new Error(player.error.message));
  player.preload = "auto";
  player.load();
})"""
"""Loads a player's audio; whether it can be heard, and for how many milliseconds."""


def path_of(workflow_id: UUID, run_id: UUID) -> str:
    return f"/workflows/{workflow_id}/runs/{run_id}"


@pytest.fixture(scope="module")
def spoken(portal: Portal) -> str:
    """The path of a run with two steps, and of the sample's sounds as what it gave."""
    with portal.inside():
        run = make_spoken_run(portal.workspace)
        return path_of(run.workflow_id, run.id)


def lanes(page: Page) -> list[str]:
    return page.locator(".lane-name").all_text_contents()


def test_a_run_that_ends_is_told_on_its_open_page(portal: Portal, open_browser: OpenBrowser) -> None:
    with portal.inside():
        workflow = make_workflow(portal.workspace, "Live run")
        run = start_run(workflow.id, now=moments.now(), total_steps=1)
        apply_event(run.id, Event.PICK_UP, moments.now())
        add_step(run.id, moments.now(), node_id="speak", node_type="task", name="Speak")
        path, run_id = path_of(workflow.id, run.id), run.id
    page = open_browser()
    page.clock.install()
    page.goto(portal.url + path)
    expect(page.locator("#run-state .state")).to_have_text("Running")
    page.locator("#compare").focus()
    with portal.inside():
        finish_step(run_id, 0, "completed", moments.now())
        apply_event(run_id, Event.COMPLETE, moments.now())
    with page.expect_response("**/live*"):
        page.clock.run_for(7000)
    expect(page.locator("#run-state .state")).to_have_text("Completed")
    expect(page.locator("#steps .c-state")).to_have_text("Completed")
    expect(page.locator("#live")).to_have_text("Run #1 is completed.")
    expect(page.locator("#run-poll")).to_have_attribute("data-poll", "off")
    expect(page.locator("#compare")).to_be_focused()
    assert page.url == portal.url + path


def test_zooms_work_by_plain_links(portal: Portal, open_browser: OpenBrowser, spoken: str) -> None:
    page = open_browser(java_script_enabled=False)
    page.goto(portal.url + spoken)
    assert lanes(page) == ["Speak", "Check"]
    page.locator("#zoom-in").click()
    page.locator("#zoom-later").click()
    page.locator("#zoom-in").click()
    expect(page).to_have_url(re.compile(r"\?from_ms=\d+&to_ms=\d+#timeline$"))
    page.locator("#zoom-later").click()
    assert lanes(page) == ["Check"]
    page.locator("#zoom-whole").click()
    expect(page).to_have_url(f"{portal.url}{spoken}#timeline")
    assert lanes(page) == ["Speak", "Check"]


def test_keys_zoom_in_place_and_back_undoes_it(
    portal: Portal, open_browser: OpenBrowser, spoken: str
) -> None:
    page = open_browser()
    page.goto(portal.url + spoken)
    page.evaluate("window.sameDocument = true")
    page.locator("#zoom-in").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?from_ms=\d+&to_ms=\d+$"))
    expect(page.locator("#zoom-whole")).to_be_visible()
    expect(page.locator("#zoom-in")).to_be_focused()
    assert page.evaluate("window.sameDocument === true")
    page.go_back()
    expect(page).to_have_url(portal.url + spoken)
    expect(page.locator("#zoom-whole")).to_have_count(0)


def test_a_player_plays_what_the_run_gave(portal: Portal, open_browser: OpenBrowser, spoken: str) -> None:
    page = open_browser()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(portal.url + spoken)
    player = page.locator("audio").first
    expect(player).to_have_accessible_name("Line 1, de-DE")
    assert not [url for url in asked if "/audio/" in url]
    assert player.evaluate(LOADED) == [True, audio.LINE_MS]
    assert [url for url in asked if "/files/" in url]


def test_a_player_whose_file_is_gone_says_so(portal: Portal, open_browser: OpenBrowser) -> None:
    with portal.inside():
        run = make_run(make_workflow(portal.workspace, "Gone"))
        make_output(run, portal.workspace, {"takes": [{"audio": b"RIFF-gone"}]})
        path = path_of(run.workflow_id, run.id)
        artifact_store().delete(object_key(portal.workspace.id, sha256(b"RIFF-gone").digest()))
    page = open_browser()
    page.goto(portal.url + path)
    expect(page.locator("#trouble")).to_be_hidden()
    page.locator("audio").evaluate("player => { player.play().catch(() => {}); }")
    expect(page.locator("#trouble-text")).to_contain_text("gone or damaged")


def test_pages_of_lines_turn_in_place_and_keep_the_zoom(
    portal: Portal, open_browser: OpenBrowser, spoken: str
) -> None:
    page = open_browser()
    page.goto(f"{portal.url}{spoken}?to_ms=5000")
    page.locator("#lines-next").click()
    expect(page).to_have_url(f"{portal.url}{spoken}?line_page=2&to_ms=5000")
    expect(page.locator(".line-text")).to_have_text("One more")
    assert lanes(page) == ["Speak"]


def test_a_comparison_is_asked_for_by_a_form_and_fits_a_small_phone(
    portal: Portal, open_browser: OpenBrowser
) -> None:
    page = open_browser(java_script_enabled=False, viewport={"width": 320, "height": 640})
    page.goto(portal.url + path_of(portal.workflow.id, portal.run_id))
    page.locator("#compare").click()
    expect(page.locator("h1")).to_have_text("Run #45 compared with #44")
    page.locator("#with").fill("43")
    page.locator("#with").press("Enter")
    expect(page.locator("h1")).to_have_text("Run #45 compared with #43")
    expect(page).to_have_url(re.compile(r"/compare\?with=43$"))
    assert page.evaluate(NO_SIDEWAYS)


def test_workflows_are_filtered_by_failures_and_sorted_in_place(
    portal: Portal, open_browser: OpenBrowser, spoken: str
) -> None:
    page = open_browser()
    page.goto(portal.url)
    page.evaluate("window.sameDocument = true")
    page.locator("#has_failed_run").focus()
    page.locator("#has_failed_run").select_option("true")
    expect(page).to_have_url(f"{portal.url}/?has_failed_run=true")
    names = page.locator("#workflows tbody .run")
    expect(names.filter(has_text="Nightly dub")).to_have_count(1)
    expect(names.filter(has_text="Spoken dub")).to_have_count(0)
    expect(page.locator("#has_failed_run")).to_be_focused()
    page.locator("#sort-name").click()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    page.locator("#has_failed_run").select_option("false")
    expect(page).to_have_url(f"{portal.url}/?sort=name&order=asc&has_failed_run=false")
    expect(names.filter(has_text="Spoken dub").first).to_be_visible()
    shown = names.all_text_contents()
    assert shown == sorted(shown, key=str.casefold)
    page.locator("#sort-name").click()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    assert names.all_text_contents() == shown[::-1]
    assert page.evaluate("window.sameDocument === true")
