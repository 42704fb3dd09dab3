"""Cron expressions: what is refused, and when they come."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.engine.control.schedules.expressions import (
    comes_within_years,
    expression,
    moments_after,
    next_moments,
)
from portal.input.parameters import Refused
from portal.input.time_zones import places

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def local_times(cron: str, day: datetime, count: int, zone: str = "Europe/Berlin") -> list[str]:
    """The moments from this midnight on, with their offsets, in hours."""
    coming = next_moments(cron, zone, day - timedelta(seconds=1), count)
    return [f"{moment.astimezone(ZoneInfo(zone)):%d %H:%M %z}"[:-2] for moment in coming]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("30 6 * * mon-fri", "30 6 * * MON-FRI"),
        ("  0\t0  1   1 * ", "0 0 1 1 *"),
        ("*/5 * * * *", "*/5 * * * *"),
        ("* * * * *", "* * * * *"),
        ("0 0 L * *", "0 0 L * *"),
        ("0 0 * * FRI#2", "0 0 * * FRI#2"),
        ("0 9 * * 7", "0 9 * * 7"),
    ],
)
def test_an_expression_is_read_with_single_spaces(text: str, read: str) -> None:
    assert expression(text) == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must have five fields"),
        ("0 6 * *", "must have five fields"),
        ("0 0 6 * * *", "More often than once a minute is not possible"),
        ("@daily", "must have five fields"),
        ("0 " * 40 + "* * * *", "at most 100 characters"),
        ("0 6 * * \u017fUN", "must have five fields"),
        ("61 6 * * *", "has 61 as minute, which must be 0 to 59"),
        ("*/0 6 * * *", "has */0 as minute"),
        ("0 24 * * *", "has 24 as hour, which must be 0 to 23"),
        ("0 6 32 * *", "has 32 as day of the month"),
        ("0 6 * FOO *", "has FOO as month, which must be 1 to 12 or JAN to DEC"),
        ("0 6 * * 5-1", "has 5-1 as day of the week"),
        (f"{'9' * 60} 6 * * *", f"has {'9' * 20} as minute"),
        ("0 0 30 2 *", "must name a day that one of its months has"),
    ],
)
def test_a_bad_expression_is_refused_with_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(Refused) as refusal:
        expression(text)
    assert said in str(refusal.value)


@given(st.lists(st.text("0123456789*/-,#LWMONFRIJAN", min_size=1, max_size=6), min_size=5, max_size=5))
def test_any_text_is_refused_or_comes(fields: list[str]) -> None:
    try:
        cron = expression(" ".join(fields))
    except Refused:
        return
    coming = next_moments(cron, "Europe/Berlin", NOW, 3)
    assert coming == sorted(set(coming))
    assert all(moment > NOW for moment in coming)


def test_a_day_that_comes_every_four_years_comes_but_not_a_sunday_that_comes_every_28() -> None:
    assert comes_within_years("0 0 29 2 *", "UTC", NOW)
    assert not comes_within_years("0 0 29 2 */7", "UTC", datetime(2033, 1, 1, tzinfo=UTC))


def test_in_spring_a_time_of_day_in_the_skipped_hour_comes_right_after_it() -> None:
    day = datetime(2026, 3, 29, tzinfo=BERLIN)
    assert local_times("30 2 * * *", day, 2) == ["29 03:00 +02", "30 02:30 +02"]
    assert local_times("0,30 2 * * *", day, 2) == ["29 03:00 +02", "30 02:00 +02"]


def test_in_spring_what_follows_the_clock_leaves_the_skipped_hour_out() -> None:
    day = datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN)
    assert local_times("*/30 * * * *", day, 3) == ["29 01:30 +01", "29 03:00 +02", "29 03:30 +02"]
    assert local_times("*/30 2 * * *", day, 1) == ["30 02:00 +02"]


def test_in_autumn_a_time_of_day_in_the_repeated_hour_comes_once() -> None:
    day = datetime(2026, 10, 25, tzinfo=BERLIN)
    assert local_times("30 2 * * *", day, 2) == ["25 02:30 +02", "26 02:30 +01"]


def test_in_autumn_what_follows_the_clock_comes_in_both_hours() -> None:
    day = datetime(2026, 10, 25, 2, tzinfo=BERLIN)
    assert local_times("30 * * * *", day, 3) == ["25 02:30 +02", "25 02:30 +01", "25 03:30 +01"]


def test_asked_within_the_second_of_two_hours_the_first_is_past() -> None:
    within = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    [first] = next_moments("30 2 * * *", "Europe/Berlin", within, 1)
    assert first == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_where_clocks_skip_midnight_what_follows_the_clock_leaves_it_out() -> None:
    """Chile's clocks skip the hour after midnight."""
    day = datetime(2026, 9, 5, 23, 50, tzinfo=ZoneInfo("America/Santiago"))
    assert local_times("*/30 0 * * *", day, 2, "America/Santiago") == ["07 00:00 -03", "07 00:30 -03"]
    assert local_times("0 0 * * *", day, 2, "America/Santiago") == ["06 01:00 -03", "07 00:00 -03"]


@pytest.mark.parametrize("cron", ["*/20 * * * *", "10 1,2,3 * * *", "0 */2 * * *", "15 0 * * SUN"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "UTC"])
def test_moments_are_the_same_wherever_one_begins(cron: str, zone: str) -> None:
    coming = next_moments(cron, zone, datetime(2026, 10, 3, tzinfo=UTC), 60)
    for index, moment in enumerate(coming[:-1]):
        assert next(moments_after(cron, zone, moment)) == coming[index + 1]
        between = moment + (coming[index + 1] - moment) / 2
        assert next(moments_after(cron, zone, between)) == coming[index + 1]


def test_zones_are_offered_by_area_with_their_places_in_words() -> None:
    assert places()["Europe"]["Europe/Berlin"] == "Berlin"
    assert places()["America"]["America/Argentina/Buenos_Aires"] == "Argentina: Buenos Aires"
    assert "Etc" not in places()
