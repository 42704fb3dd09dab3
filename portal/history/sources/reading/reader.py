"""What a reader of another system's history is, and what it is given to read."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Protocol, TypeVar

from portal.history.parsing.readers import BadField

Line = dict[str, object]
"""A line of history, as docs/import.md describes it; a value of None says nothing."""

Made = Line | BadField
"""A line, or why a record of the file makes none."""

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Reading:
    """One reader at work on the files of one command."""

    reader: "Reader"
    now: datetime
    """Of the command: when it is so what a file without times says that comes by a pipe."""
    source: str | None = None
    """The name of the source, instead of the reader's own."""
    zone: tzinfo = UTC
    """The zone of times that come without one."""
    workflow: str | None = None
    """The name of the workflow, for files that name none."""
    memory: dict[str, object] = field(default_factory=dict)
    """What the reader remembers from one file to the next."""


@dataclass(frozen=True)
class Input:
    """A file to read, and how."""

    name: str
    stream: io.BufferedIOBase
    reading: Reading

    def source(self, usual: str) -> str:
        """The name of the source: the one that the command gives, else the usual one."""
        return self.reading.source or usual

    def remembered(self, kind: type[Value]) -> Value:
        """What a reader remembers of this kind, made anew for the first file."""
        found = self.reading.memory.setdefault(kind.__qualname__, kind())
        assert isinstance(found, kind)  # noqa: S101
        return found


class Reader(Protocol):
    """Reads files of one system. An entry point of the group `run_portal.history` leads to one."""

    name: str
    """What `--from` calls it."""
    title: str
    """What people call the system."""
    reads: str
    """What its files are, in a sentence."""
    commands: Sequence[str]
    """How to fetch such a file and bring it in; words in capitals stand for one's own."""

    def read(self, source: Input) -> Iterator[Made]:
        """The lines of a file. Raises `retrieve.Unreadable` where the rest of it cannot be read."""


@dataclass(frozen=True)
class Source:
    """A reader made of a function."""

    name: str
    title: str
    reads: str
    commands: Sequence[str]
    read: Callable[[Input], Iterator[Made]]


def each(items: Iterable[Item], make: Callable[[Item], Iterable[Line]]) -> Iterator[Made]:
    """The lines of every item; an item that cannot be mapped gives its fault, and the others go on."""
    for item in items:
        try:
            yield from list(make(item))
        except BadField as fault:
            yield fault.bare()


def without_none(line: Mapping[str, object]) -> Line:
    """A line without what it does not say; its parameters stay as they are."""
    said = ((name, value if name == "parameters" else _said(value)) for name, value in line.items())
    return {name: value for name, value in said if value is not None and value != {}}


def _said(value: object) -> object:
    if isinstance(value, dict):
        return without_none(value)
    return [_said(each) for each in value] if isinstance(value, list) else value
