"""Text as it is spoken: numbers, dates, times, money, units and abbreviations in words.

English and German are done thoroughly, by the habits of their locales; in French, Spanish, Portuguese,
Japanese and Korean numbers and percentages alone. Other languages are not known.
"""

import re
from collections.abc import Mapping

from portal.engine.media.spoken import english, german, plain
from portal.engine.media.spoken.numbers import Rules

_RULES: Mapping[str, Rules] = {
    "en-us": english.rules(day_first=False),
    "en-gb": english.rules(day_first=True),
    "de-de": german.rules(),
    **plain.RULES,
}
_ADDRESS = re.compile(r"://|@\w|\bwww\.")
"""What shows a word to be the address of a page or a person, which stays as it is."""


def is_known(locale: str) -> bool:
    """Whether texts in a locale can be written as they are spoken."""
    return locale in _RULES


def as_spoken(text: str, locale: str) -> str:
    """A text as it is spoken in a locale that is known."""
    written, place = [], 0
    for word in re.finditer(r"\S+", text):
        if _ADDRESS.search(word[0]):
            written += [_apply(_RULES[locale], text[place : word.start()]), word[0]]
            place = word.end()
    return "".join([*written, _apply(_RULES[locale], text[place:])])


def _apply(rules: Rules, text: str) -> str:
    for pattern, write in rules:
        text = pattern.sub(write, text)
    return text
