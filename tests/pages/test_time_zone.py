"""Days and times of pages are those of the reader: of the account's zone, or UTC while it is not known."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import time_machine
from flask.testing import FlaskClient

from portal import moments
from portal.database.engine import db
from portal.database.models import ApiKey, User
from portal.database.transactions import writing
from tests.factories import NOON, make_run
from tests.pages.conftest import HTMX, Browser, numbers, one, parsed, text_of

SAME = {"Sec-Fetch-Site": "same-origin"}
LOS_ANGELES = "America/Los_Angeles"


def live_in(browser: Browser, zone: str | None) -> None:
    with writing() as session:
        session.execute(sa.update(User).where(User.id == browser.user.id).values(time_zone=zone))


@pytest.fixture
def evening(browser: Browser, sign_in: Callable[[User], FlaskClient]) -> Iterator[Browser]:
    """It is the last day of February in Los Angeles, and already March in UTC."""
    live_in(browser, LOS_ANGELES)
    with time_machine.travel(datetime(2026, 3, 1, 5, 6, 7, tzinfo=UTC), tick=False):
        browser.client = sign_in(browser.user)
        yield browser


def zone_of(browser: Browser) -> str | None:
    db.session.rollback()
    return db.session.scalar(sa.select(User.time_zone).where(User.id == browser.user.id))


def show(browser: Browser, zone: str) -> None:
    assert browser.client.post("/zone/shown", data={"zone": zone}, headers=SAME).status_code == 303


def test_until_a_zone_is_known_pages_show_utc_and_say_so(browser: Browser) -> None:
    make_run(browser.workflow)
    soup = parsed(browser.runs())
    assert text_of(one(soup, ".c-created_at time")) == "1 Mar 2026 12:00:00"
    assert [text_of(unit) for unit in soup.select("label .unit")] == ["UTC", "UTC"]
    assert one(soup, "body")["data-shown-zone"] == "UTC"
    assert one(soup, "body")["data-learn-zone"] == "/zone"
    assert not soup.select("#zones")


def test_the_zone_of_the_browser_is_learnt_once(browser: Browser) -> None:
    for sent in ("Asia/Kolkata", "Europe/Berlin"):
        answer = browser.client.post("/zone", data={"zone": sent}, headers=SAME)
        assert (answer.status_code, answer.data) == (204, b"")
        assert zone_of(browser) == "Asia/Kolkata"
    assert not one(parsed(browser.runs()), "body").get("data-learn-zone")


@pytest.mark.parametrize("zone", ["Mars/Base", "", "localtime\0", "x" * 70])
def test_an_unknown_zone_is_not_kept(browser: Browser, zone: str) -> None:
    assert browser.client.post("/zone", data={"zone": zone}, headers=SAME).status_code == 422
    assert browser.client.post("/zone", headers=SAME).status_code == 422
    assert zone_of(browser) is None


def test_another_site_cannot_set_the_zone(browser: Browser) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
        for path in ("/zone", "/zone/shown", "/settings/time-zone"):
            answer = browser.client.post(path, data={"zone": "Europe/Berlin"}, headers=headers)
            assert answer.status_code == 403
    assert zone_of(browser) is None


def test_the_zone_is_chosen_and_forgotten_in_the_settings_without_a_script(browser: Browser) -> None:
    path = "/settings/time-zone"
    assert "It is not known yet" in browser.open(path).text
    answer = browser.client.post(path, data={"zone": "Asia/Kathmandu"}, headers=SAME)
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert one(parsed(browser.open(path)), "#zone option[selected]")["value"] == "Asia/Kathmandu"
    refused = browser.client.post(path, data={"zone": "Mars/Base"}, headers=SAME)
    assert refused.status_code == 422
    assert "IANA name" in text_of(one(parsed(refused), ".field"))
    assert zone_of(browser) == "Asia/Kathmandu"
    browser.client.post(path, data={"zone": ""}, headers=SAME)
    assert zone_of(browser) is None


@pytest.mark.parametrize(
    ("zone", "time"),
    [
        ("UTC", "1 Mar 2026 12:00:00"),
        (LOS_ANGELES, "1 Mar 2026 04:00:00"),
        ("Asia/Kathmandu", "1 Mar 2026 17:45:00"),
        ("Pacific/Kiritimati", "2 Mar 2026 02:00:00"),
    ],
)
def test_times_stand_in_the_zone_of_the_account_from_the_first_byte(
    browser: Browser, zone: str, time: str
) -> None:
    run = make_run(browser.workflow)
    live_in(browser, zone)
    soup = parsed(browser.runs())
    assert text_of(one(soup, ".c-created_at time")) == time
    assert one(soup, ".c-created_at time")["datetime"] == "2026-03-01T12:00:00Z"
    assert [text_of(unit) for unit in soup.select("label .unit")] == [zone, zone]
    assert zone in text_of(one(soup, "#runs caption"))
    page = parsed(browser.open(f"{browser.list_path}/{run.id}"))
    assert time in {text_of(found) for found in page.select("time")}


def test_utc_is_one_click_away_and_so_is_the_way_back(browser: Browser) -> None:
    make_run(browser.workflow)
    live_in(browser, LOS_ANGELES)
    buttons = one(parsed(browser.runs()), "#zones").select("button")
    assert [(text_of(button), button["value"]) for button in buttons] == [
        (LOS_ANGELES, "own"),
        ("UTC", "utc"),
    ]
    for zone, time in (("utc", "1 Mar 2026 12:00:00"), ("own", "1 Mar 2026 04:00:00")):
        referring = SAME | {"Referer": f"http://localhost{browser.list_path}?status=completed"}
        answer = browser.client.post("/zone/shown", data={"zone": zone}, headers=referring)
        assert answer.headers["Location"] == f"{browser.list_path}?status=completed"
        soup = parsed(browser.runs())
        assert text_of(one(soup, ".c-created_at time")) == time
        assert one(soup, "#zones [aria-pressed=true]")["value"] == zone
        near = one(soup, "#runs .bar button[form=zones]")
        assert near["value"] == {"utc": "own", "own": "utc"}[zone]
    assert browser.client.post("/zone/shown", data={"zone": "mars"}, headers=SAME).status_code == 422


def test_a_day_filter_lists_the_runs_of_that_day_of_the_reader(browser: Browser) -> None:
    """In Los Angeles the first of March begins at eight in UTC; runs before it are dated the day before."""
    live_in(browser, LOS_ANGELES)
    begin = datetime(2026, 3, 1, tzinfo=ZoneInfo(LOS_ANGELES)).astimezone(UTC)
    tick = timedelta(microseconds=1)
    created = (begin - tick, begin, begin + timedelta(days=1) - tick, begin + timedelta(days=1))
    for number, moment in enumerate(created, start=1):
        make_run(browser.workflow, run_number=number, created_at=moment)
    answer = browser.runs("from=2026-03-01&to=2026-03-01")
    assert numbers(answer) == ["#3", "#2"]
    soup = parsed(answer)
    days = {text_of(one(cell, ".day")) for cell in soup.select("#runs tbody .c-created_at")}
    assert days == {"1 Mar 2026"}
    assert [one(soup, f"#{name}")["value"] for name in ("from", "to")] == ["2026-03-01", "2026-03-01"]
    whole = "from=2026-03-01T08:00:00Z&to=2026-03-02T07:59:59.999999Z"
    fragment = browser.fragment("from=2026-03-01&to=2026-03-01")
    assert fragment.headers["HX-Push-Url"] == f"{browser.list_path}?{whole}"
    assert [one(parsed(browser.runs(whole)), f"#{name}")["value"] for name in ("from", "to")] == [
        "2026-03-01",
        "2026-03-01",
    ]


def test_an_address_means_the_same_moments_to_readers_of_every_zone(browser: Browser) -> None:
    for number in range(1, 25):
        make_run(browser.workflow, run_number=number, created_at=NOON + timedelta(hours=number))
    whole = "from=2026-03-01T18:15:00Z&to=2026-03-02T08:00:00Z"
    listed = numbers(browser.runs(whole))
    for zone in ("Asia/Kathmandu", LOS_ANGELES):
        live_in(browser, zone)
        assert numbers(browser.runs(whole)) == listed
    assert one(parsed(browser.runs(whole)), "#from")["value"] == "2026-03-01T18:15:00Z"
    live_in(browser, "Asia/Kathmandu")
    assert one(parsed(browser.runs(whole)), "#from")["value"] == "2026-03-02"


def test_a_day_that_the_clocks_make_longer_is_listed_whole(browser: Browser) -> None:
    live_in(browser, "Europe/Berlin")
    begin = datetime(2026, 10, 24, 22, tzinfo=UTC)
    for number in range(-1, 26):
        make_run(browser.workflow, run_number=number + 2, created_at=begin + timedelta(hours=number))
    answer = browser.runs("from=2026-10-25&to=2026-10-25&limit=100")
    assert numbers(answer) == [f"#{number + 2}" for number in reversed(range(25))]


def test_a_day_of_the_chart_leads_to_its_runs(browser: Browser) -> None:
    live_in(browser, "Asia/Kathmandu")
    edge = datetime(2026, 3, 1, 18, 15, tzinfo=UTC)
    for number in range(1, 6):
        make_run(browser.workflow, run_number=number, created_at=edge + timedelta(minutes=number - 3))
    chart = one(parsed(browser.runs()), ".chart")
    assert "Runs per day in Asia/Kathmandu" in str(one(chart, "[role=img]")["aria-label"])
    rows = [[text_of(cell) for cell in row.select("th, td")] for row in chart.select("tbody tr")]
    assert rows == [["2 Mar 2026", "3", "0"], ["1 Mar 2026", "2", "0"]]
    links = [str(link["href"]) for link in chart.select("table a")]
    assert [len(numbers(browser.open(link))) for link in links] == [3, 2]
    summary = parsed(browser.open(f"/workflows/{browser.workflow.id}/summary?from=2026-03-01&to=2026-03-02"))
    columns = summary.select(".columns-chart a")
    assert [column["aria-label"] for column in columns] == [
        "1 Mar 2026: 2 completed",
        "2 Mar 2026: 3 completed",
    ]
    assert [len(numbers(browser.open(str(column["href"])))) for column in columns] == [2, 3]


@pytest.mark.parametrize(
    ("period", "window"),
    [
        ("today", "from=2026-02-28T08:00:00Z&to=2026-03-01T07:59:59.999999Z"),
        ("month", "from=2026-02-01T08:00:00Z&to=2026-03-01T07:59:59.999999Z"),
    ],
)
def test_presets_are_links_to_days_of_the_reader(evening: Browser, period: str, window: str) -> None:
    browser = evening
    path = browser.list_path
    links = [
        str(link["href"]) for link in parsed(browser.runs("status=failed&offset=20")).select(".presets a")
    ]
    assert links == [f"{path}?status=failed&within={each}" for each in ("today", "24h", "7d", "30d", "month")]
    answer = browser.open(f"{path}?status=failed&within={period}")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{path}?status=failed&{window}")
    fragment = browser.fragment(f"within={period}&from=2020-01-01")
    assert fragment.headers["HX-Push-Url"] == f"{path}?{window}"
    [current] = parsed(fragment).select(".presets [aria-current]")
    assert str(current["href"]) == f"{path}?within={period}"


def test_the_zone_is_part_of_the_etag(browser: Browser) -> None:
    make_run(browser.workflow)
    tags = []
    for zone in (None, "UTC", LOS_ANGELES):
        live_in(browser, zone)
        tags.append(browser.runs().headers["ETag"])
    show(browser, "utc")
    tags.append(browser.runs().headers["ETag"])
    assert len(set(tags)) == 4
    assert browser.runs().status_code == 200
    unchanged = browser.open(browser.list_path, headers={"If-None-Match": browser.runs().headers["ETag"]})
    assert unchanged.status_code == 304


def test_a_new_day_of_the_reader_brings_a_new_page(evening: Browser) -> None:
    tags = []
    for hour in (6, 7, 8):
        with time_machine.travel(datetime(2026, 3, 1, hour, 30, tzinfo=UTC), tick=False):
            tags.append(evening.runs().headers["ETag"])
    assert tags[0] == tags[1] != tags[2]


def test_the_last_day_of_a_key_is_one_of_the_reader(browser: Browser) -> None:
    live_in(browser, LOS_ANGELES)
    day = (moments.now() + timedelta(days=30)).date()
    path = f"/settings/workspaces/{browser.workspace.id}/keys"
    form = {"name": "until", "scopes": "workflows:read", "expires_at": day.isoformat()}
    assert browser.client.post(path, data=form, headers=SAME).status_code == 303
    expires = db.session.scalar(sa.select(ApiKey.expires_at).where(ApiKey.name == "until"))
    assert expires is not None
    local = expires.astimezone(ZoneInfo(LOS_ANGELES))
    assert (local.date(), local.hour, local.minute) == (day, 23, 59)


def test_a_view_saved_from_a_preset_lists_the_day_on_which_it_is_opened(
    evening: Browser, sign_in: Callable[[User], FlaskClient]
) -> None:
    make_run(evening.workflow, run_number=1, created_at=moments.now() - timedelta(minutes=1))
    listed = evening.open(f"{evening.list_path}?within=today&status=completed").headers["Location"]
    link = one(parsed(evening.open(listed)), "#views .save")
    assert "within=today" in str(link["href"])
    page = parsed(evening.open(str(link["href"])))
    assert "Created on the day it is opened" in [text_of(part) for part in page.select(".view-parts li")]
    saved = evening.client.post(str(link["href"]), data={"name": "Fresh"}, headers=SAME)
    assert evening.open(saved.headers["Location"]).headers["Location"] == listed
    shown = parsed(evening.open(listed))
    assert text_of(one(shown, "#views a[aria-current=page] bdi")) == "Fresh"
    view = one(parsed(evening.open("/")), "#views a")
    with time_machine.travel(moments.now() + timedelta(days=1), tick=False):
        evening.client = sign_in(evening.user)
        make_run(evening.workflow, run_number=2, created_at=moments.now() - timedelta(minutes=1))
        later = evening.open(str(view["href"])).headers["Location"]
        assert "within=today" in later
        assert numbers(evening.open(evening.open(later).headers["Location"])) == ["#2"]
        assert numbers(evening.open(listed)) == ["#1"]
        counts = parsed(evening.open(f"/workflows/{evening.workflow.id}/views/counts", headers=HTMX))
        assert [text_of(part) for part in counts.select("hx-partial")] == ["2", "1"]
