"""Text that every database stores."""

import re

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.input.text import NOT_BLANK_PATTERN, STORABLE_PATTERN, is_storable


@pytest.mark.parametrize(
    "text", ["", "x", " ", "é", "日本", "😀", "\x01", "\x7f", "\ufffe", "\U0010ffff", "\ud7ff"]
)
def test_text_without_nul_and_surrogates_is_storable_and_stored(app: Flask, text: str) -> None:
    assert is_storable(text)
    assert re.search(STORABLE_PATTERN, text)
    assert db.session.scalar(sa.select(sa.cast(sa.literal(text), sa.Text))) == text


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "a\udfff", "\udc00\ud800"])
def test_nul_and_surrogates_are_not(text: str) -> None:
    assert not is_storable(text)


@pytest.mark.parametrize(("text", "matches"), [("", False), (" \n", False), (" x ", True), ("x\0", False)])
def test_the_pattern_of_text_that_is_not_blank(text: str, matches: bool) -> None:
    assert bool(re.search(NOT_BLANK_PATTERN, text)) is matches
