"""ZIP files written while they are read: no more of them in memory than a piece at a time."""

import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, cast

MAX_PART = 100
"""Characters of one part of a path in an archive."""

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_PACKED = (".mp3", ".ogg", ".opus", ".flac", ".m4a", ".webm", ".zip", ".gz", ".png", ".jpg")
_BIG = 2**31


@dataclass(frozen=True)
class ArchiveEntry:
    """One file of an archive: its path, its size, and the key of its content in the artifact store."""

    path: str
    size: int
    key: str


def safe_name(text: str, default: str = "file") -> str:
    """One part of a path that no system takes for anything but a name."""
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", text))
    name = "".join(c for c in name if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn"))
    stem, dot, ending = name.strip(" .").rpartition(".")
    room = MAX_PART - len(dot + ending)
    name = stem[:room] + dot + ending if dot and room > 0 else name.strip(" .")[:MAX_PART]
    name = name.strip(" .") or default
    return f"_{name}" if _RESERVED.fullmatch(name) else name


class ArchivePaths:
    """Paths of an archive, none of them twice, whatever system it is unpacked on."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def path(self, *parts: str) -> str:
        """A path of these parts, with a number where another file has it."""
        safe = "/".join(safe_name(part) for part in parts)
        stem, dot, ending = safe.rpartition(".")
        if not dot or "/" in ending:
            stem, ending = safe, ""
        path, number = safe, 1
        while path.casefold() in self._taken:
            number += 1
            path = f"{stem}-{number}{dot if ending else ''}{ending}"
        self._taken.add(path.casefold())
        return path


class _Pipe:
    """What zipfile writes to; it cannot go back, so sizes follow each file."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        piece = b"".join(self._pieces)
        self._pieces.clear()
        return piece


def stream_zip(
    entries: Iterable[ArchiveEntry], read: Callable[[ArchiveEntry], Iterator[bytes]], made_at: datetime
) -> Iterator[bytes]:
    """The archive of these entries, in their order; `read` gives the content of one.

    The same entries and moment give the same bytes.
    """
    pipe = _Pipe()
    with zipfile.ZipFile(cast(IO[bytes], pipe), "w") as archive:
        for entry in entries:
            with archive.open(_member(entry, made_at), "w", force_zip64=entry.size >= _BIG) as member:
                for piece in read(entry):
                    member.write(piece)
                    yield pipe.take()
            yield pipe.take()
    yield pipe.take()


def _member(entry: ArchiveEntry, made_at: datetime) -> zipfile.ZipInfo:
    year = min(max(made_at.year, 1980), 2107)  # what the format can say
    member = zipfile.ZipInfo(entry.path, (year, *made_at.timetuple()[1:6]))
    member.external_attr = 0o644 << 16
    member.file_size = entry.size
    packed = entry.path.lower().endswith(_PACKED)
    member.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    return member
