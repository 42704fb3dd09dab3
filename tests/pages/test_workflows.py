"""The workflows page, and what every page has."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.database.models import User
from tests.factories import NOON, make_run, make_user, make_workflow, make_workspace
from tests.pages.conftest import HTMX, Browser, one, parsed


def names(browser: Browser, query: str = "") -> list[str]:
    return [link.text for link in parsed(browser.open(f"/?{query}")).select("tbody .run")]


def test_workflows_of_other_workspaces_are_invisible(browser: Browser) -> None:
    make_workflow(make_workspace("other", "Other"), "Secret plans")
    assert names(browser) == ["Nightly dub"]


def test_search_narrows_the_list_and_says_when_nothing_matches(browser: Browser) -> None:
    make_workflow(browser.workspace, "Weekly digest")
    assert names(browser, "search=DIGEST&status=") == ["Weekly digest"]
    assert "No workflow matches" in browser.open("/?search=zzz").text


def test_pages_of_workflows_keep_the_search(browser: Browser) -> None:
    for number in range(3):
        make_workflow(browser.workspace, f"Digest {number}")
    soup = parsed(browser.open("/?search=digest&limit=2"))
    assert one(soup, "#pager-next")["href"] == "/?search=digest&limit=2&offset=2"


@pytest.mark.slow
def test_filters_and_sorts_are_those_of_the_api(browser: Browser) -> None:
    make_run(browser.workflow, status="failed", created_at=NOON)
    other = make_workflow(browser.workspace, "Another")
    make_run(other, created_at=NOON + timedelta(days=3))
    make_workflow(browser.workspace, "Empty")
    assert names(browser, "has_failed_run=true&status=&sort=&order=") == ["Nightly dub"]
    assert names(browser, "last_run_after=2026-03-02&last_run_before=") == ["Another"]
    assert names(browser, "last_run_before=2026-03-01") == ["Nightly dub"]
    assert names(browser, "status=draft") == ["Empty"]
    assert names(browser, "sort=name") == ["Another", "Empty", "Nightly dub"]
    assert names(browser, "sort=name&order=desc") == ["Nightly dub", "Empty", "Another"]
    assert names(browser, "sort=last_run") == ["Another", "Nightly dub", "Empty"]
    assert names(browser, "order=asc") == ["Nightly dub", "Another", "Empty"]
    assert names(browser, "sort=runs_count&sort=name&order=asc&order=desc")[0] == "Empty"
    assert "paused" not in [option["value"] for option in parsed(browser.open("/")).select("#status option")]


def test_the_sorted_column_is_marked_and_turns(browser: Browser) -> None:
    soup = parsed(browser.open("/?sort=name&has_failed_run=false"))
    header = one(soup, "th[aria-sort]")
    assert (header["aria-sort"], header.a and header.a["href"]) == (
        "ascending",
        "/?sort=name&order=desc&has_failed_run=false",
    )


def test_the_fragment_holds_the_same_list_and_pushes_the_pages_address(browser: Browser) -> None:
    answer = browser.open("/workflows/table?search=night&status=", headers=HTMX)
    assert str(one(parsed(answer), "#workflows")) == str(
        one(parsed(browser.open("/?search=night")), "#workflows")
    )
    assert answer.headers["HX-Push-Url"] == "/?search=night"
    typed = browser.open("/workflows/table?search=night", headers=HTMX | {"HX-Source": "input#search"})
    assert typed.headers["HX-Replace-Url"] == "/?search=night"
    assert browser.open("/workflows/table?search=night").headers["Location"] == "/?search=night"
    assert browser.open("/workflows/table?limit=x", headers=HTMX).status_code == 422


@pytest.mark.slow
def test_a_page_of_workflows_costs_the_same_number_of_queries_however_many_there_are(
    browser: Browser, count_queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    numbers = []
    for _ in range(2):
        browser.open("/")
        with count_queries() as queries:
            browser.open("/")
        numbers.append(len(queries))
        for number in range(15):
            make_run(make_workflow(browser.workspace, f"Workflow {number}"))
    assert numbers[0] == numbers[1] <= 8


@pytest.mark.parametrize("query", ["limit=500", "status=done", "search=" + "x" * 101])
def test_bad_values_are_refused_with_a_way_out(browser: Browser, query: str) -> None:
    answer = browser.open(f"/?{query}")
    assert answer.status_code == 422
    assert one(parsed(answer), ".notice a")["href"] == "/"
    assert parsed(answer).select("[aria-invalid] ~ .complaint")


def test_the_first_visit_says_how_to_bring_history_in(
    app: Flask, browser: Browser, sign_in: Callable[[User], FlaskClient]
) -> None:
    stranger = sign_in(make_user("new@acme.example"))
    assert "flask members set" in stranger.get("/").text


@pytest.mark.parametrize("path", ["/", "/login", "/signin/unknown", "/nowhere"])
def test_every_page_has_a_title_a_heading_and_asks_not_to_be_indexed(client: FlaskClient, path: str) -> None:
    soup = parsed(client.get(path, follow_redirects=True))
    assert one(soup, "title").text.strip()
    assert one(soup, "h1").text.strip()
    assert one(soup, "meta[name=robots]")["content"] == "noindex"
    assert not soup.select("script:not([src]), style, [style], [onclick]")
