"""Lines out of a file of history: plain or gzip, a bounded piece at a time."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one line, its end not counted."""

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BUFFER = 1 << 20


class Unreadable(Exception):
    """A file that cannot be read, or not to its end; the text says why."""


class Line(NamedTuple):
    number: int
    text: bytes | None
    """None for a line over the limit."""
    bytes_read: int
    """How much of the file, as it lies on the disk, has been read by now."""


class _Unpacked(io.RawIOBase):
    """A gzip stream that hands out what it has, so that damage further on takes nothing with it."""

    def __init__(self, packed: BinaryIO) -> None:
        self._stream = gzip.GzipFile(fileobj=packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._stream.read1(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def size_of(file: Path) -> int:
    """The file's size on the disk; 0 where there is none to read."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def read_lines(file: Path) -> Iterator[Line]:
    """The lines of a file that are not blank. Raises Unreadable, after the lines that were whole."""
    try:
        with file.open("rb") as raw:
            yield from _read(raw)
    except EOFError:
        raise Unreadable("The gzip file ends too early: it is cut off.") from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise Unreadable(f"The gzip file is damaged: {error}.") from None
    except OSError as error:
        raise Unreadable(f"The file cannot be read: {error.strerror or error}.") from None


def _read(raw: io.BufferedReader) -> Iterator[Line]:
    plain: BinaryIO = raw
    packed = raw.peek(2)[:2] == _GZIP
    if packed:
        plain = io.BufferedReader(_Unpacked(raw), _BUFFER)
    number = position = 0
    while text := plain.readline(MAX_LINE + 1):
        number += 1
        position = raw.tell() if packed else position + len(text)  # telling costs a call of the system
        if len(text) > MAX_LINE and not text.endswith(b"\n"):
            _skip_line(plain)
            position = raw.tell()
            yield Line(number, None, position)
            continue
        if number == 1:
            text = text.removeprefix(_BOM)
        if not text.isspace() and text:
            yield Line(number, text, position)


def _skip_line(plain: BinaryIO) -> None:
    while piece := plain.readline(_BUFFER):
        if piece.endswith(b"\n"):
            return
