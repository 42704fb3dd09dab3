"""The versions of a workflow on their pages, and on the page of a run."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from bs4 import Tag
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.database.engine import db
from portal.database.models import ApiKey, User, Workflow
from portal.database.transactions import writing
from portal.history.importer import import_lines
from tests.definitions.graphs import CHECK, UNSOUND, Json, checked, graph, node, smallest
from tests.factories import (
    EMPTY_DEFINITION,
    NOON,
    make_key,
    make_member,
    make_run,
    make_run_of_version,
    make_user,
    make_versions,
)
from tests.history.lines import encode, workflow_line
from tests.pages.conftest import Browser, one, parsed, text_of

SAME = {"Sec-Fetch-Site": "same-origin"}


def tuned(threshold: int = 80) -> Json:
    definition = checked()
    definition["graph"]["nodes"][2]["config"] = {"threshold": threshold}
    return definition


def path_of(browser: Browser, number: int | None = None, query: str = "") -> str:
    path = f"/workflows/{browser.workflow.id}/versions"
    return f"{path}/{number}{query}" if number else path + query


def restore(browser: Browser, number: int) -> TestResponse:
    return browser.client.post(f"{path_of(browser, number)}/restore", headers=SAME)


def present(browser: Browser) -> tuple[Any, int | None]:
    """The definition of the workflow now, and the number of its version."""
    db.session.rollback()
    db.session.expire_all()
    found = db.session.get_one(Workflow, browser.workflow.id)
    return found.definition, found.current_version


def listed(browser: Browser, query: str = "") -> list[list[str]]:
    rows = parsed(browser.open(path_of(browser, query=query))).select("tbody tr")
    return [[text_of(cell) for cell in row.find_all(["th", "td"])] for row in rows]


def sentences(element: Tag) -> list[str]:
    return [text_of(item) for item in element.select(".changes li")]


@pytest.fixture
def viewer(browser: Browser, sign_in: Callable[[User], FlaskClient]) -> Browser:
    viewer = make_user("vera@acme.example")
    make_member(browser.workspace, viewer, "viewer")
    return Browser(sign_in(viewer), browser.workspace, browser.workflow, viewer)


def test_the_list_tells_who_saved_what_when_newest_first(browser: Browser) -> None:
    make_versions(browser.workflow, smallest(), checked(), tuned())
    third, second, first = listed(browser)
    assert third[0] == "Version 3 Current"
    assert third[2:] == ["Ada Lovelace", f"Threshold of Word Accuracy “{CHECK}” 93 (default) → 80"]
    assert second[0] == "Version 2"
    assert second[3].endswith("2 more changes")
    assert first[3] == "The first version"


@pytest.mark.slow
def test_the_list_has_pages_and_compares_with_what_is_on_the_next_one(browser: Browser) -> None:
    make_versions(browser.workflow, *(tuned(70 + number) for number in range(5)))
    rows = listed(browser, "?limit=2")
    assert [row[0] for row in rows] == ["Version 5 Current", "Version 4"]
    assert rows[1][3] == f"Threshold of Word Accuracy “{CHECK}” 72 → 73"
    soup = parsed(browser.open(path_of(browser, query="?limit=2")))
    assert "offset=2" in str(one(soup, "#pager-next")["href"])
    assert [row[0] for row in listed(browser, "?limit=2&offset=4")] == ["Version 1"]
    assert "The list ends before this page" in browser.open(path_of(browser, query="?offset=9")).text
    assert browser.open(path_of(browser, query="?limit=x")).status_code == 422


@pytest.mark.slow
def test_a_version_names_the_key_it_was_saved_with_while_that_exists(browser: Browser) -> None:
    make_key(browser.workspace, browser.user)
    key_id = db.session.scalars(sa.select(ApiKey.id)).one()
    make_versions(browser.workflow, smallest(), api_key_id=key_id)
    assert listed(browser)[0][2] == "Ada Lovelace with the key test"
    assert "Ada Lovelace with the key test" in text_of(
        one(parsed(browser.open(path_of(browser, 1))), ".title")
    )
    with writing() as session:
        session.execute(sa.delete(ApiKey))
    assert listed(browser)[0][2] == "Ada Lovelace"


def test_a_workflow_that_was_imported_has_no_versions_yet(browser: Browser) -> None:
    page = browser.open(path_of(browser))
    assert page.status_code == 200
    assert "No versions yet" in page.text
    assert browser.open(path_of(browser, 1)).status_code == 404


def test_an_imported_definition_is_a_version_without_a_person(browser: Browser) -> None:
    make_versions(browser.workflow, {"odd": [1]}, {"odd": [2]}, user_id=None, user_name=None)
    second, first = listed(browser)
    assert (second[2], second[3]) == ("Imported", "Other values changed")
    assert first[2] == "Imported"
    assert browser.open(path_of(browser, 2)).status_code == 200


def test_a_version_is_compared_with_the_one_before_in_words_and_as_json(browser: Browser) -> None:
    make_versions(browser.workflow, smallest(), checked(), tuned())
    soup = parsed(browser.open(path_of(browser, 3)))
    assert text_of(one(soup, "#changes-title")) == "Changes against version 2"
    assert sentences(soup) == [f"Threshold of Word Accuracy “{CHECK}” 93 (default) → 80"]
    difference = one(soup, ".json-diff")
    assert [text_of(line) for line in difference.select(".added")] == [
        '+ "config": {',
        '+ "threshold": 80',
        "+ },",
    ]
    assert one(soup, "#with")["value"] == "2"
    assert len(soup.select(".graph svg svg")) == 4
    assert "Word Accuracy" not in text_of(one(soup, "#definition"))


def test_a_version_is_compared_with_any_other(browser: Browser) -> None:
    make_versions(browser.workflow, smallest(), tuned(), smallest())
    soup = parsed(browser.open(path_of(browser, 2, "?with=3")))
    assert text_of(one(soup, "#changes-title")) == "Changes against version 3"
    assert sentences(soup)[0] == f"Word Accuracy “{CHECK}” added"
    assert "Both have the same definition" in browser.open(path_of(browser, 3, "?with=1")).text
    assert browser.open(path_of(browser, 3, "?with=")).status_code == 200


@pytest.mark.parametrize("wrong", ["4", "0", "-1", "x", "99999999999999999999"])
def test_a_version_that_there_is_not_is_refused_at_its_field(browser: Browser, wrong: str) -> None:
    make_versions(browser.workflow, smallest(), tuned(), smallest())
    answer = browser.open(path_of(browser, 2, f"?with={wrong}"))
    assert answer.status_code == 422
    field = one(parsed(answer), "#with")
    assert (field["value"], field["aria-invalid"]) == (wrong, "true")


@pytest.mark.parametrize("number", ["3", "0", "99999999999999999999", "x"])
def test_there_is_no_page_of_a_version_that_there_is_not(browser: Browser, number: str) -> None:
    make_versions(browser.workflow, smallest(), tuned())
    for address in (f"{path_of(browser)}/{number}", f"{path_of(browser)}/{number}/definition"):
        assert browser.open(address).status_code == 404


def test_the_first_version_is_compared_with_none(browser: Browser) -> None:
    make_versions(browser.workflow, smallest())
    soup = parsed(browser.open(path_of(browser, 1)))
    assert "This is the first version" in text_of(one(soup, "#changes"))
    assert not soup.select("#with, #version-older, #version-newer, #restore")


def test_the_whole_definition_is_a_click_away(browser: Browser) -> None:
    make_versions(browser.workflow, graph([node("source_script", text="x" * 300_000)], []), checked())
    soup = parsed(browser.open(path_of(browser, 1)))
    [link] = soup.select("#definition .all-of-it")
    answer = browser.open(str(link["href"]))
    assert answer.mimetype == "application/json"
    assert json.loads(answer.text)["graph"]["nodes"][0]["config"]["text"] == "x" * 300_000
    newest, _ = listed(browser)
    assert newest[3] == "A long definition: open the version to see its changes"


@pytest.mark.slow
def test_restoring_a_version_saves_it_as_a_new_one(browser: Browser) -> None:
    make_versions(browser.workflow, smallest(), checked())
    assert not parsed(browser.open(path_of(browser, 2))).select("#restore")
    assert parsed(browser.open(path_of(browser, 1))).select("#restore")
    answer = restore(browser, 1)
    assert (answer.status_code, answer.headers["Location"]) == (303, path_of(browser))
    assert present(browser) == (smallest(), 3)
    newest, *_ = listed(browser)
    assert newest[0] == "Version 3 Current"
    assert newest[2] == "Ada Lovelace"


def test_restoring_the_current_version_changes_nothing(browser: Browser) -> None:
    make_versions(browser.workflow, smallest(), checked())
    assert restore(browser, 2).status_code == 303
    assert present(browser) == (checked(), 2)
    assert restore(browser, 3).status_code == 404


@pytest.mark.slow
def test_a_version_can_be_restored_after_an_import_changed_the_definition(browser: Browser) -> None:
    make_versions(browser.workflow, smallest(), checked())
    line = encode(workflow_line(id=str(browser.workflow.id), definition={"odd": [1]}))
    assert import_lines(browser.workspace.id, [line], now=NOON).ok
    assert present(browser)[1] is None
    assert not any("Current" in row[0] for row in listed(browser))
    assert restore(browser, 2).status_code == 303
    assert present(browser) == (checked(), 4)


@pytest.mark.parametrize(
    ("unsound", "words"),
    [
        (UNSOUND, "Export “out”: format must be one of wav, mp3."),
        ({"graph": {"nodes": 5}}, "graph.nodes must be a list."),
        (graph([node("unknown", str(n)) for n in range(30)], []), "And 10 more."),
    ],
)
def test_a_version_that_breaks_rules_of_today_is_not_restored(
    browser: Browser, unsound: Json, words: str
) -> None:
    make_versions(browser.workflow, unsound, checked())
    answer = restore(browser, 1)
    assert answer.status_code == 422
    notice = text_of(one(parsed(answer), "main [role=alert]"))
    assert "cannot be restored" in notice
    assert words in notice
    assert present(browser) == (checked(), 2)


@pytest.mark.slow
def test_viewers_see_versions_and_restore_none(viewer: Browser) -> None:
    make_versions(viewer.workflow, smallest(), checked())
    assert len(listed(viewer)) == 2
    page = viewer.open(path_of(viewer, 1))
    assert page.status_code == 200
    assert not parsed(page).select("#restore")
    assert restore(viewer, 1).status_code == 403
    assert present(viewer)[1] == 2


@pytest.mark.slow
def test_the_page_of_a_definition_links_its_versions(browser: Browser, viewer: Browser) -> None:
    for each in (browser, viewer):
        page = each.open(path_of(each).replace("/versions", "/definition"))
        assert parsed(page).select(f'.title a[href="{path_of(each)}"]')


@pytest.mark.slow
def test_a_run_says_which_version_it_ran_and_whether_that_is_todays(browser: Browser) -> None:
    make_versions(browser.workflow, smallest(), checked())
    for number, words in ((2, "Version 2, today's"), (1, "Version 1, the definition has changed since")):
        run = make_run_of_version(browser.workflow, number, run_number=number)
        facts = one(parsed(browser.open(f"{browser.list_path}/{run.id}")), "#run-facts")
        link = one(facts, f'a[href="{path_of(browser, number)}"]')
        assert link.parent is not None
        assert text_of(link.parent) == words
    unknown = make_run(browser.workflow, run_number=9)
    assert "Version" not in text_of(
        one(parsed(browser.open(f"{browser.list_path}/{unknown.id}")), "#run-facts")
    )


@pytest.mark.slow
def test_names_and_texts_are_escaped_once(browser: Browser) -> None:
    script = {**node("source_script", text="<b>&amp;</b>"), "name": "<i>Script</i>"}
    make_versions(browser.workflow, EMPTY_DEFINITION, graph([script], []), user_name="<u>Ada</u>")
    for path in (path_of(browser), path_of(browser, 2)):
        soup = parsed(browser.open(path))
        assert not soup.select("main u, main i, main b b")
        assert "Script Input “<i>Script</i>” added" in sentences(soup)
        assert "<u>Ada</u>" in text_of(one(soup, "main"))
