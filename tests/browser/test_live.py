"""What moves by itself on an open run list, and what it must leave alone."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, Request, Route, expect

from portal import moments
from portal.database.models import Workflow
from portal.database.transactions import writing
from portal.runs.recording.recorder import apply_event, start_run
from portal.runs.recording.state_machine import Event
from tests.browser.conftest import OpenBrowser, Portal, sign_in
from tests.factories import make_run, make_workflow


@dataclass(frozen=True)
class Stage:
    """A workflow of one's own with one running and twenty ended runs; its list in a browser; its clock."""

    portal: Portal
    page: Page
    workflow_id: UUID
    run_id: UUID
    asked: list[Request]
    answered: list[Request]

    @property
    def row(self) -> str:
        return f"#run-{self.run_id}"

    def later(self, seconds: int = 7) -> None:
        """Let time pass in the browser, at least for one poll; answers take none of it."""
        for _ in range(seconds):
            self.page.clock.run_for(1000)
            while len(self.asked) > len(self.answered):
                self.page.wait_for_timeout(10)

    def happen(self, event: Event) -> None:
        with self.portal.inside():
            apply_event(self.run_id, event, moments.now())

    def begin(self) -> None:
        with self.portal.inside():
            start_run(self.workflow_id, now=moments.now())


@pytest.fixture
def stage(portal: Portal, open_browser: OpenBrowser) -> Stage:
    with portal.inside():
        workflow = make_workflow(portal.workspace, "Live dub", next_run_number=21)
        for number in range(1, 21):
            make_run(workflow, run_number=number, created_at=moments.now() - timedelta(hours=30 - number))
        run = start_run(workflow.id, now=moments.now(), total_steps=4)
        apply_event(run.id, Event.PICK_UP, moments.now())
        url = portal.list_of(workflow.id)
        stage_ids = workflow.id, run.id
    page = open_browser(viewport={"width": 1000, "height": 600})
    asked: list[Request] = []
    answered: list[Request] = []
    page.on("request", lambda request: _note(asked, request))
    page.on("requestfinished", lambda request: _note(answered, request))
    page.on("requestfailed", lambda request: _note(answered, request))
    page.clock.install()
    page.goto(url)
    return Stage(portal, page, *stage_ids, asked, answered)


def _note(requests: list[Request], request: Request) -> None:
    if re.search("/runs/(.*/)?live", request.url):
        requests.append(request)


def answer(route: Route, **options: Any) -> None:
    route.fulfill(body="<p>down</p>", **options)


def test_a_run_that_ends_changes_in_place_while_somebody_types(stage: Stage) -> None:
    page = stage.page
    page.evaluate("window.scrollTo(0, 120)")
    page.locator("#search").evaluate("field => field.focus({preventScroll: true})")
    page.keyboard.type("gr")
    page.locator("#search").evaluate("field => field.setSelectionRange(1, 2)")
    page.route("**/runs/table*", lambda route: route.abort())  # the search itself is not the matter here
    stage.happen(Event.COMPLETE)
    stage.later()
    expect(page.locator(f"{stage.row} .c-state")).to_have_text("Completed")
    expect(page.locator("#count-running")).to_have_text("0")
    expect(page.locator("#count-completed")).to_have_text("21")
    expect(page.locator("#live")).to_have_text("Run #21 is completed.")
    expect(page.locator("#search")).to_be_focused()
    expect(page.locator("#search")).to_have_value("gr")
    assert page.locator("#search").evaluate("field => [field.selectionStart, field.selectionEnd]") == [1, 2]
    assert page.evaluate("window.scrollY") == 120


def test_a_focused_row_keeps_the_focus(stage: Stage) -> None:
    stage.page.locator(f"{stage.row} .run").focus()
    stage.happen(Event.FAIL)
    stage.later()
    expect(stage.page.locator(f"{stage.row} .c-state")).to_contain_text("Failed")
    expect(stage.page.locator(f"{stage.row} .run")).to_be_focused()


def test_new_runs_announce_themselves_and_come_when_asked_for(stage: Stage) -> None:
    page = stage.page
    first = page.locator("#runs tbody .run").first
    stage.begin()
    stage.begin()
    stage.later()
    expect(page.locator("#show-new")).to_have_text("2 new runs – show")
    expect(page.locator("#live")).to_have_text("2 new runs – show")
    expect(first).to_have_text("#21")
    page.locator("#show-new").click()
    expect(first).to_have_text("#23")
    expect(page.locator("#show-new")).to_have_count(0)
    expect(page).to_have_url(stage.portal.list_of(stage.workflow_id))


def test_the_duration_of_a_run_that_goes_on_ticks(stage: Stage) -> None:
    cell = stage.page.locator(f"{stage.row} [data-ticks]")
    stage.page.route("**/runs/live*", lambda route: route.abort())  # an answer would set the clock right
    stage.later(3)
    before = cell.text_content()
    stage.later(65)
    expect(cell).to_have_text(re.compile(r"^1 m \d\d s$"))
    assert cell.text_content() != before


