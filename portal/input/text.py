"""Text that every database can store: Unicode without NUL and surrogates."""

import re

STORABLE_PATTERN = r"^[^\x00]*$"
"""For JSON Schema, whose strings have no surrogates."""

NOT_BLANK_PATTERN = r"^[^\x00]*[^\s\x00][^\x00]*$"
"""The same with a character that is not white space."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether SQLite and PostgreSQL both store this text."""
    return _UNSTORABLE.search(text) is None


def storable(text: str) -> str:
    """The text without what databases cannot store."""
    return _UNSTORABLE.sub("", text)
