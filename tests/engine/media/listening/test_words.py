"""Two texts that sound the same do not differ."""

import pytest

from portal.engine.media.listening.words import MAX_CHARACTERS, NotComparable, difference


@pytest.mark.parametrize(
    ("locale", "script", "transcript"),
    [
        ("en-us", "Hello, World!", "hello world"),
        ("en-us", "Don’t stop — ever.", "dont stop ever"),
        ("en-us", "ﬁne ＡＢＣ", "fine abc"),
        ("en-us", "I have 23 apples.", "I have twenty-three apples"),
        ("en-us", "In 1999, 50% of it", "in nineteen ninety nine fifty percent of it"),
        ("en-us", "In 1999", "in one thousand nine hundred and ninety nine"),
        ("en-us", "105", "one hundred and five"),
        ("en-us", "105", "one hundred five"),
        ("en-us", "1,234.5 miles", "one thousand two hundred thirty four point five miles"),
        ("en-us", "on the 23rd", "on the twenty third"),
        ("en-us", "it costs $5", "it costs five dollars"),
        ("en-us", "at 10:30", "at ten thirty"),
        ("en-gb", "you & me", "you and me"),
        ("de-de", "Straße 12", "strasse zwölf"),
        ("de-de", "1.234,5 Kilo", "eintausendzweihundertvierunddreißig Komma fünf Kilo"),
        ("de-de", "im Jahr 1999", "im Jahr neunzehnhundertneunundneunzig"),
        ("de-de", "10.30 Uhr", "zehn dreißig Uhr"),
        ("fr-fr", "21 pour cent", "vingt et un %"),
        ("pt-br", "16 anos", "dezesseis anos"),
        ("pt-pt", "16 anos", "dezasseis anos"),
        ("es-mx", "Año 2000", "año dos mil"),
        ("ja-jp", "今日は23日です。", "今日は二十三日です"),
        ("zh-cn", "你好，世界！", "你好 世界"),
    ],
)
def test_what_sounds_the_same_does_not_differ(locale: str, script: str, transcript: str) -> None:
    assert difference(script, transcript, locale).wer == 0
    assert difference(transcript, script, locale).cer == 0


def test_errors_are_counted() -> None:
    found = difference("one two three four", "one too three four five", "en-us")
    assert (found.substitutions, found.insertions, found.deletions, found.words) == (1, 1, 0, 4)
    assert found.wer == 0.5
    assert 0 < found.cer < found.wer


def test_silence_misses_every_word() -> None:
    found = difference("a b c", "", "en-us")
    assert (found.wer, found.deletions) == (1, 3)


def test_much_more_than_was_written_is_more_than_all_wrong() -> None:
    assert difference("a", "b c d", "en-us").wer == 3


def test_characters_count_where_no_spaces_are_written() -> None:
    assert difference("今日は晴れ", "今日は雨", "ja-jp").words == 5


@pytest.mark.parametrize("script", ["", "…!", "- - -"])
def test_a_script_without_words_is_not_compared(script: str) -> None:
    with pytest.raises(NotComparable, match="no word"):
        difference(script, "hello", "en-us")


def test_very_long_texts_are_not_compared() -> None:
    with pytest.raises(NotComparable, match="more than"):
        difference("word " * MAX_CHARACTERS, "word", "en-us")
    assert difference("word", "word " * MAX_CHARACTERS, "en-us").wer > 1_000


def test_digits_without_end_stay_digits() -> None:
    assert difference("9" * 3_000, "9" * 3_000, "en-us").words == 1
