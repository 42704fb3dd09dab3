"""Definitions written in a real browser: with the mouse, with the keyboard alone, and without script."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import jiwer
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import GUARD_MS, NO_SIDEWAYS, OpenBrowser, Portal, portal_in, sign_in
from tests.browser.test_every_page import violations
from tests.definitions.graphs import CHECK, checked, graph
from tests.engine.provider_server import ProviderServer, message, provider_server
from tests.factories import make_workflow
from tests.fuzz.test_payloads import MARKUP, OFF_SITE, OTHERS
from tests.listening import heard, words

ROOT = Path(__file__).parents[2]
GERMAN = {
    "Guten Morgen zusammen.": "Good morning everybody.",
    "Wir beginnen heute.": "We are starting today.",
}
"""What the provider of these tests translates."""

SOUND = """async url => {
  const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
  return Array.from(bytes);
}"""


@dataclass(frozen=True)
class Hand:
    """How somebody works the page: `keys` without a mouse, `script` with JavaScript."""

    page: Page
    keys: bool
    script: bool

    def press(self, button: Locator) -> None:
        """Press a button, and wait for what it brings: another page, or the form anew."""
        if self.script:
            with self.page.expect_response(lambda answer: answer.request.method == "POST"):
                self._press(button)
            expect(self.page.locator("#editor.htmx-request")).to_have_count(0)
        else:
            self._press(button)

    def _press(self, button: Locator) -> None:
        if self.keys:
            button.press("Enter")
        else:
            button.click()

    def choose(self, select: Locator, value: str) -> None:
        if not self.keys:
            select.select_option(value)
            return
        select.focus()
        self.page.keyboard.press("Home")
        for _ in range(select.locator("option").count()):
            if select.input_value() == value:
                return
            self.page.keyboard.press("ArrowDown")
        assert select.input_value() == value

    def tick(self, label: str) -> None:
        box = self.page.get_by_label(label)
        if self.keys:
            box.press("Space")
        else:
            box.check()
        expect(box).to_be_checked()

    def write(self, field: Locator, text: str) -> None:
        if self.keys:
            field.focus()
            self.page.keyboard.press("Control+a")
            self.page.keyboard.insert_text(text)
            self.page.keyboard.press("Tab")
        else:
            field.fill(text)

    def add(self, label: str, place: str) -> None:
        group = self.page.locator(f'#place optgroup[label="{place}"] option')
        value = group.filter(has_text=re.compile(f"^{label}$")).get_attribute("value")
        assert value is not None
        self.choose(self.page.locator("#place"), value)
        self.press(self.page.get_by_role("button", name="Add", exact=True))
        expect(self.page.locator("#node-title")).to_have_text(label)


@pytest.fixture(scope="module")
def translating() -> Iterator[ProviderServer]:
    with provider_server() as provider:

        def answer(handler: BaseHTTPRequestHandler) -> None:
            texts = json.loads(provider.asked[-1].json["messages"][1]["content"])
            message(json.dumps({"translations": [GERMAN[text] for text in texts]}))(handler)

        provider.answer = answer
        yield provider


@pytest.fixture(scope="module")
def studio(
    empty_sqlite: Path,
    tmp_path_factory: pytest.TempPathFactory,
    translating: ProviderServer,
    recogniser: Path,
    chromium: Browser,
) -> Iterator[Portal]:
    """A portal with a translator, voices, a recogniser and a worker."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("the program espeak-ng is not installed: no voice to run a workflow with")
    more = {
        "PORTAL_PROVIDER_URL": translating.url,
        "PORTAL_PROVIDER_CHAT_MODEL": "writes",
        "PORTAL_ASR_MODEL": str(recogniser),
    }
    with portal_in(tmp_path_factory.mktemp("studio"), empty_sqlite, more) as portal:
        environment = os.environ | portal.environment | {"PYTHONUNBUFFERED": "1"}
        environment |= {"PORTAL_ARTIFACTS": str(portal.instance / "artifacts")}
        command = [sys.executable, "-m", "flask", "--app", "app", "worker", "--threads", "2"]
        worker = subprocess.Popen(command, cwd=ROOT, env=environment)
        yield portal
        worker.terminate()
        assert worker.wait(60) == 0


@pytest.fixture(params=["mouse", "keyboard", "without script"])
def hand(request: pytest.FixtureRequest, chromium: Browser, studio: Portal) -> Iterator[Hand]:
    context: BrowserContext = chromium.new_context(java_script_enabled=request.param != "without script")
    page = context.new_page()
    page.set_default_timeout(GUARD_MS)
    sign_in(page, studio)
    yield Hand(page, request.param == "keyboard", request.param != "without script")
    context.close()


@pytest.mark.slow
def test_a_workflow_is_built_from_nothing_saved_run_and_heard(
    hand: Hand, studio: Portal, recogniser: Path
) -> None:
    page = hand.page
    page.get_by_role("link", name="New workflow").click()
    page.get_by_label("Name").fill("Morning")
    page.get_by_role("button", name="Create workflow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Definition")
    hand.add("Script Input", "On its own")
    hand.write(page.get_by_label("Text", exact=True), "\n".join(GERMAN))
    hand.choose(page.get_by_label("Source language"), "de-de")
    hand.add("Translator", "After Script Input")
    hand.tick("English (United States)")
    hand.add("Voice Generator", "After Translator")
    hand.add("Word Accuracy", "After Voice Generator")
    hand.write(page.get_by_label("Threshold"), "70")
    fail = page.locator("#to option").filter(has_text=re.compile("^fail → Voice Generator$"))
    hand.choose(page.locator("#to"), fail.get_attribute("value") or "")
    hand.press(page.locator("button[value='connect:to']"))
    hand.add("Export", "After Word Accuracy, from pass")
    expect(page.locator("#check-title")).to_have_text("It can run")
    if hand.keys:
        page.keyboard.press("Control+s")
    else:
        page.get_by_role("button", name="Save").click()
    expect(page.locator("#editor-state")).to_contain_text("Version 2, saved by Ada Lovelace")
    page.get_by_role("link", name="Run…").click()
    expect(page.locator("#estimate")).to_contain_text("not metered")
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
    until_completed(page, hand.script)
    expect(page.locator("#board rect.node.completed")).to_have_count(5)
    files = [link.get_attribute("href") for link in page.locator("#results a[download]").all()]
    sounds = [page.request.get(f"{studio.url}{file}").body() for file in files if file]
    assert len(sounds) == 2
    assert jiwer.wer(words(" ".join(GERMAN.values())), words(" ".join(heard(recogniser, sounds)))) < 0.25


