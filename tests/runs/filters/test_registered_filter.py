"""A new filter is one class and one entry of a list: then it is everywhere."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from portal.auth.access import SeenWorkflow
from portal.database.models import Run
from portal.input import parameters
from portal.input.parameters import Reader
from portal.runs.counts.reading import count_by_status
from portal.runs.filters.filter import Chip, Filter, Schema
from portal.runs.filters.registry import FILTERS
from portal.runs.listing.changes_since import read_changes
from portal.runs.listing.neighbours import find_neighbours
from portal.runs.query import ORDERS, SORTS, RunQuery
from tests.factories import NOON, make_key, make_run
from tests.pages.conftest import Browser, browser, numbers, one, parsed

__all__ = ["browser"]

REFUSAL = "must be a whole number from 1 to 1000."


class NumberFilter(Filter[int | None, bool]):
    """Runs from this number on."""

    schemas: ClassVar[Mapping[str, Schema]] = {"min_number": {"type": "integer", "minimum": 1}}
    labels: ClassVar[Mapping[str, str]] = {"min_number": "Number from"}
    empty = None

    def read(self, reader: Reader) -> int | None:
        return reader.read("min_number", lambda text: parameters.whole_number(text, 1, 1000, REFUSAL), None)

    def write(self, value: int | None) -> dict[str, str]:
        return {"min_number": str(value or "")}

    def chips(self, value: int | None) -> list[Chip[int | None]]:
        return [Chip("Number from", f"#{value}", None)] if value else []

    def shape(self, value: int | None) -> bool:
        return value is not None

    def conditions(self, shape: bool) -> list[sa.ColumnElement[bool]]:
        return [Run.run_number >= sa.bindparam("min_number")]

    def values(self, value: int | None, workspace_id: UUID) -> dict[str, object]:
        return {"min_number": value}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    number = NumberFilter()
    FILTERS.append(number)
    yield
    FILTERS.remove(number)


@pytest.fixture
def runs(browser: Browser) -> list[Run]:
    statuses = ("failed", "completed", "failed", "completed", "completed")
    return [
        make_run(browser.workflow, run_number=n, status=status, created_at=NOON + timedelta(minutes=n))
        for n, status in enumerate(statuses, start=1)
    ]


def query_of(browser: Browser, **args: str) -> RunQuery:
    return RunQuery.parse(args, workflow_id=str(browser.workflow.id))


def seen(browser: Browser) -> SeenWorkflow:
    return browser.workflow  # type: ignore[return-value]


@pytest.mark.slow
def test_page_and_fragment_list_what_matches(browser: Browser, runs: list[Run]) -> None:
    for answer in (browser.runs("min_number=3"), browser.fragment("min_number=3")):
        assert numbers(answer) == ["#5", "#4", "#3"]
        assert one(parsed(answer), "#min_number")["value"] == "3"
        assert "Number from" in answer.text
        assert one(parsed(answer), "#count-failed").text == "1"
    assert numbers(browser.runs("min_number=4&status=completed&limit=1&offset=1")) == ["#4"]
    assert len(numbers(browser.runs("min_number="))) == 5
    refused = browser.runs("min_number=none")
    assert refused.status_code == 422
    assert REFUSAL in refused.text


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("order", ORDERS)
def test_every_order_has_what_matches(browser: Browser, runs: list[Run], sort: str, order: str) -> None:
    answer = browser.runs(f"min_number=3&sort={sort}&order={order}")
    assert sorted(numbers(answer)) == ["#3", "#4", "#5"]


def test_counts_neighbours_and_changes_heed_it(browser: Browser, runs: list[Run]) -> None:
    for least, failed, completed in (("3", 1, 2), ("5", 0, 1)):  # one statement, other values
        counts = count_by_status(seen(browser), query_of(browser, min_number=least))
        assert (counts["failed"], counts["completed"]) == (failed, completed)
    query = query_of(browser, min_number="4")
    found = find_neighbours(seen(browser), query, runs[3].id)
    assert found.previous is not None
    assert (found.previous.run_number, found.next) == (5, None)
    changes = read_changes(seen(browser), query, [], -1)
    assert (changes.counts["completed"], changes.in_all, changes.new) == (2, 5, 2)


def test_links_keep_it(browser: Browser) -> None:
    query = query_of(browser, min_number="3")
    assert query.filtered
    assert query.to_args() == {"min_number": "3"}
    assert query.to_api_args()["min_number"] == "3"


def test_the_api_lists_counts_and_refuses_by_it(browser: Browser, runs: list[Run]) -> None:
    key = make_key(browser.workspace, browser.user)

    def get(query: str) -> TestResponse:
        path = f"/api/v1{browser.list_path}?{query}"
        client = browser.client.application.test_client()
        return client.get(path, headers={"Authorization": f"Bearer {key}"})

    body = get("min_number=3&limit=2").get_json()
    assert [row["run_number"] for row in body["data"]] == [5, 4]
    assert body["pagination"]["total"] == 3
    assert "min_number=3" in body["pagination"]["next"]
    refused = get("min_number=none")
    assert refused.status_code == 422
    assert REFUSAL in refused.text


def test_the_documentation_has_it(browser: Browser) -> None:
    document = browser.client.application.test_client().get("/openapi.json").get_json()
    listing = document["paths"]["/api/v1/workflows/{workflow_id}/runs"]["get"]
    found = {each["name"]: each["schema"] for each in listing["parameters"] if "name" in each}
    assert found["min_number"] == {"type": "integer", "minimum": 1}
    assert {"status", "search", "from", "to"} <= found.keys()