@pytest.mark.parametrize("of", ["list", "run"])
def test_what_was_deleted_while_it_is_open_is_said_to_be_gone(stage: Stage, of: str) -> None:
    page = stage.page
    if of == "run":
        page.goto(f"{stage.portal.list_of(stage.workflow_id)}/{stage.run_id}")
    with stage.portal.inside(), writing() as session:
        gone = sa.update(Workflow).where(Workflow.id == stage.workflow_id)
        session.execute(gone.values(deleted_at=moments.now()))
    stage.later()
    what = "workflow" if of == "list" else "run"
    expect(page.locator("#trouble-text")).to_have_text(
        f"This {what} is gone: it was deleted, or you no longer have access to it."
    )
    expect(page.locator("#live-word")).to_have_text("Gone")
    asked = len(stage.asked)
    stage.later(120)
    assert len(stage.asked) == asked


def test_asking_ends_when_nothing_of_a_run_moves_any_more(stage: Stage) -> None:
    page = stage.page
    page.goto(f"{stage.portal.list_of(stage.workflow_id)}/{stage.run_id}")
    stage.happen(Event.COMPLETE)
    stage.later()
    expect(page.locator("#run-state")).to_have_attribute("data-status", "completed")
    asked = len(stage.asked)
    stage.later(120)
    assert len(stage.asked) == asked


def test_a_list_on_which_nothing_runs_asks_rarely_and_shows_what_begins(stage: Stage) -> None:
    page = stage.page
    stage.happen(Event.COMPLETE)
    stage.later()
    expect(page.locator("#live-word")).to_have_text("Nothing is running")
    asked = len(stage.asked)
    stage.later(120)
    assert 2 <= len(stage.asked) - asked <= 6
    stage.begin()
    stage.later(40)
    expect(page.locator("#show-new")).to_have_text("1 new run – show")
    expect(page.locator("#live-word")).to_have_text("Live")


def test_following_can_be_paused_and_the_choice_is_kept(stage: Stage) -> None:
    page = stage.page
    page.locator("#live-switch").click()
    expect(page.locator("#live-switch")).to_have_attribute("aria-pressed", "false")
    asked = len(stage.asked)
    stage.later(60)
    page.reload()
    expect(page.locator("#live-word")).to_have_text("Updates paused")
    stage.later(60)
    assert len(stage.asked) == asked
    stage.happen(Event.COMPLETE)
    page.locator("#live-switch").click()
    expect(page.locator(f"{stage.row} .c-state")).to_have_text("Completed")


def test_nothing_is_asked_while_the_tab_is_hidden_and_once_on_return(stage: Stage) -> None:
    page = stage.page
    hide = (
        "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    page.evaluate(hide, True)
    asked = len(stage.asked)
    stage.later(60)
    assert len(stage.asked) == asked
    stage.happen(Event.COMPLETE)
    page.evaluate(hide, False)
    expect(page.locator(f"{stage.row} .c-state")).to_have_text("Completed")


def test_failures_are_followed_by_longer_waits_and_then_by_the_truth(stage: Stage) -> None:
    page = stage.page
    page.route("**/runs/live*", lambda route: answer(route, status=503, headers={"Retry-After": "120"}))
    stage.later()
    expect(page.locator("#live-word")).to_have_text("Updates interrupted")
    expect(page.locator("#trouble")).to_be_hidden()
    asked = len(stage.asked)
    stage.later(100)
    assert len(stage.asked) == asked
    page.unroute("**/runs/live*")
    stage.happen(Event.COMPLETE)
    stage.later(60)
    expect(page.locator(f"{stage.row} .c-state")).to_have_text("Completed")


def test_text_that_is_being_selected_is_left_alone(stage: Stage) -> None:
    page = stage.page
    page.evaluate("document.getSelection().selectAllChildren(document.querySelector('#runs tbody'))")
    asked = len(stage.asked)
    stage.later(30)
    assert len(stage.asked) == asked
    page.evaluate("document.getSelection().removeAllRanges()")
    stage.happen(Event.COMPLETE)
    stage.later(8)
    expect(page.locator(f"{stage.row} .c-state")).to_have_text("Completed")


def test_a_table_that_was_opened_stays_open(stage: Stage) -> None:
    page = stage.page
    page.locator(".figures summary").click()
    stage.happen(Event.COMPLETE)
    stage.later()
    expect(page.locator(f"{stage.row} .c-state")).to_have_text("Completed")
    expect(page.locator(".figures table")).to_be_visible()


def test_a_session_that_ends_is_said_and_nobody_is_taken_away(stage: Stage) -> None:
    page = stage.page
    page.context.clear_cookies()
    stage.later()
    expect(page.locator("#trouble")).to_contain_text("You are signed out")
    assert page.url == stage.portal.list_of(stage.workflow_id)
    page.locator("#trouble-signin").click()
    expect(page).to_have_url(re.compile(rf"/login\?next=/workflows/{stage.workflow_id}/runs$"))


def test_a_session_that_ended_comes_back_to_the_list_that_was_asked_for(
    portal: Portal, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(f"{portal.list_url}?limit=10", wait_until="networkidle")  # the counts of views have come
    page.context.clear_cookies()
    page.locator("#pager-next").click()
    expect(page).to_have_url(re.compile(r"/login\?next="))
    sign_in(page, portal)
    expect(page).to_have_url(f"{portal.list_url}?limit=10")
