"""A page or fragment that the browser has already is answered with 304, and never one that has changed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import moments
from portal.database.engine import db
from portal.database.models import Person, Run, User
from portal.database.transactions import writing
from portal.pages import conditional_get
from portal.pages.conditional_get import release
from portal.runs.recording import recorder
from portal.runs.recording.state_machine import Event
from portal.workspaces.accounts import set_member
from portal.workspaces.people import SourcePerson, store_people
from tests.factories import make_key, make_person, make_run, make_user, make_workflow, seen
from tests.pages.conftest import HTMX, Browser
from tests.statements import statements

SURFACES = ("page", "fragment", "live", "run", "summary", "workflows", "workflows fragment")


@pytest.fixture
def run(browser: Browser) -> Run:
    return make_run(browser.workflow, make_person(browser.workspace, "Grace"), status="paused")


@pytest.fixture
def ask(browser: Browser, run: Run) -> Callable[..., TestResponse]:
    """Ask a surface, as a browser that has the answer with this mark already."""

    def ask(surface: str, mark: str = "", query: str = "", **headers: str) -> TestResponse:
        runs = browser.list_path
        path = {
            "page": runs,
            "fragment": f"{runs}/table",
            "live": f"{runs}/live",
            "run": f"{runs}/{run.id}",
            "summary": f"/workflows/{browser.workflow.id}/summary",
            "workflows": "/",
            "workflows fragment": "/workflows/table",
        }[surface]
        sent = (HTMX if "fragment" in surface or surface == "live" else {}) | headers
        sent |= {"If-None-Match": mark} if mark else {}
        return browser.open(f"{path}?{query}", headers=sent)

    return ask


Ask = Callable[..., TestResponse]


def mark_of(answer: TestResponse) -> str:
    assert answer.status_code == 200
    assert answer.headers["ETag"].startswith('W/"')
    return answer.headers["ETag"]


@pytest.mark.parametrize("surface", SURFACES)
def test_nothing_new_is_304_after_one_read_beyond_authentication(ask: Ask, surface: str) -> None:
    first = ask(surface)
    with statements() as seen:
        again = ask(surface, mark_of(first))
    assert (again.status_code, again.data) == (304, b"")
    beyond = [text for text, _ in seen if "FROM sessions" not in text and "JOIN members" not in text]
    of_other_runs = 2 if surface == "run" else 0  # those it names and those like it may change without it
    assert len(beyond) == 1 + of_other_runs
    assert "workflows.change_stamp" in beyond[0]
    for name in ("ETag", "Cache-Control", "Vary"):
        assert again.headers[name] == first.headers[name]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.slow
def test_what_changes_is_shown(ask: Ask, surface: str, browser: Browser, run: Run) -> None:
    def new_run() -> None:
        make_run(browser.workflow)

    def new_status() -> None:
        recorder.apply_event(run.id, Event.CANCEL, now=moments.now())

    def new_name() -> None:
        with writing() as session:
            person = session.scalars(sa.select(Person).where(Person.id == run.person_id)).one()
            store_people(session, browser.workspace.id, [SourcePerson(person.user_id, name="Grace Hopper")])

    def new_workflow() -> None:
        make_workflow(browser.workspace, "Another")
        make_run(browser.workflow)

    def new_role() -> None:
        set_member(browser.workspace.slug, "ada@acme.example", "viewer", moments.now())

    for change in (new_run, new_status, new_name, new_workflow, new_role):
        mark = mark_of(ask(surface))
        assert ask(surface, mark).status_code == 304
        change()
        assert ask(surface, mark).status_code == 200, change.__name__


def test_a_duration_that_grows_is_right_without_script_too(ask: Ask, browser: Browser) -> None:
    before = mark_of(ask("live"))
    make_run(browser.workflow, status="running", started_at=moments.now() - timedelta(hours=2))
    workflow = replace(seen(browser.workflow), running=1)
    assert conditional_get.second_of_active_run(workflow) is not None
    assert conditional_get.second_of_active_run(replace(workflow, running=0)) is None
    assert mark_of(ask("live")) != before
    assert ask("live", mark_of(ask("live"))).status_code == 304


@pytest.mark.slow
def test_each_address_kind_and_cookie_has_a_mark_of_its_own(ask: Ask, browser: Browser) -> None:
    marks = [mark_of(ask(surface)) for surface in SURFACES]
    marks.append(mark_of(ask("page", query="status=running")))
    marks.append(mark_of(ask("fragment", **{"HX-Current-URL": f"http://localhost{browser.list_path}"})))
    marks.append(mark_of(ask("fragment", **{"HX-Source": "input#search"})))
    browser.client.set_cookie("theme", "dark")
    marks.append(mark_of(ask("page")))
    assert len(set(marks)) == len(marks)


def test_no_mark_opens_a_page_for_somebody_else(
    ask: Ask, browser: Browser, sign_in: Callable[[User], FlaskClient], client: FlaskClient
) -> None:
    mark = mark_of(ask("page"))
    stranger = sign_in(make_user("eve@other.example"))
    assert stranger.get(browser.list_path, headers={"If-None-Match": mark}).status_code == 404
    assert client.get(browser.list_path, headers={"If-None-Match": mark}).status_code == 302


def test_refusals_and_api_answers_carry_no_mark(ask: Ask, browser: Browser) -> None:
    for surface, query in (("page", "limit=x"), ("workflows", "limit=x"), ("summary", "days=8")):
        assert "ETag" not in ask(surface, query=query).headers
    user = db.session.scalars(sa.select(User)).one()
    bearer = {"Authorization": f"Bearer {make_key(browser.workspace, user)}"}
    answer = browser.client.get(f"/api/v1{browser.list_path}", headers=bearer)
    assert "ETag" not in answer.headers


def test_a_release_is_known_by_the_content_of_its_files(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("one", "same", "edited", "renamed")]
    for root, name, text in zip(roots, ("a", "a", "a", "b"), ("x", "x", "y", "x"), strict=True):
        (root / "templates").mkdir(parents=True)
        (root / "templates" / f"{name}.html").write_text(text)
    assert release(roots[0]) == release(roots[1])
    assert len({release(root) for root in roots}) == 3
