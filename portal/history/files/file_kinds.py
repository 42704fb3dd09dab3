"""Recognises files that are not JSON Lines by their first bytes: compressed, archives, other encodings."""

import tarfile
from collections.abc import Mapping

HEAD = tarfile.BLOCKSIZE
"""Bytes that are looked at: a tar archive is recognised by its first block."""
GZIP, BOM = b"\x1f\x8b", b"\xef\xbb\xbf"

_PACKED: Mapping[bytes, str] = {
    GZIP: "a gzip file",
    b"PK\x03\x04": "a ZIP archive",
    b"PK\x05\x06": "an empty ZIP archive",
    b"PK\x07\x08": "a ZIP archive in several parts",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\0": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"\x04\x22\x4d\x18": "an LZ4 file",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"LZIP": "an lzip file",
    b"\x1f\x9d": "a file of compress (.Z)",
}
_OTHERS: Mapping[bytes, str] = {
    b"SQLite format 3\0": "a SQLite database",
    b"PAR1": "a Parquet file",
    b"%PDF-": "a PDF document",
}
_BYTE_ORDER_MARKS: Mapping[bytes, str] = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_ENCODINGS = ("UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE")
_FIRST_CHARACTERS = "{ \t\r\n"
"""History begins with one of them, so NUL bytes around it give the encoding away."""


def complaint(head: bytes) -> str | None:
    """What a file with this beginning is and what to do with it; None if it may be JSON Lines."""
    encoding = _begins_with(head, _BYTE_ORDER_MARKS) or _encoding_without_mark(head)
    if encoding:
        return f"is {encoding}, not UTF-8: convert it first, as with iconv -f {encoding} -t UTF-8."
    if head.removeprefix(BOM).lstrip().startswith(b"{"):
        return None
    packed = _begins_with(head, _PACKED) or ("a tar archive" if _is_tar(head) else None)
    if packed:
        return f"is {packed}: unpack it first."
    other = _begins_with(head, _OTHERS) or ("a binary file" if b"\0" in head else None)
    return other and f"is {other}, not JSON Lines."


def _begins_with(head: bytes, kinds: Mapping[bytes, str]) -> str | None:
    return next((kind for beginning, kind in kinds.items() if head.startswith(beginning)), None)


def _is_tar(head: bytes) -> bool:
    """Whether this is the first block of a tar archive: its checksum is right."""
    try:
        tarfile.TarInfo.frombuf(head[:HEAD], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _encoding_without_mark(head: bytes) -> str | None:
    for encoding in _ENCODINGS:
        width = len(" ".encode(encoding))
        first, second = head[:width], head[width : 2 * width]
        if first in {each.encode(encoding) for each in _FIRST_CHARACTERS} and second.strip(b"\0"):
            return encoding
    return None
