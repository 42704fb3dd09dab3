"""Files as JSON values, as YAML documents or as lines of text, in bounded memory."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

import orjson
import yaml

from portal.history.files.file_kinds import BOM
from portal.history.files.retrieve import Unreadable
from portal.history.parsing.decoding import MAX_DEPTH
from portal.history.parsing.readers import BadField
from portal.history.sources.reading.reader import Input, Line, Made, each
from portal.history.sources.reading.record import Record, flatten

MAX_DOCUMENT = 64 * 1024 * 1024
"""Bytes of one JSON value; a file may hold any number of them, one after another."""
MAX_YAML = 16 * 1024 * 1024
"""Bytes of a YAML file, which is read as a whole."""
MAX_TEXT_LINE = 1024 * 1024
"""Bytes of a line of text."""

_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_OPENING = re.compile(rb'\s*[\[{]\s*(?:$|["{\[\]}])')
"""How JSON begins, unlike a line of a log such as `[2026-11-27T23:11:48] INFO`."""
_TOO_LONG = (
    f"has over {MAX_DOCUMENT // 1024**2} MiB in one piece. Write a record a line, as `jq -c '.[]'` does."
)


class Found(NamedTuple):
    """A JSON value, and where in the file it begins: empty for the first line."""

    value: object
    path: str


def read_json(
    source: Input,
    make: Callable[[Record], Iterable[Line]],
    *,
    lists: Collection[str] = (),
    after_noise: bool = False,
) -> Iterator[Made]:
    """The lines of every object of a file, also of those in lists, and in these fields of an answer."""
    for found in json_values(source, after_noise=after_noise):
        if isinstance(found, BadField):
            yield found
        else:
            yield from each(_objects(found.value, found.path, lists), lambda place: make(Record(*place)))


def _objects(value: object, path: str, lists: Collection[str]) -> Iterator[tuple[object, str]]:
    for inner, where in flatten(value, path):
        names = [name for name in lists if isinstance(inner, dict) and isinstance(inner.get(name), list)]
        if not names:
            yield inner, where
        for name in names:
            yield from Record(inner, where).values(name)


def json_values(source: Input, *, after_noise: bool = False) -> Iterator[Found | BadField]:
    """The values of a file: one, one a line, or one after another.

    A line that is no JSON gives a fault. After noise, lines before a value that cannot begin one are passed
    over. Raises Unreadable where no more values can be told apart.
    """
    pieces: list[bytes] = []
    size = depth = first = 0
    for number, line in _lines(source, MAX_DOCUMENT, _TOO_LONG):
        if not pieces:
            first = number
            if line.isspace() or (after_noise and not _OPENING.match(line)):
                continue
        pieces.append(line)
        size += len(line)
        if size > MAX_DOCUMENT:
            raise Unreadable(f"What begins in line {first} {_TOO_LONG}")
        bare = _STRINGS.sub(b"", line)
        depth += bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")
        if depth <= 0:
            yield from _decode(b"".join(pieces), first, whole_line=number == first)
            pieces, size, depth = [], 0, 0
    if pieces:
        yield from _decode(b"".join(pieces), first, whole_line=False)


def _decode(text: bytes, first: int, *, whole_line: bool) -> Iterator[Found | BadField]:
    """The values of a text that begins in this line of the file; a wrong line is a fault."""
    path = "" if first == 1 else f"line {first}: "
    try:
        yield Found(orjson.loads(text), path)
        return
    except orjson.JSONDecodeError:
        pass
    try:
        yield from (Found(value, path) for value in _one_after_another(text.decode()))
    except UnicodeDecodeError as error:
        yield _fault(f"is not UTF-8 (byte {error.start + 1}).", first, whole_line)
    except json.JSONDecodeError as error:
        where = f"line {first + error.lineno - 1}, column {error.colno}"
        yield _fault(f"is not JSON: {error.msg} ({where}).", first, whole_line)
    except RecursionError:
        yield _fault(f"is nested deeper than {MAX_DEPTH} levels.", first, whole_line)


def _fault(reason: str, first: int, whole_line: bool) -> BadField:
    if not whole_line:
        raise Unreadable(f"What begins in line {first} {reason}")
    return BadField(f"line {first}", reason)


def _one_after_another(text: str) -> Iterator[object]:
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        value, end = decoder.raw_decode(text, position)
        yield value
        position = end + len(text[end:]) - len(text[end:].lstrip())


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]
    """Reads times as the texts that they are."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [each for each in found if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def yaml_values(source: Input) -> Iterator[Found]:
    """The documents of a YAML file. Raises Unreadable."""
    text = source.stream.read(MAX_YAML + 1)
    if len(text) > MAX_YAML:
        raise Unreadable(f"A YAML file may have {MAX_YAML // 1024**2} MiB. Fetch it as JSON.")
    try:
        _inspect_yaml(text)
        for number, value in enumerate(yaml.load_all(text, _Loader)):
            yield Found(value, "" if number == 0 else f"document {number + 1}: ")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise Unreadable(f"The file is not YAML: {error.problem}{where}.") from None
    except yaml.YAMLError:
        raise Unreadable("The file is not YAML: it holds characters that YAML forbids.") from None


def _inspect_yaml(text: bytes) -> None:
    """Refuse what would grow or overflow: aliases, and deep nesting."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            raise Unreadable(f"Line {event.start_mark.line + 1} has an alias, which is not read.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise Unreadable(f"Line {event.start_mark.line + 1} is nested deeper than {MAX_DEPTH} levels.")


def text_lines(source: Input) -> Iterator[tuple[int, str]]:
    """The numbered lines of a text without their ends. Bytes that are no UTF-8 are written as `\\xff`."""
    too_long = f"is longer than {MAX_TEXT_LINE // 1024**2} MiB."
    for number, line in _lines(source, MAX_TEXT_LINE, too_long):
        yield number, line.decode(errors="backslashreplace").rstrip("\r\n")


def _lines(source: Input, longest: int, complaint: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := source.stream.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise Unreadable(f"Line {number} {complaint}")
        yield number, line.removeprefix(BOM)
