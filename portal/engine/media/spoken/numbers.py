"""Numbers in words, in the languages that num2words knows."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from num2words import num2words

Writer = str | Callable[[re.Match[str]], str]
"""What is written for what a pattern matches."""
Rules = Sequence[tuple[re.Pattern[str], Writer]]
"""Applied one after the other."""

MAX_DIGITS = 15
"""Of a number that is read as one; longer ones are read digit by digit."""


@dataclass(frozen=True)
class Numbers:
    """How a language writes and reads numbers."""

    language: str
    """As num2words calls it."""
    decimal: str
    """The mark before the decimals."""
    thousands: str
    """Marks between groups of three digits, as the inside of a character class."""
    point: str
    """The word for the decimal mark."""
    space: str = " "
    """Between words."""
    without_and: bool = False
    """Whether "one hundred and two" is "one hundred two"."""

    @property
    def pattern(self) -> str:
        """A number that may have groups and decimals, as a regular expression without groups of its own."""
        decimals = rf"(?:{re.escape(self.decimal)}\d+)?"
        return rf"(?<!\d)(?:\d{{1,3}}(?:[{self.thousands}]\d{{3}})+(?!\d)|\d+){decimals}"

    def cardinal(self, number: int) -> str:
        words = str(num2words(number, lang=self.language)).replace(",", "")
        return words.replace(" and ", " ") if self.without_and else words

    def ordinal(self, number: int) -> str:
        words = str(num2words(number, lang=self.language, to="ordinal")).replace(",", "")
        return words.replace(" and ", " ") if self.without_and else words

    def year(self, number: int) -> str:
        words = str(num2words(number, lang=self.language, to="year"))
        return words.replace(" and ", " ") if self.without_and else words

    def digits(self, text: str) -> str:
        """The digits in a text, one by one."""
        return self.space.join(self.cardinal(int(digit)) for digit in text if digit.isdecimal())

    def words(self, written: str) -> str:
        """A number as `pattern` matches it."""
        whole, _, decimals = re.sub(f"[{self.thousands}]", "", written).partition(self.decimal)
        is_code = len(whole) > MAX_DIGITS or (len(whole) > 1 and whole.startswith("0"))
        said = self.digits(whole) if is_code else self.cardinal(int(whole))
        return self.space.join([said, self.point, self.digits(decimals)]) if decimals else said

    def is_one(self, written: str) -> bool:
        return written == "1"

    def last(self) -> tuple[str, Writer]:
        """The pattern and writer of every number that is left, apart from letters that it touches."""

        def write(found: re.Match[str]) -> str:
            before, after = (self.space if found[side] else "" for side in (1, 3))
            return f"{found[1] or ''}{before}{self.words(found[2])}{after}{found[3] or ''}"

        return rf"([^\W\d_])?({self.pattern})([^\W\d_])?", write


def compiled(written: Sequence[tuple[str, Writer]]) -> Rules:
    return [(re.compile(pattern), write) for pattern, write in written]
