"""The workflows page, and what every page has."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.models import User
from tests.factories import make_run, make_user, make_workflow, make_workspace
from tests.pages.conftest import Browser, one, parsed


def names(browser: Browser, query: str = "") -> list[str]:
    return [link.text for link in parsed(browser.open(f"/?{query}")).select("tbody .run")]


def test_workflows_show_their_counts_and_last_run(browser: Browser) -> None:
    for status in ("completed", "completed", "failed"):
        make_run(browser.workflow, status=status)
    row = one(parsed(browser.open("/")), "tbody tr")
    assert one(row, ".c-plain").text == "3"
    links = {str(link["href"]): link.text.split() for link in row.select(".tally a")}
    assert links == {
        f"{browser.list_path}?status=completed": ["Completed", "2"],
        f"{browser.list_path}?status=failed": ["Failed", "1"],
    }


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


@pytest.mark.parametrize("query", ["limit=500", "status=done", "search=" + "x" * 101])
def test_bad_values_are_refused_with_a_way_out(browser: Browser, query: str) -> None:
    answer = browser.open(f"/?{query}")
    assert answer.status_code == 422
    assert one(parsed(answer), ".notice a")["href"] == "/"


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
