"""What differs between the settings of one node in two definitions, in words."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from portal.definitions.catalog import Schema
from portal.definitions.changes.json_text import is_same, text_of
from portal.definitions.changes.values import (
    MAX_VALUE,
    added_and_removed,
    cut,
    in_words,
    voices_in_words,
)
from portal.definitions.locales import display_name
from portal.definitions.settings import setting_name
from portal.web.formats import number

Settings = Mapping[str, object]
Side = tuple[Mapping[str, Schema], Settings]
"""The settings that the catalog knows, and those that the definition has."""

VOICES = "voice_map"


def setting_changes(of: str, old: Side, new: Side) -> Iterator[str]:
    """A sentence for each setting that differs, in the order of the catalog, then by key.

    `of` says whose settings they are, as the sentence goes on after the name of the setting.
    """
    known, keys = [*new[0]], old[1].keys() | new[1].keys()
    for key in [*(key for key in known if key in keys), *sorted(keys - {*known})]:
        if not _is_same(old[1], new[1], key):
            yield from _setting(key, of, old, new)


def _is_same(old: Settings, new: Settings, key: str) -> bool:
    """Whether it is the same JSON in both, where null is not the same as absent."""
    return (key in old) == (key in new) and is_same(old.get(key), new.get(key))


def _setting(key: str, of: str, old: Side, new: Side) -> Iterator[str]:
    subject = f"{setting_name(cut(key)) or 'A setting'}{of}"
    match old[1].get(key), new[1].get(key):
        case None, None:
            yield f"{subject} {_ALIKE}"
        case (Mapping() | None as before, Mapping() | None as after) if key == VOICES:
            yield from list(_voices(of, before or {}, after or {})) or [f"{subject} {_ALIKE}"]
        case (list() | None as before, list() | None as after):
            yield _list(key, subject, before or [], after or [])
        case (str() | None as before, str() | None as after) if _is_long(before) or _is_long(after):
            yield f"{subject} changed ({_lengths(before or '', after or '')})"
        case (dict() | list(), _) | (_, dict() | list()):
            yield f"{subject} changed"
        case _:
            before, after = _said(key, *old), _said(key, *new)
            yield f"{subject} {f'{before} → {after}' if before != after else _ALIKE}"


_ALIKE = "written differently"
"""Said where both values mean or read the same."""


def _said(key: str, known: Mapping[str, Schema], settings: Settings) -> str:
    """A value as it counts: absent, null and the empty text are the default of the catalog."""
    value = settings.get(key)
    default = known.get(key, {}).get("default")
    if (value is None or value == "") and default is not None:
        return f"{in_words(key, default)} (default)"
    return in_words(key, value)


def _is_long(text: str | None) -> bool:
    return text is not None and (len(text) > MAX_VALUE or "\n" in text)


def _lengths(before: str, after: str) -> str:
    if len(before) == len(after):
        return f"{number(len(after))} characters, as before"
    return f"{number(len(before))} → {number(len(after))} characters"


def _list(key: str, subject: str, before: list[object], after: list[object]) -> str:
    texts = [Counter(map(text_of, each)) for each in (before, after)]
    added, removed = texts[1] - texts[0], texts[0] - texts[1]
    differences = added_and_removed(
        *([in_words(key, json.loads(text)) for text in found.elements()] for found in (added, removed))
    )
    if not differences:
        return f"{subject} {_ALIKE if is_same(before, after) else 'in another order'}"
    return f"{subject}: {differences}"


def _voices(of: str, before: Settings, after: Settings) -> Iterator[str]:
    for locale in sorted(before.keys() | after.keys()):
        if not _is_same(before, after, locale):
            said = [voices_in_words(each.get(locale)) for each in (before, after)]
            what = " → ".join(said) if said[0] != said[1] else "changed"
            yield f"Voices{of} for {cut(display_name(locale))} {what}"
