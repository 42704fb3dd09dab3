"""ZIP archives streamed as they are built, and safe names for what is in them."""

import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, cast

MAX_PART = 100
"""Characters of one segment of a path in an archive."""

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_COMPRESSED = (".mp3", ".ogg", ".opus", ".flac", ".m4a", ".webm", ".zip", ".gz", ".png", ".jpg")
_ZIP64_SIZE = 2**31


@dataclass(frozen=True)
class ArchiveEntry:
    """A file of an archive: its path, its size and the key of its content in the artifact store."""

    path: str
    size: int
    """Of what is stored."""
    key: str
    format: str | None = None
    """What it is converted to on its way; see `runs.results.downloads`."""


def safe_name(text: str, default: str = "file") -> str:
    """A path segment that is a plain file name on every operating system."""
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", text))
    name = "".join(c for c in name if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn"))
    stem, dot, ending = name.strip(" .").rpartition(".")
    room = MAX_PART - len(dot + ending)
    name = stem[:room] + dot + ending if dot and room > 0 else name.strip(" .")[:MAX_PART]
    name = name.strip(" .") or default
    return f"_{name}" if _RESERVED.fullmatch(name) else name


class ArchivePaths:
    """Unique paths in an archive, also on case-insensitive file systems."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def path(self, *parts: str) -> str:
        """Join the segments to a path, numbered if the path is taken."""
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


class _Buffer:
    """The unseekable file that zipfile writes to, so each size follows its data."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> int:
        self._chunks.append(bytes(chunk))
        return len(chunk)

    def flush(self) -> None:
        """Required by zipfile."""

    def take(self) -> bytes:
        chunk = b"".join(self._chunks)
        self._chunks.clear()
        return chunk


def stream_zip(
    entries: Iterable[ArchiveEntry], read: Callable[[ArchiveEntry], Iterator[bytes]], made_at: datetime
) -> Iterator[bytes]:
    """Stream an archive of these entries; `read` returns the content of one.

    Deterministic: the same entries and time give the same bytes.
    """
    buffer = _Buffer()
    with zipfile.ZipFile(cast(IO[bytes], buffer), "w") as archive:
        for entry in entries:
            with archive.open(_member(entry, made_at), "w", force_zip64=entry.size >= _ZIP64_SIZE) as member:
                for chunk in read(entry):
                    member.write(chunk)
                    yield buffer.take()
            yield buffer.take()
    yield buffer.take()


def _member(entry: ArchiveEntry, made_at: datetime) -> zipfile.ZipInfo:
    year = min(max(made_at.year, 1980), 2107)  # the range of ZIP's DOS dates
    member = zipfile.ZipInfo(entry.path, (year, *made_at.timetuple()[1:6]))
    member.external_attr = 0o644 << 16
    member.file_size = entry.size
    compressed = entry.path.lower().endswith(_COMPRESSED)
    member.compress_type = zipfile.ZIP_STORED if compressed else zipfile.ZIP_DEFLATED
    return member
