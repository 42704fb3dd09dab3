"""Texts as they are spoken."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.engine.media.spoken import as_spoken, is_known

EXAMPLES = [
    tuple(example.splitlines())
    for example in Path(__file__).with_name("spoken.txt").read_text("utf-8").split("\n\n")
]
"""Each with its locale, what is written, and what is said."""
LOCALES = ["en-us", "en-gb", "de-de", "fr-fr", "es-es", "es-mx", "pt-br", "pt-pt", "ja-jp", "ko-kr"]


@pytest.mark.parametrize(("locale", "text", "said"), EXAMPLES)
def test_a_text_is_written_as_it_is_spoken(locale: str, text: str, said: str) -> None:
    assert as_spoken(text, locale) == said


def test_a_number_that_is_too_long_to_be_one_is_read_digit_by_digit() -> None:
    assert as_spoken("1" * 400, "en-us") == " ".join(["one"] * 400)


def test_dates_and_times_that_are_none_are_numbers() -> None:
    assert as_spoken("99/99/2026", "en-us") == "ninety-nine/ninety-nine/two thousand twenty-six"
    assert as_spoken("77:99", "de-de") == "siebenundsiebzig:neunundneunzig"


def test_chinese_is_not_known() -> None:
    assert [locale for locale in [*LOCALES, "zh-cn"] if not is_known(locale)] == ["zh-cn"]


PIECES = st.sampled_from("0 1 2 12 2026 1999 , . : / - + % $ € ° km h am Uhr Mai May . st nd # ½ a é".split())


@given(st.lists(PIECES | st.just(" ") | st.characters(), max_size=40).map("".join), st.sampled_from(LOCALES))
def test_no_text_is_too_odd_to_be_spoken(text: str, locale: str) -> None:
    spoken = as_spoken(text, locale)
    if "@" not in text and "://" not in text and "www." not in text:
        assert not any(map(str.isdecimal, spoken))
