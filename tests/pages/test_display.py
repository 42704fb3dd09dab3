"""How things read to people."""

from datetime import UTC, datetime, timedelta

import pytest

from portal import display

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (999, "999 ms"),
        (41_000, "41 s"),
        (252_000, "4 m 12 s"),
        (3_660_000, "1 h 01 m"),
        (97_200_000, "1 d 03 h"),
    ],
)
def test_durations_read_in_their_two_largest_units(milliseconds: int | None, text: str) -> None:
    assert display.duration_ms(milliseconds) == text


@pytest.mark.parametrize(
    ("begin", "end", "paused", "elapsed"),
    [
        (NOON, NOON + timedelta(seconds=2), None, 2000),
        (NOON, NOON + timedelta(seconds=2), 500, 1500),
        (NOON, NOON - timedelta(seconds=2), None, None),
        (None, NOON, None, None),
        (NOON, None, None, None),
    ],
)
def test_elapsed_time_is_said_only_where_it_makes_sense(
    begin: datetime | None, end: datetime | None, paused: int | None, elapsed: int | None
) -> None:
    assert display.elapsed_ms(begin, end, paused) == elapsed


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ada Lovelace", "AL"),
        ("김민수", "김"),
        ("ops@acme.example", "O"),
        ("grace.hopper@x.org", "GH"),
        ("311", "3"),
        (" ", "?"),
    ],
)
def test_initials_stand_for_a_name(name: str, letters: str) -> None:
    assert display.initials(name) == letters


def test_usage_shows_a_count_and_how_many_more_there_are() -> None:
    assert display.usage({"api_calls": 1525, "memory_mb": 512, "note": "x"}) == "1,525 API calls, 1 more"
    assert display.usage(None) == display.usage({"note": "x"}) == "–"


def test_numbers_have_their_thousands_separated() -> None:
    assert [display.number(value) for value in (1204331, 2.0, 1234.5)] == ["1,204,331", "2", "1,234.5"]
