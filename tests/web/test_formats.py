"""How things read to people."""

from datetime import UTC, datetime, timedelta

import pytest

from portal.moments import elapsed_ms
from portal.web import formats

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
    assert formats.duration_ms(milliseconds) == text


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
    assert elapsed_ms(begin, end, paused) == elapsed


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ada Lovelace", "AL"),
        ("김민수", "김"),
        ("ops@acme.example", "O"),
        ("grace.hopper@x.org", "GH"),
        ("311", "3"),
        ("lpc-u1", "LU"),
        ("(Ada)", "A"),
        ("ליאת כהן", "לכ"),
        ("e\u0301lan vital", "E\u0301V"),
        ("🎧", "?"),
        (" ", "?"),
    ],
)
def test_initials_stand_for_a_name(name: str, letters: str) -> None:
    assert formats.initials(name) == letters


@pytest.mark.parametrize(
    ("usage", "texts"),
    [
        ({"api_calls": 1525, "memory_mb": 512}, ["1,525 API calls", "512 MB memory"]),
        ({"cpu_seconds": 252.4, "queue_ms": 40}, ["4 m 12 s CPU", "40 ms queue"]),
        ({"note": "x", "ok": True, "seconds": 3}, ["3 seconds"]),
        (None, []),
    ],
)
def test_usage_reads_in_words_and_units(usage: dict[str, object] | None, texts: list[str]) -> None:
    assert formats.usage(usage) == texts


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (0, "0 %"), (1, "100 %"), (0.968, "96.8 %"), (0.99999, "99.9 %"), (0.00001, "0.1 %")],
)
def test_a_share_is_whole_only_where_it_is_exactly_so(share: float | None, text: str) -> None:
    assert formats.percent(share) == text


def test_numbers_have_their_thousands_separated() -> None:
    assert [formats.number(value) for value in (1204331, 2.0, 1234.5)] == ["1,204,331", "2", "1,234.5"]


@pytest.mark.parametrize(
    "name", ["", " ", "\u200b", "\u202e\u202e", "\u3164", "\u2800", "\u00ad", "\u0301", "\u00a0\t", None]
)
def test_a_name_that_cannot_be_seen_is_the_beginning_of_its_id(name: str | None) -> None:
    assert formats.named(name, "d2000000-0000-4000-8000-000000000000") == "Unnamed d2000000"


@pytest.mark.parametrize("name", ["a", " a ", "🎧", "–", "김", "\u200bx", "1", "ש"])
def test_a_name_with_anything_to_see_stays_as_it_is(name: str) -> None:
    assert formats.named(name, "d2") == name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10**18 - 1, "999,999,999,999,999,999"),
        (10**18, "1 × 10¹⁸"),
        (1.7976931348623157e308, "1.8 × 10³⁰⁸"),
        (-(10**4299), "-1 × 10⁴²⁹⁹"),
        (5e-324, "4.94 × 10⁻³²⁴"),
        (0.0001, "0.0001"),
        (-0.0, "0"),
    ],
)
def test_numbers_of_very_many_digits_are_powers_of_ten(value: float, text: str) -> None:
    assert formats.number(value) == text
