"""Case folding for search, the same on every database."""

import unicodedata


def fold(text: str) -> str:
    """NFKC case folding for all of Unicode: search ignores case and compatibility forms."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)
