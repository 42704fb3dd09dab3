"""A window that ends now: where it begins, what it refuses, its words, and how answers move with it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import time_machine

from portal.errors import InvalidQuery
from portal.runs.filters.created import within_words
from portal.runs.listing import list_runs
from portal.runs.query import RunQuery
from tests.factories import NOON, make_key, make_run, seen
from tests.pages.conftest import HTMX, Browser, browser, numbers, one, parsed, text_of

__all__ = ["browser"]

NOW = NOON + timedelta(hours=5, seconds=42, microseconds=7)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def parse(**asked: str) -> RunQuery:
    return RunQuery.parse(asked, workflow_id="67b83426-5797-57c9-9545-522b6cd26e1b")


@pytest.mark.parametrize(
    ("within", "begin"),
    [
        ("1m", NOON + timedelta(hours=4, minutes=59)),
        ("90m", NOON + timedelta(hours=3, minutes=30)),
        ("5h", NOON),
        ("005h", NOON),
        ("7d", NOON - timedelta(days=7, hours=-5)),
        ("2w", NOON - timedelta(days=14, hours=-5)),
        ("3660d", NOON - timedelta(days=3660, hours=-5)),
        ("5270400m", NOON - timedelta(days=3660, hours=-5)),
    ],
)
@pytest.mark.usefixtures("clock")
def test_it_begins_on_a_whole_minute(within: str, begin: datetime) -> None:
    query = parse(within=within)
    assert (query.created_from, query.created_to, query.moving) == (begin, None, begin)
    assert query.to_args() == {"within": within.lstrip("0")}
    assert parse(**{str(name): str(text) for name, text in query.to_api_args().items()}).created_from == begin


@pytest.mark.parametrize(
    "within", ["", "0h", "h", "24", "24H", "-1h", "1.5h", "1y", " 1h", "²h", "3661d", "523w", "9" * 30 + "m"]
)
def test_other_times_are_refused_in_words(within: str) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        parse(within=within)
    [error] = refusal.value.errors
    assert error.field == "within"
    assert error.message == "must be a number and m, h, d or w, such as 24h or 7d, up to 3660d."


@pytest.mark.parametrize("name", ["from", "to"])
def test_it_does_not_go_together_with_moments(name: str) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        parse(within="1h", **{name: "2026-03-01T12:00:00Z"})
    assert [str(error.message) for error in refusal.value.errors] == [
        "must not be given together with from or to."
    ]


def test_it_is_said_in_words() -> None:
    assert within_words("1h") == "in the last hour"
    assert within_words("24h") == "in the last 24 hours"
    assert within_words("1w") == "in the last week"
    assert within_words("5000m") == "in the last 5,000 minutes"


def test_lists_have_the_runs_since_then(clock: time_machine.Traveller, browser: Browser) -> None:
    for number, at in enumerate((NOON, NOON - timedelta(microseconds=1), NOW), start=1):
        make_run(browser.workflow, run_number=number, created_at=at, status="failed")

    def listed(**asked: str) -> list[int]:
        query = RunQuery.parse(asked, workflow_id=str(browser.workflow.id))
        page = list_runs(seen(browser.workflow), query)
        assert page.total == len(page.rows) == page.counts["failed"]
        return [row.run_number for row in page.rows]

    assert listed(within="5h") == [3, 1]
    assert sorted(listed(within="1d", status="failed", sort="status")) == [1, 2, 3]
    assert numbers(browser.runs("within=5h")) == ["#3", "#1"]
    clock.shift(timedelta(seconds=17))
    assert listed(within="5h") == [3, 1]
    clock.shift(timedelta(seconds=1))
    assert listed(within="5h") == [3]


def test_answers_change_when_the_minute_does(clock: time_machine.Traveller, browser: Browser) -> None:
    run = make_run(browser.workflow, created_at=NOON)
    paths = {
        f"{browser.list_path}?within=5h": {},
        f"{browser.list_path}/table?within=5h": HTMX,
        f"{browser.list_path}/live?within=5h": HTMX,
        f"{browser.list_path}/{run.id}?within=5h": {},
    }
    marks = {path: browser.open(path, headers=headers).headers["ETag"] for path, headers in paths.items()}

    def statuses() -> set[int]:
        return {
            browser.open(path, headers=headers | {"If-None-Match": marks[path]}).status_code
            for path, headers in paths.items()
        }

    clock.shift(timedelta(seconds=17))
    assert statuses() == {304}
    clock.shift(timedelta(seconds=1))
    assert statuses() == {200}
    live = browser.open(f"{browser.list_path}/live?within=5h&since=0", headers=HTMX)
    assert ">0</hx-partial>" in "".join(live.text.split("count-completed")[1:])


@pytest.mark.usefixtures("clock")
def test_links_and_the_form_keep_it(browser: Browser) -> None:
    make_run(browser.workflow, created_at=NOON)
    page = parsed(browser.runs("within=24h&from=&to="))
    assert text_of(one(page, "#within option[selected]")) == "In the last 24 hours"
    assert "open" in one(page, "#more-filters").attrs
    for selector in ("#runs tbody a.run", "#sort-status"):
        assert ("within", "24h") in parse_qsl(urlsplit(str(one(page, selector)["href"])).query)
    assert one(parsed(browser.runs("within=36h")), "#within option[selected]")["value"] == "36h"
    assert numbers(browser.runs("within=")) == numbers(browser.runs())
    empty = parsed(browser.runs("within=1m"))
    assert "in the last minute" in text_of(one(empty, ".facets"))
    assert parse_qsl(urlsplit(str(one(empty, ".facets a")["href"])).query) == []
    refused = browser.runs("within=24h&from=2026-03-01")
    assert refused.status_code == 422
    assert "must not be given together with from or to." in refused.text


@pytest.mark.usefixtures("clock")
def test_the_api_takes_it_and_its_links_keep_it(browser: Browser) -> None:
    for _ in range(2):
        make_run(browser.workflow, created_at=NOON)
    headers = {"Authorization": f"Bearer {make_key(browser.workspace, browser.user)}"}
    client = browser.client.application.test_client()
    path = f"/api/v1{browser.list_path}"
    answer = client.get(f"{path}?within=300m&limit=1", headers=headers).get_json()["pagination"]
    assert answer["total"] == 2
    assert parse_qsl(urlsplit(answer["next"]).query)[-1] == ("within", "300m")
    assert client.get(f"{path}?within=299m", headers=headers).get_json()["pagination"]["total"] == 0
    assert client.get(f"{path}?within=1h&to=2026-03-01T12:00:00Z", headers=headers).status_code == 422
    documents = client.get("/openapi.json").get_json()["paths"]
    listing = documents["/api/v1/workflows/{workflow_id}/runs"]["get"]["parameters"]
    summary = documents["/api/v1/workflows/{workflow_id}/runs/summary"]["get"]["parameters"]
    assert [any(each.get("name") == "within" for each in of) for of in (listing, summary)] == [True, False]
