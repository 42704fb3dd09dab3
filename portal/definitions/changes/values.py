"""Values of settings in words, each short."""

import json
from collections.abc import Mapping, Sequence

from portal.definitions.changes.json_text import text_of
from portal.definitions.locales import display_name
from portal.definitions.structure import quoted

MAX_VALUE = 60
MAX_LISTED = 5
"""Entries of a list that a sentence names."""

NONE = "none"


def in_words(key: str, value: object) -> str:
    """A value of the setting with this key."""
    match value:
        case None | "":
            return NONE
        case bool():
            return "yes" if value else "no"
        case str():
            name = display_name(value) if is_about_locales(key) else value
            return name if name != value else quoted(value)
    return cut(json.dumps(value, ensure_ascii=False, sort_keys=True))


def is_about_locales(key: str) -> bool:
    """Whether a setting holds locales or languages."""
    return any(word in key.split("_") for word in ("locale", "locales", "language", "languages"))


def voices_in_words(voices: object) -> str:
    """The voices for one locale."""
    if voices is None or voices == []:
        return "chosen by the portal"
    return listed([_voice(each) for each in (voices if isinstance(voices, list) else [voices])])


def _voice(voice: object) -> str:
    names = (
        [voice.get(key) for key in ("voice_name", "catalog_voice_id", "voice_id")]
        if isinstance(voice, Mapping)
        else []
    )
    name = next((each for each in names if isinstance(each, str) and each), None)
    return quoted(name) if name else cut(text_of(voice))


def added_and_removed(added: Sequence[str], removed: Sequence[str]) -> str:
    """What was added to a list and what was removed; empty if nothing was."""
    parts = ((added, "added"), (removed, "removed"))
    return "; ".join(f"{listed(names)} {what}" for names, what in parts if names)


def listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more:,} more" if more > 0 else "")


def cut(text: str) -> str:
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
