"""The body of a push: lines of history as NDJSON or JSON, plain or gzip, within bounds."""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence

from portal.errors import BadRequest, PortalError
from portal.input.bodies import NotJson, strict_json

MAX_BYTES = 4 * 1024 * 1024
"""Of a body, also unpacked."""
MAX_LINES = 1000
MAX_MEMBERS = 1000
"""Parts of a gzip body: clients that pack line by line send that many."""

JSON_TYPE = "application/json"
LINES_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
_GZIP = ("gzip", "x-gzip")
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_BOM = b"\xef\xbb\xbf"


class TooMuch(PortalError):
    """Send at most 1,000 lines and 4 MiB at a time, also unpacked."""

    status, code = 413, "REQUEST_ENTITY_TOO_LARGE"


def unpacked(pieces: Iterable[bytes], encoding: str, most: int = MAX_BYTES) -> bytes:
    """The whole body. Raises TooMuch as soon as there is too much of it, BadRequest, NotJson."""
    encoding = encoding.strip().lower()
    if encoding in _GZIP:
        pieces = _gunzip(pieces, most)
    elif encoding not in ("", "identity"):
        raise NotJson("Content-Encoding must be gzip, or absent.")
    whole = bytearray()
    for piece in pieces:
        whole += piece
        if len(whole) > most:
            raise TooMuch
    return bytes(whole)


def _gunzip(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Unpack gzip, also several members of it in a row, never more at a time than a body may have."""
    member, members, is_open = zlib.decompressobj(_GZIP_WINDOW), 0, False
    try:
        for piece in pieces:
            rest = piece
            while rest:
                yield member.decompress(rest, most + 1)
                is_open, rest = not member.eof, member.unconsumed_tail
                if member.eof:
                    rest = member.unused_data
                    member, members = zlib.decompressobj(_GZIP_WINDOW), members + 1
                if members > MAX_MEMBERS:
                    raise BadRequest("The gzip body has too many parts.")
    except zlib.error:
        raise BadRequest("The body is said to be gzip, and is not.") from None
    if is_open:
        raise BadRequest("The gzip body ends too early: it is cut off.")


def lines_of(body: bytes, content_type: str) -> Sequence[bytes]:
    """The lines of a body by its media type, blank ones too: their numbers are those of the body.

    Raises NotJson for another media type, BadRequest for JSON that is none, TooMuch.
    """
    media_type = content_type.split(";")[0].strip().lower()
    if media_type in LINES_TYPES:
        lines: Sequence[bytes] = body.removeprefix(_BOM).split(b"\n", MAX_LINES + 1)
    elif media_type in ("", JSON_TYPE):
        lines = _members(body)
    else:
        raise NotJson(f"Send the lines as application/x-ndjson or {JSON_TYPE}.")
    if len(lines) > MAX_LINES and any(line.strip() for line in lines[MAX_LINES:]):
        raise TooMuch
    return lines[:MAX_LINES]


def _members(body: bytes) -> Sequence[bytes]:
    """One line, or those under `lines`."""
    try:
        found = strict_json(body.removeprefix(_BOM).decode())
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(found, dict):
        raise BadRequest('The body must be one line, as a JSON object, or {"lines": […]}.')
    if "lines" not in found or "type" in found:
        return [body]
    if not isinstance(found["lines"], list):
        raise BadRequest("lines must be a list of JSON objects.")
    return [json.dumps(line).encode() for line in found["lines"]]
