"""Saved views as people see them: tabs, the page that saves, the stable address, settings."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.database.engine import db
from portal.database.models import SavedView, User
from portal.database.transactions import writing
from tests.factories import make_member, make_person, make_run, make_user, make_workflow, make_workspace
from tests.pages.conftest import HTMX, Browser, numbers, one, parsed, text_of
from tests.statements import statements

SAME = {"Sec-Fetch-Site": "same-origin"}


def send(browser: Browser, path: str, **form: Any) -> TestResponse:
    return browser.client.post(path, data=form, headers=SAME)


def save(browser: Browser, query: str, **form: Any) -> UUID:
    answer = send(browser, f"/workflows/{browser.workflow.id}/views/new?{query}", **form)
    assert answer.status_code == 303, answer.text
    db.session.rollback()
    view_id = db.session.scalars(sa.select(SavedView.id).where(SavedView.name == form["name"])).one()
    db.session.rollback()
    return view_id


def write(browser: Browser, view_id: UUID, parameters: dict[str, Any]) -> None:
    """Leave in a view what another release saved."""
    with writing() as session:
        session.get_one(SavedView, view_id).parameters = parameters


def tabs(soup: BeautifulSoup) -> list[str]:
    return [text_of(link) for link in soup.select("#views a")]


def current(soup: BeautifulSoup) -> list[str]:
    return [text_of(link) for link in soup.select("#views a[aria-current=page] bdi")]


def counts(browser: Browser, path: str = "") -> dict[str, str]:
    """What the fragment says, by the element that it goes to."""
    path = path or f"/workflows/{browser.workflow.id}/views/counts"
    answer = browser.open(path, headers=HTMX)
    assert answer.status_code == 200
    return {part["hx-target"]: text_of(part) for part in parsed(answer).select("hx-partial")}  # type: ignore[misc]


def colleague(browser: Browser, sign_in: Callable[[User], FlaskClient], role: str) -> Browser:
    user = make_user(f"{role}@acme.example")
    make_member(browser.workspace, user, role)
    return Browser(sign_in(user), browser.workspace, browser.workflow, user)


def test_a_list_is_saved_and_becomes_a_tab_that_is_current_where_it_is_shown(browser: Browser) -> None:
    make_run(browser.workflow, run_number=1, status="failed")
    make_run(browser.workflow, run_number=2, status="completed")
    link = one(parsed(browser.runs("status=failed&sort=status&offset=20")), "#views .save")
    page = parsed(browser.open(str(link["href"])))
    assert [text_of(part) for part in page.select("main .view-parts li")] == [
        "Status Failed",
        "Sorted by Status, descending",
    ]
    answer = send(browser, str(link["href"]), name="  Broken ")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{browser.list_path}?status=failed&sort=status"
    shown = browser.open(answer.headers["Location"])
    assert numbers(shown) == ["#1"]
    assert current(parsed(shown)) == ["Broken"]
    bare = parsed(browser.runs())
    assert current(bare) == ["All runs"]
    assert tabs(bare) == ["All runs 2", "Broken", "+ Save view"]
    assert current(parsed(browser.runs("status=completed"))) == []
    assert current(parsed(browser.runs("status=failed&sort=status&offset=1"))) == ["Broken"]


def test_the_address_of_a_view_leads_to_what_it_is_now(browser: Browser) -> None:
    view_id = save(browser, "status=failed&search=ada&limit=50", name="Broken")
    answer = browser.open(f"/views/{view_id}")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{browser.list_path}?status=failed&search=ada&limit=50"
    over = send(browser, f"/views/{view_id}/definition?status=completed")
    assert over.headers["Location"] == f"{browser.list_path}?status=completed"
    again = browser.open(f"/views/{view_id}")
    assert again.headers["Location"] == f"{browser.list_path}?status=completed"
    for path in (f"/views/{uuid4()}", "/views/garbled"):
        assert browser.open(path).status_code == 404


def test_the_counts_come_after_the_page_and_are_true(browser: Browser) -> None:
    ada = make_person(browser.workspace, "Ada")
    for number in range(3):
        make_run(browser.workflow, ada if number else None, run_number=number + 1, status="failed")
    failed, by_ada = save(browser, "status=failed", name="Failed"), save(browser, "search=ada", name="Ada")
    soup = parsed(browser.runs())
    assert tabs(soup) == ["All runs 3", "Ada", "Failed", "+ Save view"]
    asking = one(soup, "#views [data-counts]")
    assert (asking["hx-trigger"], asking["hx-get"]) == (
        "load, stale",
        f"/workflows/{browser.workflow.id}/views/counts",
    )
    expected = {"#view-count-all": "3", f"#view-count-{failed}": "3", f"#view-count-{by_ada}": "2"}
    assert counts(browser) == expected
    soup = parsed(browser.runs())
    assert tabs(soup) == ["All runs 3", "Ada 2", "Failed 3", "+ Save view"]
    assert one(soup, "#views [data-counts]")["hx-trigger"] == "stale"
    make_run(browser.workflow, ada, run_number=4, status="failed")
    assert tabs(parsed(browser.runs())) == ["All runs 4", "Ada", "Failed", "+ Save view"]
    assert counts(browser)[f"#view-count-{failed}"] == "4"


def test_counts_are_read_once_for_a_version(browser: Browser) -> None:
    make_run(browser.workflow)
    for name in ("A", "B", "C"):
        save(browser, f"search={name}", name=name)
    counts(browser)
    with statements() as asked:
        counts(browser)
    read = [text for text, _ in asked if "run_totals.completed" in text or "person_runs" in text]
    assert read == []
    answer = browser.open(f"/workflows/{browser.workflow.id}/views/counts", headers=HTMX)
    unchanged = browser.open(
        f"/workflows/{browser.workflow.id}/views/counts",
        headers=HTMX | {"If-None-Match": answer.headers["ETag"]},
    )
    assert unchanged.status_code == 304


def test_opened_directly_the_fragments_lead_to_their_pages(browser: Browser) -> None:
    answer = browser.open(f"/workflows/{browser.workflow.id}/views/counts")
    assert (answer.status_code, answer.headers["Location"]) == (303, browser.list_path)
    answer = browser.open(f"/workspaces/{browser.workspace.id}/views/counts")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_a_list_without_views_asks_for_no_counts(browser: Browser) -> None:
    make_run(browser.workflow)
    soup = parsed(browser.runs())
    assert tabs(soup) == ["All runs 1", "+ Save view"]
    assert soup.select("#views [data-counts]") == []
    assert parsed(browser.open("/")).select("#views") == []


def test_the_home_page_has_tabs_of_every_workflow(browser: Browser) -> None:
    make_run(browser.workflow, status="failed")
    view_id = save(browser, "status=failed", name="Broken", whose="team")
    soup = parsed(browser.open("/"))
    [tab] = soup.select("#views a")
    assert (text_of(tab), tab["href"]) == (f"Broken {browser.workflow.name}", f"/views/{view_id}")
    path = str(one(soup, "#views [data-counts]")["hx-get"])
    assert counts(browser, path) == {f"#view-count-{view_id}": "1"}


def test_the_home_page_names_the_settings_where_it_leaves_views_out(browser: Browser) -> None:
    for number in range(10):
        save(browser, f"search={number}", name=f"View {number}")
    soup = parsed(browser.open("/"))
    assert len(soup.select("#views a")) == 9
    assert text_of(soup.select("#views a")[-1]) == "All 10 views"


def test_links_to_a_workflow_lead_to_its_default_view_and_the_bare_address_filters_nothing(
    browser: Browser,
) -> None:
    run = make_run(browser.workflow, run_number=1, status="completed")
    view_id = save(browser, "status=failed", name="Broken", is_default="on")
    home = one(parsed(browser.open("/")), "#workflows tbody .run")
    assert home["href"] == f"/views/{view_id}"
    for path in (f"{browser.list_path}/{run.id}", f"/workflows/{browser.workflow.id}/summary"):
        crumbs = [link["href"] for link in parsed(browser.open(path)).select(".crumbs a")]
        assert crumbs[1] == f"/views/{view_id}", path
    assert numbers(browser.runs()) == ["#1"]
    assert send(browser, f"/views/{view_id}/edit", name="Broken").status_code == 303
    home = one(parsed(browser.open("/")), "#workflows tbody .run")
    assert home["href"] == browser.list_path


def test_a_new_default_view_changes_pages_that_a_browser_has(browser: Browser) -> None:
    run = make_run(browser.workflow)
    for path in ("/", browser.list_path, f"{browser.list_path}/{run.id}"):
        before = browser.open(path).headers["ETag"]
        view_id = save(browser, "status=failed", name="Broken", is_default="on")
        assert browser.open(path, headers={"If-None-Match": before}).status_code == 200, path
        send(browser, f"/views/{view_id}/delete")


def test_a_refused_form_keeps_what_was_said_and_says_why(browser: Browser) -> None:
    save(browser, "status=failed", name="Broken")
    path = f"/workflows/{browser.workflow.id}/views/new?status=paused"
    answer = send(browser, path, name="broken", is_default="on", whose="team")
    assert answer.status_code == 303
    answer = send(browser, path, name="broken", is_default="on")
    assert answer.status_code == 422
    soup = parsed(answer)
    assert text_of(one(soup, "#name-error")) == (
        "Name is taken. You have a view of this list with this name."
    )
    assert one(soup, "#name")["value"] == "broken"
    assert one(soup, "input[name=is_default]").has_attr("checked")
    assert send(browser, f"{path}&limit=500", name="Bad").status_code == 422


def test_views_are_renamed_and_deleted_after_a_question(browser: Browser) -> None:
    view_id = save(browser, "status=failed", name="Broken")
    assert one(parsed(browser.open(f"/views/{view_id}/edit")), "#name")["value"] == "Broken"
    assert send(browser, f"/views/{view_id}/edit", name="").status_code == 422
    answer = send(browser, f"/views/{view_id}/edit", name="Fixed")
    assert answer.status_code == 303
    settings = parsed(browser.open(answer.headers["Location"]))
    assert [text_of(name) for name in settings.select("tbody .run")] == ["Fixed"]
    question = parsed(browser.open(f"/views/{view_id}/delete"))
    assert text_of(one(question, "h1")) == "Delete the view Fixed?"
    assert send(browser, f"/views/{view_id}/delete").status_code == 303
    assert browser.open(f"/views/{view_id}").status_code == 404
    assert send(browser, f"/views/{view_id}/delete").status_code == 404


def test_settings_list_the_teams_and_ones_own(
    browser: Browser, sign_in: Callable[[User], FlaskClient]
) -> None:
    viewer = colleague(browser, sign_in, "viewer")
    save(browser, "status=failed&search=ada", name="Ours", whose="team", is_default="on")
    save(browser, "status=failed", name="Adas")
    save(viewer, "limit=50", name="Mine")
    answer = viewer.open("/settings/views")
    assert answer.status_code == 303
    soup = parsed(viewer.open(answer.headers["Location"]))
    rows = [text_of(row) for row in soup.select("tbody tr")]
    assert rows == [
        f"Ours Default The team’s {browser.workflow.name} Status Failed Triggered by “ada” By editors",
        f"Mine Mine {browser.workflow.name} Runs per page 50 Change Mine",
    ]
    empty = make_user("eve@other.example")
    make_member(make_workspace("other", "Other"), empty)
    nothing = sign_in(empty).get("/settings/views", follow_redirects=True)
    assert "No views yet" in nothing.text


def test_a_viewer_is_not_offered_what_editors_do(
    browser: Browser, sign_in: Callable[[User], FlaskClient]
) -> None:
    viewer = colleague(browser, sign_in, "viewer")
    of_team = save(browser, "status=failed", name="Ours", whose="team")
    own = save(browser, "status=failed", name="Adas")
    path = f"/workflows/{browser.workflow.id}/views/new"
    page = parsed(viewer.open(path))
    assert page.select("input[name=whose]") == []
    assert page.select("#over") == []
    assert send(viewer, path, name="Ours", whose="team").status_code == 403
    for what in ("edit", "delete", "definition"):
        assert send(viewer, f"/views/{of_team}/{what}", name="x").status_code == 403
        assert send(viewer, f"/views/{own}/{what}", name="x").status_code == 404
    assert viewer.open(f"/views/{own}").status_code == 404
    assert "Adas" not in viewer.runs().text


def test_saving_over_offers_each_view_that_one_may_change(browser: Browser) -> None:
    view_id = save(browser, "status=failed", name="Broken")
    page = parsed(browser.open(f"/workflows/{browser.workflow.id}/views/new?search=ada"))
    [form] = page.select("table form")
    assert form["action"] == f"/views/{view_id}/definition?search=ada"
    assert text_of(one(page, "tbody tr")) == "Broken Mine Status Failed Save over Broken"


def test_filters_that_this_release_does_not_know_are_named_and_kept(browser: Browser) -> None:
    make_run(browser.workflow, run_number=1, status="failed")
    view_id = save(browser, "status=failed", name="Broken")
    write(browser, view_id, {"status": "failed", "mood": "gloomy", "tone": ["a", "b"]})
    address = browser.open(f"/views/{view_id}").headers["Location"]
    assert address == f"{browser.list_path}?status=failed&mood=gloomy&tone=a&tone=b"
    soup = parsed(browser.open(address))
    assert text_of(one(soup, "#views-unknown")).startswith(
        "This view also filtered by mood and tone, which this release does not know."
    )
    assert current(soup) == ["Broken"]
    plain = parsed(browser.runs("status=failed"))
    assert (plain.select("#views-unknown"), current(plain)) == ([], [])
    assert one(plain, f'#views a[href="/views/{view_id}"]')
    for path in (f"/views/{view_id}/edit", f"/settings/workspaces/{browser.workspace.id}/views"):
        assert "Also filtered by mood, tone" in text_of(one(parsed(browser.open(path)), "main"))


def test_a_value_that_this_release_does_not_take_is_shown_at_its_field(browser: Browser) -> None:
    view_id = save(browser, "status=failed", name="Broken")
    write(browser, view_id, {"status": "exploded"})
    answer = browser.open(f"/views/{view_id}", follow_redirects=True)
    assert answer.status_code == 422
    assert "exploded" in answer.text
    assert tabs(parsed(browser.runs())) == ["All runs 0", "Broken", "+ Save view"]
    assert counts(browser)[f"#view-count-{view_id}"] == ""
    settings = parsed(browser.open(f"/settings/workspaces/{browser.workspace.id}/views"))
    assert "status exploded This release does not take" in text_of(one(settings, "tbody"))


def test_the_fragment_of_the_list_has_the_tabs_too(browser: Browser) -> None:
    save(browser, "status=failed", name="Broken")
    link = one(parsed(browser.runs()), "#views a[hx-get*=failed]")
    assert current(parsed(browser.open(str(link["hx-get"]), headers=HTMX))) == ["Broken"]


@pytest.mark.slow
def test_more_views_take_no_more_statements(browser: Browser) -> None:
    def reads(path: str) -> int:
        browser.open(path)
        with statements() as found:
            assert browser.open(path).status_code == 200
        return sum(statement.text.startswith("SELECT") for statement in found)

    save(browser, "status=failed", name="First")
    paths = (browser.list_path, "/", f"/settings/workspaces/{browser.workspace.id}/views")
    before = [reads(path) for path in paths]
    for number in range(7):
        save(browser, f"search={number}", name=f"View {number}")
    assert [reads(path) for path in paths] == before


def test_lists_of_the_workspace_have_views_of_their_own(browser: Browser) -> None:
    other = make_workflow(browser.workspace, "Other dub")
    for workflow in (browser.workflow, other):
        make_run(workflow, status="failed")
    save(browser, "status=failed", name="Of one")
    link = one(parsed(browser.open(f"/runs?workflow={other.id}&status=failed")), "#views .save")
    page = parsed(browser.open(str(link["href"])))
    assert page.select("input[name=is_default]") == []
    assert [text_of(part) for part in page.select("main .view-parts li")] == [
        "Workflow Other dub",
        "Status Failed",
    ]
    answer = send(browser, str(link["href"]), name="Everywhere", is_default="on", whose="team")
    address = answer.headers["Location"]
    assert address == f"/runs?workflow={other.id}&status=failed"
    soup = parsed(browser.open(address))
    assert (tabs(soup), current(soup)) == (["All runs 2", "Everywhere", "+ Save view"], ["Everywhere"])
    assert tabs(parsed(browser.runs())) == ["All runs 1", "Of one", "+ Save view"]
    fragment = counts(browser, str(one(soup, "#views [data-counts]")["hx-get"]))
    assert list(fragment.values()) == ["2", "1"]
    assert tabs(parsed(browser.open("/runs")))[:2] == ["All runs 2", "Everywhere 1"]
    home = parsed(browser.open("/"))
    assert tabs(home) == ["Everywhere", "Of one Nightly dub"]
    assert list(counts(browser, str(one(home, "#views [data-counts]")["hx-get"])).values()) == ["1", "1"]
    view_id = home.select("#views a")[0]["href"]
    assert browser.open(str(view_id)).headers["Location"] == address
    settings = parsed(browser.open(f"/settings/workspaces/{browser.workspace.id}/views"))
    assert text_of(settings.select("tbody tr")[0]) == (
        "Everywhere The team’s All workflows Workflow Other dub Status Failed Change Everywhere"
    )
    over = send(browser, f"{view_id}/definition?status=completed")
    assert over.headers["Location"] == "/runs?status=completed"
    assert parsed(browser.open(f"{view_id}/edit")).select("input[name=is_default]") == []


def test_labels_of_a_list_are_all_saved(browser: Browser) -> None:
    query = "label=env%3Dprod&label=team%3Da"
    view_id = save(browser, query, name="Production")
    assert browser.open(f"/views/{view_id}").headers["Location"].endswith(f"?{query}")
    assert current(parsed(browser.runs(query))) == ["Production"]
