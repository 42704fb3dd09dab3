"""Files of other systems as lines of history, encoded for the importer."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from portal.history.files.retrieve import Line, modified_at, opened
from portal.history.parsing.readers import BadField
from portal.history.sources.reading.fitting import fitted
from portal.history.sources.reading.reader import Input, Made, Reading, without_none
from portal.moments import format_moment


def lines_of(file: Path, reading: Reading) -> Iterator[Line]:
    """The lines that a reader makes of a file, numbered from 1. Raises Unreadable after the last of them."""
    with opened(file) as found:
        made = reading.reader.read(Input(str(file), found.stream, reading))
        modified = format_moment(modified_at(file) or reading.now)
        for number, each in enumerate(made, 1):
            yield _encode(number, each, found.bytes_read(), modified)


def _encode(number: int, made: Made, bytes_read: int, modified: str) -> Line:
    if isinstance(made, BadField):
        return Line(number, b"", bytes_read, (made.field, str(made)))
    return Line(number, encode(made, modified), bytes_read)


def encode(made: Mapping[str, object], modified: str) -> bytes:
    """A line as JSON; one without any moment is of the given one."""
    line = fitted(without_none(made), modified)
    try:
        return orjson.dumps(line)
    except TypeError:  # half a surrogate pair, or a number of more than 64 bits: the parser names its field
        return json.dumps(line).encode()
