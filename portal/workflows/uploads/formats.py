"""What may be uploaded: formats by category, file names, and what the content of each must be."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from portal.database.models import UploadCategory

MAX_BYTES = 10_000_000
"""The most bytes that a file may have."""

FORMATS: Mapping[str, tuple[str, ...]] = {
    UploadCategory.SCRIPT: ("txt", "pdf"),
    UploadCategory.DICTIONARY: ("mp3", "wav", "m4a", "ogg", "webm"),
}
"""The formats, which are the extensions, that each category accepts."""

CONTENT_TYPES: Mapping[str, str] = {
    "txt": "text/plain",
    "pdf": "application/pdf",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "m4a": "audio/mp4",
    "ogg": "audio/ogg",
    "webm": "audio/webm",
}

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""Control characters, line and paragraph separators, and what overrides the direction of text."""
_INVISIBLE = re.compile(f"[{_CONTROLS}]")
_EXTENSIONS = "|".join(
    "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in each)
    for each in CONTENT_TYPES
)
FILENAME_PATTERN = rf"[^\x00]*[^{_CONTROLS}\s./\\][^\x00/\\]*\.({_EXTENSIONS})"
"""A file name with an extension of any category, whose last part keeps a character when it is cleaned."""


def clean_name(filename: str) -> str:
    """The name without folders, invisible characters and leading dots."""
    name = re.split(r"[/\\]", filename)[-1]
    return _INVISIBLE.sub("", name).strip().lstrip(".").strip()


def extension_of(filename: str) -> str:
    """The extension in lower case, without its dot; empty if there is none."""
    return filename.rpartition(".")[2].lower() if "." in filename else ""


@dataclass(frozen=True)
class ContentFacts:
    """What is counted of a script; None where nothing is."""

    char_count: int | None = None
    line_count: int | None = None


class BadContent(ValueError):
    """Content is not of the format that its name says; the message says what it must be."""


def examine(format_: str, content: bytes) -> ContentFacts:
    """Check and count the content of a file. Raises BadContent.

    A text counts the code points of its stripped lines, and those lines that are not empty.
    """
    if format_ == "txt":
        return _count(content)
    if not _SIGNATURES[format_](content):
        raise BadContent(f"is not a {format_.upper()} file.")
    return ContentFacts()


def _count(content: bytes) -> ContentFacts:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadContent("is not text in UTF-8.") from None
    lines = [stripped for line in text.splitlines() if (stripped := line.strip())]
    return ContentFacts(sum(map(len, lines)), len(lines))


_SIGNATURES: Mapping[str, Callable[[bytes], bool]] = {
    "pdf": lambda content: b"%PDF-" in content[:1024],
    "mp3": lambda content: content[:3] == b"ID3" or _is_mpeg_frame(content),
    "wav": lambda content: content[:4] in (b"RIFF", b"RF64") and content[8:12] == b"WAVE",
    "m4a": lambda content: content[4:8] == b"ftyp",
    "ogg": lambda content: content[:4] == b"OggS",
    "webm": lambda content: content[:4] == b"\x1a\x45\xdf\xa3",
}
"""Whether content begins like a file of a format."""


def _is_mpeg_frame(content: bytes) -> bool:
    """Whether content begins with the header of a frame of MPEG audio: its eleven bits of synchronisation."""
    return len(content) > 1 and content[0] == 0xFF and content[1] & 0xE0 == 0xE0
