"""What a command wrote becomes plain text, within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.ingest.terminal_output import plain_text
from portal.input.text import is_storable

ESC = "\x1b"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("plain\n\ttext\n", "plain\n\ttext\n"),
        (f"{ESC}[1;31merror{ESC}[0m: no", "error: no"),
        (f"{ESC}]0;a title\x07text", "text"),
        (f"{ESC}]8;;https://a.example{ESC}\\link{ESC}]8;;{ESC}\\", "link"),
        (f"{ESC}(B{ESC}7up{ESC}M", "up"),
        (f"{ESC}[", ""),
        (f"a{ESC}", "a"),
        ("10 %\r20 %\r100 %\r\ndone\r\n", "100 %\ndone\n"),
        ("a\x00b\x07c\x08d\x7fe\x9bf", "abcdef"),
    ],
)
def test_it_reads_as_on_the_screen(written: str, kept: str) -> None:
    assert plain_text(written.encode(), 1000) == kept


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert plain_text(b"\xff\xfe ok", 1000) == "\ufffd\ufffd ok"


def test_the_end_is_kept_without_half_a_character() -> None:
    assert plain_text("é€🎧".encode(), 6) == "🎧"
    assert plain_text(b"abcdef", 3) == "def"
    assert plain_text(b"abc", 0) == ""


@given(st.binary(max_size=300), st.integers(0, 300))
def test_whatever_is_written_can_be_stored(raw: bytes, most: int) -> None:
    kept = plain_text(raw, most)
    assert is_storable(kept)
    assert len(kept) <= most
    assert not any(ord(letter) < 32 and letter not in "\n\t" for letter in kept)


def test_many_beginnings_of_sequences_take_no_time() -> None:
    assert len(plain_text(f"{ESC}]".encode() * 50_000, 100_000)) <= 100_000
