"""When runs are expected, in words, and when they are late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.engine.control.schedules.cron_words import in_words, period_in_words
from portal.engine.control.schedules.expectations import MAX_SECONDS, Expectation, late_of
from portal.engine.control.schedules.expressions import expression
from portal.errors import InvalidQuery
from tests.factories import NOON

HOUR = timedelta(hours=1)
NIGHTLY: dict[str, Any] = {"cron": "0 2 * * *", "zone": "Europe/Berlin", "grace": 3600}
TWO_IN_BERLIN = datetime(2026, 3, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 2 * * *", "every day at 02:00 (Europe/Berlin)"),
        ("5 14 * * MON", "every Monday at 14:05 (Europe/Berlin)"),
        ("30 6 * * MON-FRI", "from Monday to Friday at 06:30 (Europe/Berlin)"),
        ("30 6 * * 1-5", "from Monday to Friday at 06:30 (Europe/Berlin)"),
        ("0 0 * * 0,3,SAT", "every Sunday, Wednesday and Saturday at 00:00 (Europe/Berlin)"),
        ("0 0 * * 7", "every Sunday at 00:00 (Europe/Berlin)"),
        ("0 0 1 * *", "on day 1 of every month at 00:00 (Europe/Berlin)"),
        ("0 0 L * *", "on the last day of every month at 00:00 (Europe/Berlin)"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/1 * * * *", "every minute"),
        ("5 * * * *", "every hour at minute 5"),
        ("*/7 * * * *", "by */7 * * * * (Europe/Berlin)"),
        ("0 */2 * * *", "by 0 */2 * * * (Europe/Berlin)"),
        ("0 2 1 1 *", "by 0 2 1 1 * (Europe/Berlin)"),
        ("0 2 * * MON#2", "by 0 2 * * MON#2 (Europe/Berlin)"),
        ("0 2 13 * FRI", "by 0 2 13 * FRI (Europe/Berlin)"),
        ("0,30 2 * * *", "by 0,30 2 * * * (Europe/Berlin)"),
    ],
)
def test_common_expressions_are_said_in_words_and_others_quoted(cron: str, words: str) -> None:
    assert in_words(expression(cron), "Europe/Berlin") == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (60, "every minute"),
        (90, "every 90 seconds"),
        (900, "every 15 minutes"),
        (3600, "every hour"),
        (7200, "every 2 hours"),
        (86_400, "every day"),
        (7 * 86_400, "every 7 days"),
    ],
)
def test_a_period_is_said_in_its_largest_unit(seconds: int, words: str) -> None:
    assert period_in_words(seconds) == words


@pytest.mark.parametrize(
    ("values", "bad"),
    [
        ({}, ["cron"]),
        ({"grace": 60}, ["cron"]),
        ({"cron": "0 2 * * *", "period": 60}, ["cron"]),
        ({"cron": "0 2 * *"}, ["cron"]),
        ({"cron": 7}, ["cron"]),
        ({"cron": "0 0 30 2 *"}, ["cron"]),
        ({"cron": "0 2 * * *", "zone": "Mars/Base", "grace": -1}, ["zone", "grace"]),
        ({"period": 59}, ["period"]),
        ({"period": MAX_SECONDS + 1}, ["period"]),
        ({"period": True}, ["period"]),
        ({"period": "60"}, ["period"]),
        ({"period": 60, "grace": 1.5}, ["grace"]),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, object], bad: list[str]) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        Expectation.parse(values)
    assert [error.field for error in refusal.value.errors] == bad


@pytest.mark.parametrize(
    "values", [NIGHTLY, {"period": 900, "grace": 0}, {"cron": "0 2 * * *", "zone": "UTC", "grace": 5}]
)
def test_what_is_stored_is_read_again(values: dict[str, object]) -> None:
    assert Expectation.parse(values).to_json() == values


@pytest.mark.parametrize(
    ("last", "now", "is_late"),
    [
        (TWO_IN_BERLIN, TWO_IN_BERLIN + 24 * HOUR, False),
        (TWO_IN_BERLIN, TWO_IN_BERLIN + 24.9 * HOUR, False),
        (TWO_IN_BERLIN, TWO_IN_BERLIN + 25 * HOUR, True),
        (TWO_IN_BERLIN - timedelta(seconds=50), TWO_IN_BERLIN + 2 * HOUR, False),
        (TWO_IN_BERLIN - timedelta(minutes=2), TWO_IN_BERLIN + 2 * HOUR, True),
        (TWO_IN_BERLIN + 9 * HOUR, TWO_IN_BERLIN + 2 * HOUR, False),
        (None, TWO_IN_BERLIN + 0.9 * HOUR, False),
        (None, TWO_IN_BERLIN + HOUR, True),
    ],
)
def test_a_run_is_late_when_the_grace_went_by(last: datetime | None, now: datetime, is_late: bool) -> None:
    late = late_of(NIGHTLY, last, TWO_IN_BERLIN - 5 * HOUR, now)
    assert (late is not None) == is_late
    if late is not None:
        assert late.last_at == last
        assert late.due_at <= now - HOUR
        assert late.expected == "every day at 02:00 (Europe/Berlin)"


def test_a_period_begins_with_the_latest_run() -> None:
    hourly = {"period": 3600, "grace": 600}
    assert late_of(hourly, NOON, NOON, NOON + timedelta(minutes=69)) is None
    late = late_of(hourly, NOON, NOON, NOON + timedelta(minutes=70))
    assert late is not None
    assert (late.expected, late.due_at) == ("every hour", NOON + HOUR)


@given(
    st.dictionaries(
        st.sampled_from(("cron", "zone", "period", "grace")),
        st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(("* * * * *", "0 0 29 2 *", "UTC")),
    ),
    st.none() | st.datetimes(timezones=st.just(UTC)),
    st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 2), max_value=datetime(2500, 1, 1)),
)
def test_whatever_is_stored_does_not_break_a_page(
    stored: dict[str, object], last: datetime | None, now: datetime
) -> None:
    late = late_of(stored, last, NOON, now)
    assert late is None or late.due_at <= now
