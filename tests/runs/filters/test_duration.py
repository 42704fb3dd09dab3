"""The filter by duration: how it is written and refused, rows, exact counts, words, fields and links."""

from typing import Any

import pytest

from portal.database.models import Run
from portal.errors import InvalidQuery
from portal.runs.counts.reading import count_by_status
from portal.runs.filters.duration import DURATION
from portal.runs.listing import list_runs
from portal.runs.query import RunQuery
from tests.factories import make_run, seen, uuid_of
from tests.pages.conftest import Browser, browser, numbers, one, parsed

__all__ = ["browser"]

DURATIONS = (None, 0, 1500, 90_000, 5_400_000, 90_000_000)


@pytest.mark.parametrize(
    ("text", "milliseconds", "written", "words"),
    [
        ("90s", 90_000, "1m30s", "1 m 30 s"),
        ("5m", 300_000, "5m", "5 m"),
        ("1h30m", 5_400_000, "1h30m", "1 h 30 m"),
        ("1d", 86_400_000, "1d", "1 d"),
        ("1500", 1500, "1500", "1,500 ms"),
        ("2000", 2000, "2s", "2 s"),
        ("0", 0, "0", "0 ms"),
        ("0s", 0, "0", "0 ms"),
        ("9" * 15, 10**15 - 1, "9" * 15, "999,999,999,999,999 ms"),
    ],
)
def test_a_duration_is_read_and_written(text: str, milliseconds: int, written: str, words: str) -> None:
    query = RunQuery.parse({"min_duration": text}, workflow_id=str(uuid_of(1)))
    assert query.min_duration == milliseconds
    assert query.to_args() == {"min_duration": written}
    assert RunQuery.parse(query.to_args(), workflow_id=str(uuid_of(1))) == query
    [chip] = DURATION.chips((milliseconds, None))
    assert (chip.label, chip.words, chip.without) == ("Took at least", words, (None, None))


@pytest.mark.parametrize(
    "text", ["", " 5m", "m", "-1", "1.5h", "5M", "30m1h", "5m5m", "٣m", "1e3", "9" * 16, "10000000d", "1 h"]
)
def test_what_is_no_duration_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        RunQuery.parse({"max_duration": text}, workflow_id=str(uuid_of(1)))
    [error] = refusal.value.errors
    assert error.field == "max_duration"
    assert error.message.startswith("must be a duration such as 90s, 5m or 1h30m")


@pytest.mark.parametrize("text", ["9999999d99999999h999999999m99999999999s", "9" * 15, "99999999h"])
def test_the_longest_durations_are_written_as_they_can_be_read(text: str) -> None:
    query = RunQuery.parse({"min_duration": text}, workflow_id=str(uuid_of(1)))
    again = RunQuery.parse(query.to_args(), workflow_id=str(uuid_of(1)))
    assert again.min_duration == query.min_duration


def test_a_range_that_is_upside_down_is_refused() -> None:
    with pytest.raises(InvalidQuery) as refusal:
        RunQuery.parse({"min_duration": "5m", "max_duration": "299999"}, workflow_id=str(uuid_of(1)))
    assert [each.field for each in refusal.value.errors] == ["min_duration"]


@pytest.fixture
def runs(browser: Browser) -> list[Run]:
    statuses = ("running", "failed", "completed", "completed", "failed", "cancelled")
    return [
        make_run(browser.workflow, run_number=number, status=status, duration_ms=duration)
        for number, (status, duration) in enumerate(zip(statuses, DURATIONS, strict=True), start=1)
    ]


@pytest.mark.usefixtures("runs")
def test_runs_within_are_listed_and_counted_and_those_without_a_duration_never(browser: Browser) -> None:
    def listed(**asked: str) -> list[int]:
        query = RunQuery.parse(asked | {"sort": "duration"}, workflow_id=str(browser.workflow.id))
        page = list_runs(seen(browser.workflow), query)
        assert page.total == len(page.rows)
        return [row.run_number for row in page.rows]

    assert listed() == [6, 5, 4, 3, 2, 1]
    assert listed(order="asc") == [2, 3, 4, 5, 6, 1]
    assert listed(min_duration="0") == [6, 5, 4, 3, 2]
    assert listed(min_duration="1500", max_duration="90s", order="asc") == [3, 4]
    assert listed(min_duration="1501", max_duration="1h30m") == [5, 4]
    assert listed(max_duration="1h30m", status="failed") == [5, 2]
    assert listed(max_duration="1h30m", status="running") == []
    query = RunQuery.parse({"max_duration": "90s"}, workflow_id=str(browser.workflow.id))
    counts = count_by_status(seen(browser.workflow), query)
    assert {status: count for status, count in counts.items() if count} == {"completed": 2, "failed": 1}


@pytest.mark.usefixtures("runs")
def test_the_page_has_fields_chips_and_a_sortable_column(browser: Browser) -> None:
    assert numbers(browser.runs("min_duration=&max_duration=")) == numbers(browser.runs())
    answer = browser.runs("min_duration=90s&max_duration=2h&sort=duration&order=asc")
    assert numbers(answer) == ["#4", "#5"]
    page: Any = parsed(answer)
    assert one(page, "#min_duration")["value"] == "1m30s"
    assert one(page, "th[aria-sort]").get_text(strip=True).startswith("Duration")
    assert one(page, "th[aria-sort]")["aria-sort"] == "ascending"
    assert one(page, "#sort option[selected]")["value"] == "duration"
    assert "min_duration=1m30s" in one(page, ".api-call pre code").get_text()
    none = parsed(browser.runs("min_duration=30d"))
    assert "Took at least 30 d" in one(none, ".facets").get_text(" ", strip=True)
    refused = browser.runs("min_duration=soon")
    assert refused.status_code == 422
    assert one(parsed(refused), "#min_duration")["aria-invalid"] == "true"
