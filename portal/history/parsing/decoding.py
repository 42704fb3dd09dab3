"""Decodes the JSON of one line of history, and refuses what databases or JSON parsers do not accept."""

import json
from hashlib import blake2b

import orjson

from portal.history.parsing.readers import BadField, Values
from portal.input import sentences
from portal.input.text import is_storable

MAX_DEPTH = 64
"""Levels of nesting; deeper JSON is no history, and would overflow the stack of some parsers."""

_LONG_NUMBER = b"0" * 16
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_canonical = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


def decode(text: bytes) -> tuple[Values, bytes]:
    """The values of a line and the digest of its canonical JSON. Raises BadField."""
    values = _read_fast(text)
    fast = values is not None
    if not fast:
        values = _read(text)
    if not isinstance(values, dict):
        raise BadField("", "is not a JSON object.")
    # Only an escape can bring NUL or half a surrogate pair in, and only brackets can nest.
    if (b"\\" in text and b"\\u" in text) or text.count(b"{") + text.count(b"[") > MAX_DEPTH:
        _inspect(values)
    try:
        whole = orjson.dumps(values, option=orjson.OPT_SORT_KEYS) if fast else _canonical(values).encode()
    except ValueError:
        _inspect(values)
        raise
    return values, blake2b(whole, digest_size=16).digest()


def canonical(value: object) -> bytes:
    """The canonical JSON of a value that a line had."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number of more than 64 bits
        return _canonical(value).encode()


def _read_fast(text: bytes) -> object | None:
    """Parse most lines; None for a line with long numbers, or a wrong one, which need the slow parser."""
    if _LONG_NUMBER in text.translate(_ZEROS):  # far faster than a regular expression
        return None
    try:
        found: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found


def _read(text: bytes) -> object:
    try:
        found: object = json.loads(text.decode())
    except UnicodeDecodeError as error:
        raise BadField("", f"is not UTF-8 (byte {error.start + 1}).") from None
    except json.JSONDecodeError as error:
        raise BadField("", f"is not JSON: {error.msg} (column {error.colno}).") from None
    except RecursionError:
        raise BadField("", f"is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError:
        raise BadField("", "holds a number with too many digits.") from None
    return found


def _inspect(values: Values) -> None:
    """Refuse what databases or JSON parsers do not accept."""
    for field, value in values.items():
        _inspect_value(str(field), field, 1)
        _inspect_value(field, value, 2)


def _inspect_value(field: str, value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadField(_printable(field), f"is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        if not is_storable(value):
            raise BadField(_printable(field), sentences.STORABLE)
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise BadField(_printable(field), "must not be NaN or infinite.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _inspect_value(field, key, depth)
            _inspect_value(field, inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _inspect_value(field, inner, depth + 1)


def _printable(field: str) -> str:
    return field.encode("ascii", "backslashreplace").decode().replace("\0", "\\x00")
