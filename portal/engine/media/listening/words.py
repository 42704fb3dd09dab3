"""How far two texts differ by ear: what is only written differently, such as numbers, does not count."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import jiwer
from num2words import num2words

MAX_CHARACTERS = 20_000
"""Of each text; comparing takes memory by the product of both."""
_UNSPACED = ("ja", "zh")
"""Languages that write no spaces: each character counts as a word."""
_POINTED = ("en", "ja", "ko", "zh")
"""Languages that write 1,000.5; the others write 1.000,5."""
_SYMBOLS = {
    "de": {"%": "prozent", "&": "und"},
    "en": {"%": "percent", "&": "and"},
    "es": {"%": "por ciento", "&": "y"},
    "fr": {"%": "pour cent", "&": "et"},
    "pt": {"%": "por cento", "&": "e"},
}
_CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds"}
_NUMBER = re.compile(r"(?<![0-9])[0-9]{1,15}(?![0-9])(?:[.,][0-9]{1,15}(?![0-9]))*")
_ORDINAL = re.compile(r"\b([0-9]{1,15})(?:st|nd|rd|th)\b")
_PRICE = re.compile(rf"([{''.join(_CURRENCIES)}])\s?({_NUMBER.pattern})")
_AFTER_HUNDRED = re.compile(r"\b(hundred|thousand|million) and\b")
_FIRST_YEAR, _LAST_YEAR = 1100, 2099

_Kind = Literal["cardinal", "ordinal", "year"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    wer: float
    """Wrong words to words of the script; more than 1 where more is heard than was written."""
    cer: float
    """The same of characters."""
    substitutions: int
    insertions: int
    deletions: int
    words: int
    """Of the script."""


class NotComparable(ValueError):
    """A script with which nothing can be compared; the message says why."""


def difference(script: str, transcript: str, locale: str) -> Difference:
    """How a transcript differs from a script in a locale such as `en-us`. Raises NotComparable.

    A number may be read in several ways; those count that fit best.
    """
    scripts, transcripts = (dict.fromkeys(_readings(text, locale)) for text in (script, transcript))
    if not all(scripts):
        raise NotComparable("There is no word in this line.")
    if any(len(said) > MAX_CHARACTERS for said in scripts):
        raise NotComparable(f"This line has more than {MAX_CHARACTERS:,} characters.")
    pairs = [_compare(said, heard[:MAX_CHARACTERS]) for said in scripts for heard in transcripts]
    return min(pairs, key=lambda each: (each.wer, each.cer))


def _compare(script: str, transcript: str) -> Difference:
    words = jiwer.process_words(script, transcript)
    return Difference(
        wer=words.wer,
        cer=jiwer.cer(script, transcript),
        substitutions=words.substitutions,
        insertions=words.insertions,
        deletions=words.deletions,
        words=words.hits + words.substitutions + words.deletions,
    )


def _readings(text: str, locale: str) -> Iterator[str]:
    """The words of a text with its numbers in words, in each of the ways that a voice may choose."""
    language = locale.partition("-")[0]
    text = unicodedata.normalize("NFKC", text).casefold()
    for symbol, word in _SYMBOLS.get(language, {}).items():
        text = text.replace(symbol, f" {word} ")
    if language == "en":
        text = _PRICE.sub(lambda found: f"{found[2]} {_CURRENCIES[found[1]]}", text)
        text = _ORDINAL.sub(lambda found: _in_words(Decimal(found[1]), locale, "ordinal"), text)
    kinds: tuple[_Kind, ...] = ("cardinal", "year")
    for kind in kinds:
        words = _words(_with_numbers_spoken(text, locale, kind))
        spoken = " ".join("".join(words) if language in _UNSPACED else words)
        yield spoken
        if language == "en":
            yield _AFTER_HUNDRED.sub(r"\1", spoken)


def _words(text: str) -> list[str]:
    """The words of a text without punctuation: letters, digits and the marks above and below them."""
    kept = (
        character if unicodedata.category(character)[0] in "LMN" else "" if character in "'’" else " "
        for character in text.casefold()
    )
    return "".join(kept).split()


def _with_numbers_spoken(text: str, locale: str, kind: _Kind) -> str:
    return _NUMBER.sub(lambda found: _spoken(found[0], locale, kind), text)


def _spoken(number: str, locale: str, kind: _Kind) -> str:
    """A number as it is written, in words; one that is several, such as a time, one after the other."""
    group, point = (",", ".") if locale.partition("-")[0] in _POINTED else (".", ",")
    is_one = re.fullmatch(rf"(?:[0-9]+|[0-9]{{1,3}}(?:\{group}[0-9]{{3}})+)(?:\{point}[0-9]+)?", number)
    parts = [number.replace(group, "").replace(point, ".")] if is_one else re.split("[.,]", number)
    return " " + " ".join(_in_words(Decimal(part), locale, kind) for part in parts) + " "


def _in_words(number: Decimal, locale: str, kind: _Kind) -> str:
    """A number in words, or in digits where nobody knows the words."""
    is_whole = number == number.to_integral_value()
    is_year = is_whole and _FIRST_YEAR <= number <= _LAST_YEAR
    language, _, region = locale.partition("-")
    try:
        words: str = num2words(
            int(number) if is_whole else number,
            lang=f"{language}_{region.upper()}",
            to="cardinal" if kind == "year" and not is_year else kind,
        )
        return words
    except (NotImplementedError, OverflowError):
        return str(number)
