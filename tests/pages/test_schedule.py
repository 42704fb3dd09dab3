"""The page of a workflow's schedule, and what the run list says of it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
import time_machine
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import moments
from portal.auth.audit.trail import KINDS
from portal.database.engine import db
from portal.database.models import AuditEntry, Schedule, ScheduleTick, User
from portal.database.transactions import writing
from tests.factories import NOON, make_member, make_run, make_schedule, make_user
from tests.pages.conftest import Browser, one, parsed, text_of

SAME = {"Sec-Fetch-Site": "same-origin"}
DAILY = {"cron": "30 6 * * *", "zone": "Europe/Berlin", "enabled": "on"}


def path_of(browser: Browser) -> str:
    return f"/workflows/{browser.workflow.id}/schedule"


def save(browser: Browser, **fields: Any) -> TestResponse:
    return browser.client.post(path_of(browser), data=DAILY | fields, headers=SAME)


def schedules() -> list[Schedule]:
    db.session.rollback()
    return list(db.session.scalars(sa.select(Schedule)))


def add_ticks(schedule: Schedule, *outcomes: dict[str, Any]) -> None:
    """What became of the moments of a schedule, a day apart, newest first."""
    with writing() as session:
        for day, outcome in enumerate(outcomes):
            moment = NOON - timedelta(days=day)
            session.add(ScheduleTick(schedule_id=schedule.id, moment=moment, claimed_at=moment, **outcome))


@pytest.fixture
def viewer(browser: Browser, sign_in: Callable[[User], FlaskClient]) -> Browser:
    viewer = make_user("vera@acme.example")
    make_member(browser.workspace, viewer, "viewer")
    return Browser(sign_in(viewer), browser.workspace, browser.workflow, viewer)


@pytest.mark.slow
def test_a_schedule_is_set_changed_and_turned_off(browser: Browser) -> None:
    assert "Run by itself" in browser.open(path_of(browser)).text
    saved = save(browser)
    assert (saved.status_code, saved.headers["Location"]) == (303, path_of(browser))
    [schedule] = schedules()
    assert (schedule.cron, schedule.zone, schedule.enabled) == ("30 6 * * *", "Europe/Berlin", True)
    assert schedule.set_by == browser.user.id
    assert schedule.next_at is not None
    assert schedule.next_at > moments.now()
    soup = parsed(browser.open(path_of(browser)))
    assert one(soup, "#cron")["value"] == "30 6 * * *"
    assert one(soup, "#zone option[selected]")["value"] == "Europe/Berlin"
    assert one(soup, "[name=enabled]").has_attr("checked")
    assert "Ada Lovelace" in text_of(one(soup, "main"))
    browser.client.post(path_of(browser), data={"cron": "0 7 * * *", "zone": "UTC"}, headers=SAME)
    [schedule] = schedules()
    assert (schedule.cron, schedule.enabled, schedule.next_at) == ("0 7 * * *", False, None)
    assert not one(parsed(browser.open(path_of(browser))), "[name=enabled]").has_attr("checked")


def test_the_next_five_times_stand_in_the_zone_of_the_schedule_and_as_moments(
    browser: Browser, sign_in: Callable[[User], FlaskClient]
) -> None:
    """The script puts moments into the zone of the viewer."""
    make_schedule(browser.workflow, browser.user.id, cron="30 6 28-31 3 *", zone="Europe/Berlin")
    with time_machine.travel(NOON, tick=False):
        page = sign_in(browser.user).get(path_of(browser))
    rows = parsed(page).select("[aria-labelledby=next] tbody tr")
    assert [text_of(one(row, "th")) for row in rows[:2]] == [
        "Sat 28 Mar 2026, 06:30",
        "Sun 29 Mar 2026, 06:30",
    ]
    assert [one(row, "time")["datetime"] for row in rows[:2]] == [
        "2026-03-28T05:30:00Z",
        "2026-03-29T04:30:00Z",
    ]
    assert len(rows) == 5


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"cron": ""}, "cron", "The expression must have five fields"),
        ({"cron": "0 0 6 * * *"}, "cron", "More often than once a minute is not possible."),
        ({"cron": "0 25 * * *"}, "cron", "The expression has 25 as hour, which must be 0 to 23"),
        ({"cron": "0 0 31 2 *"}, "cron", "The expression must name a day that one of its months has."),
        ({"cron": "\x00 0 6 * *"}, "cron", "as minute"),
        ({"zone": "Mars/Olympus"}, "zone", "The time zone must be the IANA name of a time zone"),
    ],
)
def test_a_bad_field_is_refused_beside_it_and_kept(
    browser: Browser, fields: dict[str, str], field: str, said: str
) -> None:
    refused = save(browser, **fields)
    assert refused.status_code == 422
    soup = parsed(refused)
    assert said in text_of(one(soup, f"#{field}-error"))
    assert one(soup, f"#{field}")["aria-describedby"] == f"{field}-error"
    if field == "cron" and "\x00" not in fields["cron"]:
        assert one(soup, "#cron")["value"] == fields["cron"]
    assert schedules() == []


def test_an_expression_that_does_not_come_for_years_is_refused(
    browser: Browser, sign_in: Callable[[User], FlaskClient]
) -> None:
    """The next 29 February on a Sunday after 2032 is in 2060."""
    with time_machine.travel(NOON.replace(year=2033), tick=False):
        browser.client = sign_in(browser.user)
        refused = save(browser, cron="0 0 29 2 */7")
    assert "The expression never comes within the next five years." in text_of(
        one(parsed(refused), "#cron-error")
    )


def test_a_field_that_is_missing_is_required(browser: Browser) -> None:
    refused = browser.client.post(path_of(browser), data={}, headers=SAME)
    assert refused.status_code == 422
    assert "The expression is required." in text_of(one(parsed(refused), "#cron-error"))


def test_the_history_says_what_became_of_each_time(browser: Browser) -> None:
    schedule = make_schedule(browser.workflow, browser.user.id)
    run = make_run(browser.workflow, status="failed", run_number=7)
    add_ticks(schedule, {"run_id": run.id}, {"run_id": uuid4()}, {"reason": "It was <busy>."}, {})
    soup = parsed(browser.open(path_of(browser)))
    texts = [text_of(cell) for cell in soup.select("[data-label=Outcome]")]
    assert texts[:3] == ["Run 7 Failed", "Its run is no longer there.", "It was <busy>."]
    assert texts[3].startswith("No outcome yet.")
    link = one(soup, "[data-label=Outcome] a")
    assert link["href"] == f"{browser.list_path}/{run.id}"


@pytest.mark.slow
def test_a_long_history_has_pages(browser: Browser) -> None:
    schedule = make_schedule(browser.workflow, browser.user.id)
    add_ticks(schedule, *({"reason": f"Reason {number}"} for number in range(51)))
    first = browser.open(path_of(browser))
    assert len(parsed(first).select("[data-label=Outcome]")) == 50
    second = browser.open(str(one(parsed(first), "#pager-next")["href"]))
    assert [text_of(cell) for cell in parsed(second).select("[data-label=Outcome]")] == ["Reason 50"]
    assert "The list ends before this page" in browser.open(f"{path_of(browser)}?offset=500").text
    assert browser.open(f"{path_of(browser)}?offset=x").status_code == 422


def test_viewers_read_it_and_cannot_change_it(browser: Browser, viewer: Browser) -> None:
    assert "An editor of the workspace can make" in viewer.open(path_of(browser)).text
    schedule = make_schedule(browser.workflow, browser.user.id)
    add_ticks(schedule, {"reason": "It was busy."})
    soup = parsed(viewer.open(path_of(browser)))
    assert "It was busy." in text_of(one(soup, "main"))
    assert one(soup, "[aria-labelledby=next]")
    assert soup.select("main form") == []
    assert save(viewer).status_code == 403
    assert viewer.open(f"{path_of(browser)}/remove").status_code == 403
    assert viewer.client.post(f"{path_of(browser)}/remove", headers=SAME).status_code == 403


def test_removing_asks_first(browser: Browser) -> None:
    assert browser.open(f"{path_of(browser)}/remove").status_code == 404
    make_schedule(browser.workflow, browser.user.id)
    asked = browser.open(f"{path_of(browser)}/remove")
    assert "Remove the schedule of Nightly dub?" in asked.text
    removed = browser.client.post(f"{path_of(browser)}/remove", headers=SAME)
    assert (removed.status_code, removed.headers["Location"]) == (303, path_of(browser))
    assert schedules() == []
    assert browser.client.post(f"{path_of(browser)}/remove", headers=SAME).status_code == 404


def test_each_change_is_in_the_audit_log(browser: Browser) -> None:
    save(browser)
    save(browser, cron="0 7 * * *")
    browser.client.post(f"{path_of(browser)}/remove", headers=SAME)
    db.session.rollback()
    about = sa.select(AuditEntry).where(AuditEntry.kind.like("schedule.%")).order_by(AuditEntry.at)
    entries = db.session.scalars(about).all()
    assert [entry.kind for entry in entries] == ["schedule.created", "schedule.changed", "schedule.removed"]
    assert {entry.actor for entry in entries} == {browser.user.email}
    assert entries[1].details["cron"] == "0 7 * * *"
    page = browser.open(f"/settings/workspaces/{browser.workspace.id}/audit").text
    assert all(KINDS[entry.kind] in page for entry in entries)


def test_the_run_list_says_when_it_runs_next_and_notices_a_change(browser: Browser) -> None:
    first = browser.runs()
    assert "Next run at" not in first.text
    make_schedule(browser.workflow, browser.user.id)
    known = {"If-None-Match": first.headers["ETag"]}
    second = browser.open(browser.list_path, headers=known)
    assert second.status_code == 200
    assert re.search(r"Next run at\s+<time datetime=\"2026-03-01T12:00:00Z\"", second.text)
    save(browser, cron="0 7 * * *")
    known = {"If-None-Match": second.headers["ETag"]}
    third = browser.open(browser.list_path, headers=known)
    assert third.status_code == 200
    assert (
        browser.open(browser.list_path, headers={"If-None-Match": third.headers["ETag"]}).status_code == 304
    )


@pytest.mark.slow
def test_a_schedule_that_has_stopped_says_so_on_both_pages(browser: Browser) -> None:
    reason = "Stopped: they left."
    columns = {"enabled": False, "next_at": None, "stopped_reason": reason}
    make_schedule(browser.workflow, uuid4(), **columns)
    assert "has stopped" in text_of(one(parsed(browser.runs()), ".title"))
    page = text_of(one(parsed(browser.open(path_of(browser))), "main"))
    assert reason in page
    assert "Next times" not in page
    assert "Unnamed" in page
    save(browser)
    assert reason not in browser.open(path_of(browser)).text


def test_the_page_of_another_workspace_or_a_deleted_workflow_is_not_there(browser: Browser) -> None:
    assert browser.open(f"/workflows/{uuid4()}/schedule").status_code == 404
    make_schedule(browser.workflow, browser.user.id)
    browser.client.post(f"/workflows/{browser.workflow.id}/delete", headers=SAME)
    assert browser.open(path_of(browser)).status_code == 410
    assert save(browser).status_code == 410
