"""The SSML that voices are given: six elements, written anew from what was read.

Nothing of what people write reaches a speech program as a tag, an attribute or an entity of theirs: whatever
is not of these elements becomes text. (A program may open the file that an `audio` element names.)
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

MAX_DEPTH = 20
"""Elements within each other; a deeper one becomes text."""

_SAID = r"[^\x00-\x1f\x7f<>]{1,500}"
_LEVELS = {
    "rate": "x-slow|slow|medium|fast|x-fast",
    "pitch": "x-low|low|medium|high|x-high",
    "volume": "silent|x-soft|soft|medium|loud|x-loud",
}
ELEMENTS: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    name: {attribute: re.compile(pattern) for attribute, pattern in attributes.items()}
    for name, attributes in {
        "phoneme": {"alphabet": "ipa", "ph": _SAID},
        "sub": {"alias": _SAID},
        "break": {
            "time": r"[0-9]{1,4}ms|[0-9](\.[0-9]{1,3})?s|10s",
            "strength": "none|x-weak|weak|medium|strong|x-strong",
        },
        "emphasis": {"level": "none|reduced|moderate|strong"},
        "prosody": {
            "rate": rf"{_LEVELS['rate']}|[1-9][0-9]{{1,2}}%",
            "pitch": rf"{_LEVELS['pitch']}|[+-][0-9]{{1,2}}%",
            "volume": rf"{_LEVELS['volume']}|[+-][0-9]{{1,2}}dB",
        },
        "say-as": {
            "interpret-as": "characters|cardinal|ordinal|digits|date|time|telephone|spell-out",
            "format": "[a-z]{1,10}",
        },
    }.items()
}
"""What may be said, and each of its attributes with the values that it may have."""

_REQUIRED = {"phoneme": "ph", "sub": "alias", "say-as": "interpret-as"}
_EMPTY = ("break",)
_DROPPED = ("speak",)
_TAG = re.compile(r"<(/?)([a-z-]{1,20})((?:\s+[a-z:-]{1,30}\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*(/?)>", re.I)
_ATTRIBUTE = re.compile(r"([a-z:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.I)
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9a-f]{1,6}));", re.I)
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


@dataclass(frozen=True)
class Element:
    name: str
    attributes: Mapping[str, str]
    content: Sequence["Part"]


Part = Element | str
"""An element, or text as people read it."""


def parse(markup: str) -> Sequence[Part]:
    """The parts of a text with markup, of which everything that is not allowed is text."""
    root: list[Part] = []
    open_ones: list[tuple[Element, list[Part]]] = [(Element("", {}, root), root)]
    place = 0
    for tag in _TAG.finditer(markup):
        here = open_ones[-1][1]
        _add(here, _decoded(markup[place : tag.start()]))
        place = tag.end()
        name = tag[2].lower()
        if tag[1]:
            _close(name, open_ones, tag[0])
        elif name in _DROPPED:
            continue
        elif (attributes := _allowed(name, tag[3])) is None or len(open_ones) > MAX_DEPTH:
            _add(here, tag[0])
        else:
            content: list[Part] = []
            here.append(Element(name, attributes, content))
            if not tag[4] and name not in _EMPTY:
                open_ones.append((Element(name, attributes, content), content))
    _add(open_ones[-1][1], _decoded(markup[place:]))
    return root


def _close(name: str, open_ones: list[tuple[Element, list[Part]]], written: str) -> None:
    """End the innermost element of this name and those within it; without one, the tag is text."""
    if name in _DROPPED or name in _EMPTY:
        return
    places = [place for place, (element, _) in enumerate(open_ones) if element.name == name]
    if places:
        del open_ones[places[-1] :]
    else:
        _add(open_ones[-1][1], written)


def _add(parts: list[Part], text: str) -> None:
    if parts and isinstance(parts[-1], str):
        parts[-1] += text
    elif text:
        parts.append(text)


def _allowed(name: str, written: str) -> Mapping[str, str] | None:
    """The allowed ones of the written attributes; None if the element is not allowed so."""
    if name not in ELEMENTS:
        return None
    found = {}
    for attribute in _ATTRIBUTE.finditer(written):
        key, value = attribute[1].lower(), _decoded(attribute[2] or attribute[3] or "")
        pattern = ELEMENTS[name].get(key)
        if pattern is not None and pattern.fullmatch(value):
            found[key] = value
    required = _REQUIRED.get(name)
    is_other_alphabet = name == "phoneme" and "alphabet" not in found
    return None if (required and required not in found) or is_other_alphabet else found


def _decoded(text: str) -> str:
    """Text with its entities replaced; what is no entity, and what no text can hold, stays as it is."""
    return _ENTITY.sub(_character, text)


def _character(entity: re.Match[str]) -> str:
    if entity[1]:
        return _ENTITIES[entity[1].lower()]
    number = int(entity[2]) if entity[2] else int(entity[3], 16)
    is_plain = 0x20 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
    return chr(number) if is_plain else entity[0]


def write(parts: Sequence[Part]) -> str:
    """The parts as markup: `parse` reads the same from it."""
    return "".join(escape(part, quote=False) if isinstance(part, str) else _written(part) for part in parts)


def _written(element: Element) -> str:
    return tagged(element, write(element.content))


def tagged(element: Element, content: str) -> str:
    """An element around content that is written already."""
    said = "".join(f' {name}="{escape(value)}"' for name, value in element.attributes.items())
    if not content:
        return f"<{element.name}{said}/>"
    return f"<{element.name}{said}>{content}</{element.name}>"


def has_elements(parts: Sequence[Part]) -> bool:
    return any(isinstance(part, Element) for part in parts)


def rebuilt(markup: str) -> str:
    """The markup with nothing in it but what is allowed."""
    return write(parse(markup))


def plain_text(markup: str) -> str:
    """What people read of it: its text without tags."""
    return _joined(parse(markup), lambda element, content: content)


def spoken_text(markup: str) -> str:
    """What a voice without markup is given: the text, with the spelling of `sub` for what it stands for."""
    return _joined(
        parse(markup),
        lambda element, content: element.attributes["alias"] if element.name == "sub" else content,
    )


def _joined(parts: Sequence[Part], say: Callable[[Element, str], str]) -> str:
    def texts() -> Iterator[str]:
        for part in parts:
            yield part if isinstance(part, str) else say(part, _joined(part.content, say))

    return "".join(texts())
