"""Words of the workspace's dictionary in a text, marked with how they are pronounced."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from portal.engine.contract import Item, Pronunciation
from portal.engine.media import markup
from portal.engine.media.markup import Element, Part

_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_TOKEN = re.compile(r"\S+")
_ADDRESS = re.compile(r"://|@\w|\bwww\.")
_PART = re.compile(r"[^\-'’]+")
_MARKED = ("phoneme", "sub", "say-as")


class Spelling(StrEnum):
    """What of a dictionary's entry is used."""

    BOTH = "both"
    """The IPA where a voice reads it, and the alias elsewhere."""
    IPA = "ipa"
    ALIAS = "alias"


@dataclass(frozen=True)
class Marking:
    """How words are looked for."""

    max_words: int = 1
    """The longest entry that is looked for, in words."""
    skip_addresses: bool = True
    """Whether addresses of pages and people are left alone."""
    use_parts: bool = True
    """Whether the parts of a word count that is not there itself: of well-known, and of Anna's."""
    spelling: Spelling = Spelling.BOTH


@dataclass
class Found:
    """The words of a text that the dictionary has, with how often, and those that it does not have."""

    known: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)


def marked(item: Item, words: Mapping[str, Pronunciation], marking: Marking, found: Found) -> str | None:
    """The markup of an item with its words marked; None if it has none. What is marked already stays."""
    parts: Sequence[Part] = [item.text] if item.markup is None else markup.parse(item.markup)
    written = _parts(parts, words, marking, found)
    return markup.write(written) if markup.has_elements(written) else None


def unmarked(item: Item) -> str | None:
    """The markup of an item without what says how words are pronounced; None if it has no other."""
    written = _unwrapped(markup.parse(item.markup)) if item.markup is not None else []
    return markup.write(written) if markup.has_elements(written) else None


def _unwrapped(parts: Sequence[Part]) -> list[Part]:
    written: list[Part] = []
    for part in parts:
        if isinstance(part, str):
            written.append(part)
        elif part.name in ("phoneme", "sub"):
            written += _unwrapped(part.content)
        else:
            written.append(Element(part.name, part.attributes, _unwrapped(part.content)))
    return written


def _parts(
    parts: Sequence[Part], words: Mapping[str, Pronunciation], marking: Marking, found: Found
) -> list[Part]:
    written: list[Part] = []
    for part in parts:
        if isinstance(part, str):
            written += _text(part, words, marking, found)
        elif part.name in _MARKED:
            written.append(part)
        else:
            content = _parts(part.content, words, marking, found)
            written.append(Element(part.name, part.attributes, content))
    return written


def _text(text: str, words: Mapping[str, Pronunciation], marking: Marking, found: Found) -> list[Part]:
    spans = _spans(text, marking)
    written: list[Part] = []
    place, number = 0, 0
    while number < len(spans):
        start, end, count, element = _match(text, spans, number, words, marking)
        if element is None:
            _count(found.unknown, text[start:end])
        else:
            _count(found.known, text[start:end])
            written += [text[place:start], element]
            place = end
        number += count
    return [part for part in [*written, text[place:]] if part]


def _spans(text: str, marking: Marking) -> list[tuple[int, int]]:
    """Where the words are."""
    spans = []
    for token in _TOKEN.finditer(text):
        if not (marking.skip_addresses and _ADDRESS.search(token[0])):
            spans += [(word.start(), word.end()) for word in _WORD.finditer(text, token.start(), token.end())]
    return spans


def _match(
    text: str,
    spans: Sequence[tuple[int, int]],
    number: int,
    words: Mapping[str, Pronunciation],
    marking: Marking,
) -> tuple[int, int, int, Element | None]:
    """The longest entry that begins with a word: its place, its words, and how it is pronounced."""
    start, first_end = spans[number]
    for count in range(min(marking.max_words, len(spans) - number), 0, -1):
        end = spans[number + count - 1][1]
        is_phrase = all(
            text[left[1] : right[0]].isspace()
            for left, right in zip(spans[number:], spans[number + 1 : number + count], strict=False)
        )
        entry = words.get(" ".join(text[start:end].lower().split())) if is_phrase else None
        element = _element(text[start:end], entry, marking.spelling) if entry else None
        if element is not None:
            return start, end, count, element
    if marking.use_parts:
        for part in _PART.finditer(text[start:first_end]):
            entry = words.get(part[0].lower()) if part[0] != text[start:first_end] else None
            element = _element(part[0], entry, marking.spelling) if entry else None
            if element is not None:
                return start + part.start(), start + part.end(), 1, element
    return start, first_end, 1, None


def _element(word: str, entry: Pronunciation, spelling: Spelling) -> Element | None:
    """A word as the entry says; None if it says nothing that can be used."""
    said: Sequence[Part] = [word]
    element = None
    if entry.ipa and spelling != Spelling.ALIAS and _can_be(entry.ipa, "phoneme", "ph"):
        element = Element("phoneme", {"alphabet": "ipa", "ph": entry.ipa}, said)
        said = [element]
    if entry.alias and spelling != Spelling.IPA and _can_be(entry.alias, "sub", "alias"):
        element = Element("sub", {"alias": entry.alias}, said)
    return element


def _can_be(value: str, name: str, attribute: str) -> bool:
    return markup.ELEMENTS[name][attribute].fullmatch(value) is not None


def _count(counts: dict[str, int], word: str) -> None:
    word = " ".join(word.lower().split())
    counts[word] = counts.get(word, 0) + 1
