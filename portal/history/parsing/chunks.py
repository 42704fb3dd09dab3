"""Lines of a file, parsed and encoded in chunks; those of a long file by a process of its own."""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from portal.database.engine import db, engine_options
from portal.history.files.prefetch import ProcessEnded, produce_in_process
from portal.history.files.retrieve import MAX_LINE, Line, Unreadable, read_lines, size_of
from portal.history.parsing.encoding import NumberedLine, encode_lines
from portal.history.parsing.lines import ParsedLine, parse_line
from portal.history.parsing.readers import BadField
from portal.history.parsing.runs import Arrival

CHUNK_LINES = 5000
"""Lines that the process which parses a long file hands over at a time."""
MAX_BATCH_BYTES = 32 * 1024 * 1024
"""A batch ends here whatever its number of lines, and so does a chunk, which is held in memory."""
LONG_FILE = 8 * 1024 * 1024
"""Bytes of a file whose parsing takes longer than starting a process."""
MANY_OBJECTS = 2_000_000
"""More objects than a few chunks have: the cyclic garbage collector runs only if some are left over."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive lines of a file."""

    lines: list[NumberedLine]
    bad: list[tuple[int, BadField]]
    """Numbers of the lines that cannot be parsed, and why."""
    read: int
    """Lines read, good and bad."""
    bytes_read: int
    """Of the whole file so far."""
    ends_batch: bool
    error: str | None = None
    """Why the file could not be read further."""


@dataclass
class _Parser:
    """Parses lines until they make a chunk."""

    arrival: Arrival
    lines: list[tuple[int, ParsedLine]] = field(default_factory=list)
    bad: list[tuple[int, BadField]] = field(default_factory=list)
    read: int = 0
    size: int = 0
    bytes_read: int = 0

    def add(self, line: Line) -> None:
        self.read += 1
        self.bytes_read = line.bytes_read
        try:
            if line.fault:
                raise BadField(*line.fault)
            if line.text is None:
                raise BadField("", f"is longer than {MAX_LINE} bytes.")
            self.size += len(line.text)
            self.lines.append((line.number, parse_line(line.text, self.arrival)))
        except BadField as error:
            self.bad.append((line.number, error.bare()))

    def finish(self, dialect: sa.Dialect, ends_batch: bool, error: str | None = None) -> Chunk:
        lines = encode_lines(dialect, self.lines, self.arrival.workspace_id)
        return Chunk(lines, self.bad, self.read, self.bytes_read, ends_batch, error)


def read_chunks(file: Path, batch_size: int, arrival: Arrival) -> Iterator[Chunk]:
    """The lines of a file; those of a long one are parsed by a process of its own.

    Such a process inherits no standard input: a pipe, such as /dev/stdin may be, is read here.
    """
    if size_of(file) < LONG_FILE or not file.resolve().is_file():
        return parse_chunks(read_lines(file), batch_size, db.engine.dialect, arrival)
    return _read_in_process(file.resolve(), batch_size, db.engine.url, arrival)


def _read_in_process(file: Path, batch_size: int, database: sa.URL, arrival: Arrival) -> Iterator[Chunk]:
    try:
        yield from produce_in_process(_chunks_of, file, batch_size, database, arrival)
    except ProcessEnded:
        yield Chunk([], [], 0, 0, ends_batch=True, error="The process that read the file was ended.")


def _chunks_of(file: Path, batch_size: int, database: sa.URL, arrival: Arrival) -> Iterator[Chunk]:
    dialect = sa.create_engine(database, **engine_options(database)).dialect
    with rare_garbage_collection():
        yield from parse_chunks(read_lines(file), batch_size, dialect, arrival)


def parse_chunks(
    lines: Iterable[Line], batch_size: int, dialect: sa.Dialect, arrival: Arrival
) -> Iterator[Chunk]:
    """Parse lines; the last chunk has the error if they cannot be read to the end."""
    read = size = 0
    parser = _Parser(arrival)
    error = None
    try:
        for line in lines:
            parser.add(line)
            ends_batch = read + parser.read >= batch_size or size + parser.size >= MAX_BATCH_BYTES
            if ends_batch or parser.read >= CHUNK_LINES:
                chunk = parser.finish(dialect, ends_batch)
                read, size = (0, 0) if ends_batch else (read + parser.read, size + parser.size)
                parser = _Parser(arrival, bytes_read=parser.bytes_read)
                yield chunk
    except Unreadable as unreadable:
        error = str(unreadable)
    yield parser.finish(dialect, ends_batch=True, error=error)


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Run the cyclic garbage collector rarely: a chunk is many objects and no cycles."""
    thresholds = gc.get_threshold()
    gc.set_threshold(MANY_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
