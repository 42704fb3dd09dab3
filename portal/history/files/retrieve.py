"""Reads the lines of a file of history, plain or gzip, from a disk or a pipe, in bounded memory."""

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, cast

from portal.history.files.file_kinds import BOM, GZIP, HEAD, complaint

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one line without its line ending."""
STANDARD_INPUT = Path("-")

_BUFFER = 1 << 20
_PACKED_BUFFER = 1 << 16
_BRACE = ord("{")
_DAMAGE = (EOFError, zlib.error, OSError)


class Unreadable(Exception):
    """A file that cannot be read to its end; the message says why."""


class Line(NamedTuple):
    number: int
    text: bytes | None
    """None for a line over the limit."""
    bytes_read: int
    """Bytes of the file, compressed or not, that have been read so far."""
    fault: tuple[str, str] | None = None
    """The field and the reason, where a record of another system makes no line."""


class Opened(NamedTuple):
    """A file as a plain stream."""

    stream: io.BufferedIOBase
    bytes_read: Callable[[], int]
    """The bytes of the file that have been read so far, of which a buffer may hold the last."""
    is_packed: bool


class _CountingStream(io.RawIOBase):
    """A stream that counts the bytes read from it: a pipe has no position."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._head = b""
        self._failure: Exception | None = None
        self.count = 0

    def readable(self) -> bool:
        return True

    def head(self) -> bytes:
        """Peek at the first bytes; a pipe may deliver them one by one."""
        try:
            while len(self._head) < HEAD and (piece := self._stream.read1(HEAD - len(self._head))):
                self._head += piece
        except _DAMAGE as error:
            self._failure = error  # raised when the bytes before it have been read
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
    """The size of the file on disk; 0 if it cannot be read or has no size, as a pipe."""
    if file == STANDARD_INPUT:
        return 0
    try:
        return file.stat().st_size
    except OSError:
        return 0


def modified_at(file: Path) -> datetime | None:
    """When the file was last written; None for what is no file on a disk."""
    try:
        return datetime.fromtimestamp(int(file.stat().st_mtime), UTC) if file.is_file() else None
    except (OSError, OverflowError, ValueError):
        return None


def read_lines(file: Path) -> Iterator[Line]:
    """The lines of a file that are not blank. Raises Unreadable after the last complete line."""
    with opened(file) as found:
        yield from _lines(found)


@contextmanager
def opened(file: Path) -> Iterator[Opened]:
    """A file, unpacked. Raises Unreadable, also for what goes wrong while it is read."""
    try:
        with _open(file) as stream:
            yield _unpacked(stream)
    except EOFError:
        raise Unreadable("The gzip file ends too early: it is cut off.") from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise Unreadable(_damage(error)) from None
    except OSError as error:
        raise Unreadable(f"The file cannot be read: {error.strerror or error}.") from None


def _damage(error: Exception) -> str:
    if str(error).startswith("Not a gzipped file"):  # where a concatenated file should begin
        return "What follows its gzip part is not gzip: join files that are all packed, or all plain."
    return f"The gzip file is damaged: {error}."


def _open(file: Path) -> AbstractContextManager[io.BufferedIOBase]:
    if file != STANDARD_INPUT:
        return file.open("rb")
    if sys.stdin is None:
        raise Unreadable("There is no standard input.")
    return nullcontext(cast(io.BufferedIOBase, sys.stdin.buffer))


def _unpacked(stream: io.BufferedIOBase) -> Opened:
    source = _CountingStream(stream)
    if not source.head().startswith(GZIP):
        _refuse(source, "The file")
        return Opened(io.BufferedReader(source, _BUFFER), lambda: source.count, is_packed=False)
    packed = io.BufferedReader(source, _PACKED_BUFFER)
    # Reads are passed on as they come, so that lines before damaged data are not lost.
    unpacked = _CountingStream(gzip.GzipFile(fileobj=packed))
    _refuse(unpacked, "What the gzip file holds")
    return Opened(io.BufferedReader(unpacked, _BUFFER), lambda: source.count, is_packed=True)


def _refuse(source: _CountingStream, what: str) -> None:
    found = complaint(source.head())
    if found:
        raise Unreadable(f"{what} {found}")


def _lines(file: Opened) -> Iterator[Line]:
    """The lines of a file, with the bytes read of it."""
    plain, number, position = file.stream, 0, 0
    while text := plain.readline(MAX_LINE + 1):
        number += 1
        position += len(text)
        if len(text) > MAX_LINE and not text.endswith(b"\n"):
            position += _skip_line(plain)
            yield Line(number, None, file.bytes_read() if file.is_packed else position)
            continue
        if text[0] != _BRACE:
            text = _odd_beginning(number, text)
        if text:
            yield Line(number, text, file.bytes_read() if file.is_packed else position)


def _odd_beginning(number: int, text: bytes) -> bytes:
    """A line without its byte order mark; empty if it is blank."""
    if text.startswith(GZIP):
        raise Unreadable(f"From line {number} on, the file is a gzip file: unpack it first.")
    while text.startswith(BOM):  # each of several concatenated files may begin with one
        text = text.removeprefix(BOM)
    return b"" if text.isspace() else text


def _skip_line(plain: io.BufferedIOBase) -> int:
    """Skip the rest of the line; returns its length."""
    skipped = 0
    while piece := plain.readline(_BUFFER):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped
