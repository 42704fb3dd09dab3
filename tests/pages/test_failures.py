"""Failures by cause: the list, the page of one, what editors note, and the line on the page of a run."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import moments
from portal.database.engine import db
from portal.database.models import Cause, Member, Run
from portal.database.transactions import writing
from tests.factories import make_runs, make_workflow
from tests.pages.conftest import Browser, one, parsed, text_of

DAY = timedelta(days=1)
SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def runs(browser: Browser) -> list[Run]:
    now = moments.now()
    errors = ["Voice de-DE: take 1 is silent", "Voice fr-FR: take 22 is silent", "no voice"]
    rows = [
        {"status": "failed", "error": error, "created_at": now - number * DAY, "run_number": 1100 + number}
        for number, error in enumerate(errors)
    ]
    return make_runs(browser.workflow, rows)


def stored(run: Run) -> Cause:
    db.session.rollback()
    return db.session.scalars(sa.select(Cause).where(Cause.id == run.cause_id)).one()


def post(browser: Browser, run: Run, action: str, **form: str) -> int:
    path = f"/failures/{run.cause_id}/{action}"
    return browser.client.post(path, data=form, headers=SAME).status_code


def test_the_list_sets_apart_what_varies_and_leads_to_the_runs(browser: Browser, runs: list[Run]) -> None:
    page = parsed(browser.open("/failures"))
    line = one(page, f"#cause-{runs[0].cause_id}")
    assert text_of(one(line, "a.cause")) == "Voice …: take … is silent"
    assert len(line.select("a.cause var")) == 2
    assert text_of(one(line, ".tag")) == "New"
    assert len(line.select(".days .bad")) == 2
    listed = one(line, ".c-count a")
    assert text_of(listed) == "2 runs like this"
    answer = browser.open(str(listed["href"]))
    assert answer.status_code == 200
    assert f"run-{runs[1].id}" in answer.text
    assert f"run-{runs[2].id}" not in answer.text
    assert [text_of(each) for each in page.select(".causes-stats dd")] == ["3", "2", "2", "0"]
    assert one(page, "header nav a[aria-current]").text == "Failures"


@pytest.mark.usefixtures("runs")
def test_windows_states_and_orders_are_links(browser: Browser) -> None:
    page = parsed(browser.open("/failures?days=1"))
    assert len(page.select("tbody tr")) == 1
    for chip in page.select(".chip, thead a"):
        assert browser.open(str(chip["href"])).status_code == 200
    resolved = parsed(browser.open("/failures?state=resolved"))
    assert "No cause is resolved" in resolved.text
    assert len(parsed(browser.open("/failures?limit=1&sort=count")).select("tbody tr")) == 1


def test_a_bad_value_leads_to_the_list_without_it(browser: Browser) -> None:
    answer = browser.open("/failures?days=x&sort=count")
    assert answer.status_code == 303
    assert answer.headers["Location"].endswith("/failures?sort=count")
    assert "No run has failed" in browser.open("/failures").text


def test_an_editor_notes_resolves_and_mutes(browser: Browser, runs: list[Run]) -> None:
    run = runs[0]
    assert post(browser, run, "note", note="  ask\n Grace ") == 303
    assert (stored(run).note, stored(run).noted_by) == ("ask Grace", browser.user.id)
    page = browser.open(f"/failures/{run.cause_id}").text
    assert "ask Grace" in page
    assert post(browser, run, "note", note="") == 303
    assert (stored(run).note, stored(run).noted_at) == (None, None)
    assert post(browser, run, "resolve") == 303
    assert "Open again" in browser.open(f"/failures/{run.cause_id}").text
    make_runs(
        browser.workflow,
        [{"status": "failed", "error": "Voice es-ES: take 3 is silent", "created_at": moments.now()}],
    )
    page = browser.open(f"/failures/{run.cause_id}").text
    assert "it failed again since" in page
    assert "Back" in text_of(one(parsed(browser.open(f"/failures/{run.cause_id}")), ".title"))
    assert post(browser, run, "mute", until="2999-01-31") == 303
    assert stored(run).muted_until == moments.parse_moment("2999-02-01T00:00:00Z")
    assert str(run.cause_id) not in browser.open("/failures").text
    assert str(run.cause_id) in browser.open("/failures?state=muted").text
    assert post(browser, run, "mute", undo="1") == 303
    assert (stored(run).muted_at, stored(run).muted_by) == (None, None)
    assert post(browser, run, "resolve", undo="1") == 303
    assert stored(run).resolved_at is None


@pytest.mark.parametrize(
    ("action", "form"),
    [("note", {"note": "x" * 501}), ("mute", {"until": "soon"}), ("mute", {"until": "2020-01-31"})],
)
def test_a_bad_value_is_named_at_its_field(
    browser: Browser, runs: list[Run], action: str, form: dict[str, str]
) -> None:
    answer = browser.client.post(f"/failures/{runs[0].cause_id}/{action}", data=form, headers=SAME)
    assert answer.status_code == 422
    assert one(parsed(answer), f"#{next(iter(form))}")["aria-invalid"] == "true"


def test_a_viewer_sees_what_was_noted_and_changes_nothing(browser: Browser, runs: list[Run]) -> None:
    post(browser, runs[0], "note", note="ask Grace")
    with writing() as session:
        session.execute(sa.update(Member).values(role="viewer"))
    page = parsed(browser.open(f"/failures/{runs[0].cause_id}"))
    assert "ask Grace" in page.text
    assert page.select("main form") == []
    for action in ("note", "resolve", "mute"):
        assert post(browser, runs[0], action, note="mine") == 403
    assert stored(runs[0]).note == "ask Grace"


def test_the_address_of_a_merged_cause_leads_on(browser: Browser, runs: list[Run]) -> None:
    old, new = runs[2].cause_id, runs[0].cause_id
    with writing() as session:
        session.execute(sa.update(Cause).where(Cause.id == old).values(merged_into=new))
    answer = browser.open(f"/failures/{old}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/failures/{new}")
    answer = browser.client.post(f"/failures/{old}/note", data={"note": "here"}, headers=SAME)
    assert answer.status_code == 303
    assert stored(runs[0]).note == "here"


def test_the_page_of_a_run_says_how_many_failed_like_it(browser: Browser, runs: list[Run]) -> None:
    def line(run: Run) -> str:
        return text_of(one(parsed(browser.open(f"/workflows/{run.workflow_id}/runs/{run.id}")), "#alike"))

    assert line(runs[0]).startswith("2 like this since ")
    assert "first in #1,101 ·" in line(runs[0])
    assert line(runs[2]).startswith("No other run failed like this.")
    other = make_workflow(browser.workspace, name="Other")
    row = {"status": "failed", "error": "no voice", "created_at": moments.now() - 9 * DAY, "run_number": 7}
    make_runs(other, [row])
    assert "first in #7 of Other ·" in line(runs[2])
