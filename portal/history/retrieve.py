"""Lines out of a file of history: plain or gzip, on the disk or through a pipe, a bounded piece at a time."""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple, cast

from portal.history.file_kinds import BOM, GZIP, HEAD, complaint

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one line, its end not counted."""
STANDARD_INPUT = Path("-")

_BUFFER = 1 << 20
_PACKED_BUFFER = 1 << 16
_BRACE = ord("{")
_DAMAGE = (EOFError, zlib.error, OSError)


class Unreadable(Exception):
    """A file that cannot be read, or not to its end; the text says why."""


class Line(NamedTuple):
    number: int
    text: bytes | None
    """None for a line over the limit."""
    bytes_read: int
    """How much of the file, packed as it may be, has been read by now."""


class _Counted(io.RawIOBase):
    """A stream that counts the bytes it hands out: a pipe cannot tell where it stands."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._head = b""
        self._failure: Exception | None = None
        self.count = 0

    def readable(self) -> bool:
        return True

    def head(self) -> bytes:
        """The first bytes, which are still to be read; a pipe may bring them one by one."""
        try:
            while len(self._head) < HEAD and (piece := self._stream.read1(HEAD - len(self._head))):
                self._head += piece
        except _DAMAGE as error:
            self._failure = error  # raised once what came before is read
        return self._head

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._failure and not self._head:
            raise self._failure
        piece = self._head[: len(buffer)] or self._stream.read1(len(buffer))
        self._head = self._head[len(piece) :]
        buffer[: len(piece)] = piece
        self.count += len(piece)
        return len(piece)


def size_of(file: Path) -> int:
    """The file's size on the disk; 0 where there is none to read, or nobody knows it, as of a pipe."""
    if file == STANDARD_INPUT:
        return 0
    try:
        return file.stat().st_size
    except OSError:
        return 0


def read_lines(file: Path) -> Iterator[Line]:
    """The lines of a file that are not blank. Raises Unreadable, after the lines that were whole."""
    try:
        with _open(file) as stream:
            yield from _read(stream)
    except EOFError:
        raise Unreadable("The gzip file ends too early: it is cut off.") from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise Unreadable(_damage(error)) from None
    except OSError as error:
        raise Unreadable(f"The file cannot be read: {error.strerror or error}.") from None


def _damage(error: Exception) -> str:
    if str(error).startswith("Not a gzipped file"):  # where the next of joined files should begin
        return "What follows its gzip part is not gzip: join files that are all packed, or all plain."
    return f"The gzip file is damaged: {error}."


def _open(file: Path) -> AbstractContextManager[io.BufferedIOBase]:
    if file != STANDARD_INPUT:
        return file.open("rb")
    if sys.stdin is None:
        raise Unreadable("There is no standard input.")
    return nullcontext(cast(io.BufferedIOBase, sys.stdin.buffer))


def _read(stream: io.BufferedIOBase) -> Iterator[Line]:
    source = _Counted(stream)
    if not source.head().startswith(GZIP):
        _refuse(source, "The file")
        yield from _lines(io.BufferedReader(source, _BUFFER), None)
        return
    packed = io.BufferedReader(source, _PACKED_BUFFER)
    # Its pieces come as they are, so that damage further on takes nothing with it.
    unpacked = _Counted(gzip.GzipFile(fileobj=packed))
    _refuse(unpacked, "What the gzip file holds")
    yield from _lines(io.BufferedReader(unpacked, _BUFFER), source)


def _refuse(source: _Counted, what: str) -> None:
    found = complaint(source.head())
    if found:
        raise Unreadable(f"{what} {found}")


def _lines(plain: io.BufferedIOBase, packed: _Counted | None) -> Iterator[Line]:
    """The lines of a plain stream, and how much of it, or of the packed one below it, they took."""
    number = position = 0
    while text := plain.readline(MAX_LINE + 1):
        number += 1
        position += len(text)
        if len(text) > MAX_LINE and not text.endswith(b"\n"):
            position += _skip_line(plain)
            yield Line(number, None, packed.count if packed else position)
            continue
        if text[0] != _BRACE:
            text = _odd_beginning(number, text)
        if text:
            yield Line(number, text, packed.count if packed else position)


def _odd_beginning(number: int, text: bytes) -> bytes:
    """A line without what may stand before it; empty where it is blank."""
    if text.startswith(GZIP):
        raise Unreadable(f"From line {number} on, the file is a gzip file: unpack it first.")
    while text.startswith(BOM):  # each of joined files may begin with one
        text = text.removeprefix(BOM)
    return b"" if text.isspace() else text


def _skip_line(plain: io.BufferedIOBase) -> int:
    """Read on to the end of the line; how long the rest was."""
    skipped = 0
    while piece := plain.readline(_BUFFER):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped
