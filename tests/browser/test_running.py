"""Runs started in a real browser, worked on by a real worker process, watched until they end."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NO_SIDEWAYS, OpenBrowser, Portal
from tests.browser.test_every_page import violations
from tests.definitions.graphs import smallest
from tests.factories import make_workflow

ROOT = Path(__file__).parents[2]
HEARD = """player => new Promise((resolve, reject) => {
  player.onloadeddata = () => resolve(player.duration);
  player.onerror = () => reject(new Error(player.error.message));
  player.preload = "auto";
  player.load();
})"""
"""Loads a player's audio; how many seconds it has."""


@pytest.fixture
def worker(portal: Portal) -> Iterator[None]:
    """`flask worker` beside the served portal."""
    environment = os.environ | portal.environment
    environment |= {"PORTAL_ARTIFACTS": str(portal.instance / "artifacts"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "flask", "--app", "app", "worker", "--threads", "2"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    yield
    process.terminate()
    assert process.wait(60) == 0


@pytest.fixture
def runs_url(portal: Portal) -> str:
    """The list of runs of a workflow that speaks English."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("the program espeak-ng is not installed: no voice to run a workflow with")
    with portal.inside():
        return portal.list_of(make_workflow(portal.workspace, "Tour", definition=smallest()).id)


def start(page: Page, runs_url: str, script: str) -> None:
    page.goto(runs_url)
    page.locator("#run-it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Run Tour")
    page.get_by_label("Script for this run").fill(script)
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}$"))


@pytest.mark.usefixtures("worker")
def test_a_run_is_started_and_seen_until_it_has_spoken(runs_url: str, open_browser: OpenBrowser) -> None:
    page = open_browser()
    start(page, runs_url, "Good morning.\nWhat a day.")
    page.evaluate("window.opened = 'once'")
    expect(page.locator("#run-state .state")).to_have_text("Completed")
    expect(page.locator("#steps tbody .c-state")).to_have_text(["Completed"] * 3)
    expect(page.locator("#now")).to_have_count(0)
    assert "Script Input" in page.locator("#board").inner_text()
    expect(page.locator("#board rect.node.completed")).to_have_count(3)
    expect(page.locator(".steer")).to_have_count(0)
    players = page.locator("#results audio")
    expect(players).to_have_count(2)
    assert players.first.evaluate(HEARD) > 0
    assert page.evaluate("window.opened") == "once"
    page.locator("#again").click()
    page.get_by_role("button", name="Run it as it was").click()
    expect(page.locator("#run-title")).to_have_text("Run #2")
    expect(page.locator("#run-state .state")).to_have_text("Completed")


def test_a_run_is_paused_and_cancelled_by_keyboard_without_script(
    runs_url: str, open_browser: OpenBrowser
) -> None:
    page = open_browser(java_script_enabled=False)
    start(page, runs_url, "Good morning.")
    expect(page.locator("#now-sentence")).to_have_text("Waiting for a worker: none is running.")
    page.get_by_role("button", name="Pause run #1").press("Enter")
    expect(page.locator("#run-state .state")).to_have_text("Paused")
    page.goto(runs_url)
    page.get_by_role("button", name="Resume run #1").press("Enter")
    expect(page).to_have_url(runs_url)
    expect(page.locator("#runs tbody .state")).to_have_text("Running")
    page.get_by_role("link", name="Cancel run #1").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel run #1?")
    page.get_by_role("button", name="Cancel the run").press("Enter")
    expect(page).to_have_url(runs_url)
    expect(page.locator("#runs tbody .state")).to_have_text("Cancelled")


def test_the_estimate_follows_what_is_typed(runs_url: str, open_browser: OpenBrowser) -> None:
    page = open_browser()
    page.goto(runs_url.removesuffix("s"))
    page.locator("#estimate").evaluate("element => element.querySelector('p').remove()")
    page.get_by_label("Script for this run").press_sequentially("Hi")
    expect(page.locator("#estimate p")).to_have_text("Nothing: the runs of this workspace are not metered.")
    expect(page.get_by_label("Script for this run")).to_have_value("Hi")
    page.locator("#estimate").evaluate("element => element.querySelector('p').remove()")
    page.get_by_role("button", name="Show the estimate").click()
    expect(page.locator("#estimate p")).to_have_count(1)
    expect(page).to_have_url(runs_url.removesuffix("s"))


def test_what_a_run_does_fits_a_small_phone_and_axe(runs_url: str, open_browser: OpenBrowser) -> None:
    page = open_browser(viewport={"width": 320, "height": 640}, forced_colors="active")
    start(page, runs_url, "Good morning.")
    for path in (page.url, f"{page.url}/cancel", runs_url, runs_url.removesuffix("s")):
        page.goto(path)
        assert page.evaluate(NO_SIDEWAYS), path
        assert violations(page) == [], path