def until_completed(page: Page, script: bool) -> None:
    """Wait until the run has ended: the page follows it, or is read again."""
    state = page.locator("#run-state .state")
    if script:
        expect(state).to_have_text("Completed")
        return
    for _ in range(240):
        if state.text_content() == "Completed":
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError("the run has not completed")


@pytest.fixture
def editor_url(portal: Portal) -> Iterator[str]:
    with portal.inside():
        flow = make_workflow(portal.workspace, "Tour", definition=checked())
    return f"{portal.url}/workflows/{flow.id}/definition"


def test_leaving_a_draft_behind_is_asked_and_saving_is_not(
    editor_url: str, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto(f"{editor_url}?node={CHECK}")
    page.get_by_label("Threshold").fill("80")
    page.goto(f"{editor_url}?node={CHECK}")
    assert asked == ["beforeunload"]
    page.get_by_label("Threshold").fill("80")
    page.keyboard.press("Control+s")
    expect(page.locator("#editor-state")).to_contain_text("Version 2, saved by")
    page.goto(editor_url)
    assert asked == ["beforeunload"]
    expect(page.get_by_label("Threshold")).to_have_count(0)


def test_what_is_wrong_is_said_while_somebody_writes(editor_url: str, open_browser: OpenBrowser) -> None:
    page = open_browser()
    page.goto(f"{editor_url}?node={CHECK}")
    page.get_by_label("Threshold").fill("never")
    page.get_by_label("Max retries").focus()
    expect(page.get_by_text("Threshold must be a number from 70 to 99.", exact=True)).to_be_visible()
    expect(page.get_by_label("Max retries")).to_be_focused()
    expect(page.locator("#live")).to_have_text("1 to mend before it can be saved")
    assert violations(page) == []


PAYLOADS = (*MARKUP, *OFF_SITE, *OTHERS)
HOSTILE = [each for each in PAYLOADS if each.strip() and "\0" not in each and len(each) <= 100]


def hostile_definition() -> Any:
    """A legal definition with a payload in every text."""
    nodes = []
    for number, text in enumerate(HOSTILE):
        nodes.append(
            {
                "id": text,
                "name": text,
                "type": "source_script" if number % 2 else "operator_translator",
                "position": {"x": 0, "y": 0},
                "config": {
                    "text": text,
                    "csv_column": text,
                    "target_languages": [text],
                    "upload_ids": [text],
                    text: text,
                },
            }
        )
    edges = [
        {"id": text, "source": HOSTILE[1], "sourcePort": "lines", "target": HOSTILE[0], "targetPort": "lines"}
        for text in HOSTILE[:1]
    ]
    return graph(nodes, edges)


def test_no_text_of_a_definition_breaks_the_page_or_its_policy(
    portal: Portal, open_browser: OpenBrowser
) -> None:
    with portal.inside():
        flow = make_workflow(portal.workspace, HOSTILE[0], definition=hostile_definition())
    page = open_browser()
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
    page.goto(f"{portal.url}/workflows/{flow.id}/definition")
    for number in range(len(HOSTILE)):
        with page.expect_response("**/draft"):
            page.locator(f".node-list button[value='open:{number}']").click()
        expect(page.locator("[name=node]")).to_have_value(str(number))
    assert page.locator("form#editor form, #editor script, #editor img").count() == 0
    page.get_by_role("button", name="As JSON").click()
    expect(page.locator("#definition")).to_be_visible()
    assert json.loads(page.locator("#definition").input_value()) == hostile_definition()


def test_two_hundred_nodes_are_usable(portal: Portal, open_browser: OpenBrowser) -> None:
    nodes = [
        {"id": str(n), "type": "operator_normalizer", "position": {"x": n, "y": 0}, "config": {}}
        for n in range(200)
    ]
    edges = [
        {"id": str(n), "source": str(n), "sourcePort": "lines", "target": str(n + 1), "targetPort": "lines"}
        for n in range(199)
    ]
    with portal.inside():
        flow = make_workflow(portal.workspace, "Large", definition=graph(nodes, edges))
    page = open_browser(viewport={"width": 390, "height": 844})
    page.goto(f"{portal.url}/workflows/{flow.id}/definition?node=150")
    assert page.evaluate(NO_SIDEWAYS)
    page.get_by_label("Name", exact=True).fill("Here")
    with page.expect_response("**/draft"):
        page.locator(".node-list button[value='open:199']").click()
    expect(page.locator(".node-list li").nth(150)).to_contain_text("Here")


def test_the_editor_fits_a_small_phone_and_forced_colours(editor_url: str, open_browser: OpenBrowser) -> None:
    page = open_browser(viewport={"width": 320, "height": 640}, forced_colors="active")
    for query in (f"?node={CHECK}", "?node=source_script", "?view=json"):
        page.goto(f"{editor_url}{query}")
        assert page.evaluate(NO_SIDEWAYS), query
        assert violations(page) == [], query
