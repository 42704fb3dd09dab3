"""Text as search sees it: without case, the same on every database."""

import unicodedata


def fold(text: str) -> str:
    """Fold case and compatibility forms for all of Unicode, so that containment ignores both."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)
