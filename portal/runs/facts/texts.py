"""The text in which a run is searched: its title, label values, branch, commit and error, folded."""

from portal.input.folding import fold
from portal.input.text import storable
from portal.runs.facts.facts import Given
from portal.runs.facts.terms import labels_of

MAX_ERROR = 2_000
"""Characters of the error that are searched."""
MAX_PART = 1_000
"""Characters of each other text."""
_BORDER = "\x1e"
"""Stands between texts and in none of them, so that no match crosses from one to the next."""


def text_of(source: object, error: str | None) -> str:
    """What is searched of a run, empty where it has nothing of the kind."""
    given = Given(source)
    ref = Given(given.object("ref"))
    parts = [
        given.text("title"),
        *(text for _, text in labels_of(source)),
        ref.text("branch"),
        ref.text("commit"),
    ]
    cut = [part[:MAX_PART] for part in parts if part] + ([error[:MAX_ERROR]] if error else [])
    return _BORDER.join(filter(None, map(searched, cut)))


def searched(text: str) -> str:
    """A text as it is compared: folded, without what no database stores."""
    return fold(storable(text)).replace(_BORDER, " ")
