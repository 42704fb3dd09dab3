"""Filters by one text, which has to be exactly that of the run, upper and lower case apart."""

from typing import ClassVar

from portal.input import sentences
from portal.input.parameters import Args, Reader, Refused
from portal.input.text import STORABLE_PATTERN, is_storable
from portal.runs.filters.filter import Chip, Filter, Schema


class ExactText(Filter[str, bool]):
    """A filter with one parameter, a text of at least one character; the shape is whether there is one."""

    most: ClassVar[int]
    """Characters that it may have."""
    empty = ""

    @property
    def name(self) -> str:
        return next(iter(self.labels))

    def read(self, reader: Reader) -> str:
        return reader.read(self.name, self._parse, "")

    def write(self, value: str) -> Args:
        return {self.name: value}

    def chips(self, value: str) -> list[Chip[str]]:
        return [Chip(self.labels[self.name], f"“{value}”", "")] if value else []

    def shape(self, value: str) -> bool:
        return bool(value)

    def _parse(self, text: str) -> str:
        return exact(text, self.most)


def exact(text: str, most: int) -> str:
    """A text of 1 to `most` characters. Raises Refused."""
    if not 1 <= len(text) <= most:
        raise Refused(f"must be 1 to {most} characters.")
    if not is_storable(text):
        raise Refused(sentences.STORABLE)
    return text


def text_schema(most: int, description: str) -> Schema:
    return {
        "type": "string", "minLength": 1, "maxLength": most, "pattern": STORABLE_PATTERN,
        "description": description,
    }  # fmt: skip
