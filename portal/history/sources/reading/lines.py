"""Files of other systems as lines of history, encoded for the importer."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from portal.history.parsing.readers import BadField
from portal.history.retrieve import Line, opened
from portal.history.sources.reading.reader import Input, Made, Reading, without_none


def lines_of(file: Path, reading: Reading) -> Iterator[Line]:
    """The lines that a reader makes of a file, numbered from 1. Raises Unreadable after the last of them."""
    with opened(file) as found:
        made = reading.reader.read(Input(str(file), found.stream, reading))
        for number, each in enumerate(made, 1):
            yield _encode(number, each, found.bytes_read())


def _encode(number: int, made: Made, bytes_read: int) -> Line:
    if isinstance(made, BadField):
        return Line(number, b"", bytes_read, (made.field, str(made)))
    return Line(number, encode(made), bytes_read)


def encode(made: Mapping[str, object]) -> bytes:
    """A line as JSON."""
    line = without_none(made)
    try:
        return orjson.dumps(line)
    except TypeError:  # half a surrogate pair, or a number of more than 64 bits: the parser names its field
        return json.dumps(line).encode()
