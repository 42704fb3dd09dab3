"""The page that says how to bring in the history of other systems."""

import re
from pathlib import Path

import pytest

from portal.history.sources.reading.registry import own_readers
from portal.pages.bring_in import UNREAD
from tests.pages.conftest import Browser, one, parsed

SOURCES = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()


def test_every_system_has_its_two_lines(browser: Browser) -> None:
    page = parsed(browser.open("/history/bring-in"))
    for reader in own_readers():
        section = one(page, f"section[aria-labelledby={reader.name}]")
        assert one(section, "h2").text == reader.title
        lines = [code.text for code in section.select("pre code")]
        into = f"flask import --workspace {browser.workspace.slug} "
        assert lines == [line.replace("flask import ", into) for line in reader.commands]


def test_hooks_have_their_lines_too(browser: Browser) -> None:
    section = one(parsed(browser.open("/history/bring-in")), "section[aria-labelledby=live]")
    assert [code.text.partition(" --kind ")[2] for code in section.select("code")] == [
        "github --repository OWNER/REPO",
        "gitlab --repository GROUP/PROJECT",
    ]


def test_systems_without_a_reader_are_named(browser: Browser) -> None:
    text = one(parsed(browser.open("/history/bring-in")), "section[aria-labelledby=others]").text
    assert all(name in text for name in UNREAD)


@pytest.mark.parametrize("path", ["/settings/sessions", "/workflows/{id}/runs"])
def test_settings_and_an_empty_list_lead_there(browser: Browser, path: str) -> None:
    page = parsed(browser.open(path.format(id=browser.workflow.id)))
    assert page.select("a[href='/history/bring-in']")


def test_the_documents_give_the_same_lines_and_name_every_system() -> None:
    for reader in own_readers():
        section = SOURCES.partition(f"\n## {reader.title}\n")[2].partition("\n## ")[0]
        assert section, reader.title
        assert all(f"    {line}\n" in section for line in reader.commands), reader.title
        assert "| line | from |" in section, reader.title
    without = re.findall(r"^\| ([\w ]+) \| no reader yet", SOURCES, re.MULTILINE)
    assert without == list(UNREAD)
