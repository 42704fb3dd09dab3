"""The settings of a node as fields of a form, made from the schemas of its type, and back.

A field that comes back as it was shown leaves its setting as it is stored, however that is written. What the
schema refuses is stored as it was typed, so that validation says what is wrong with it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from portal.definitions.catalog import NodeType, Schema
from portal.definitions.changes.json_text import is_same
from portal.definitions.editing.choices import Option, VoiceChoice, VoiceChoices, locale_boxes, locale_options
from portal.definitions.settings import setting_name
from portal.definitions.shape import Json, is_number
from portal.input.bodies import strict_json

Kind = Literal["line", "text", "number", "choice", "boxes", "voices", "json"]
"""How a field is drawn: `boxes` and `voices` have several values, the others one."""

YES, NO = "true", "false"
_INTEGER = re.compile(r"-?[0-9]{1,300}")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?|[+-]?\.[0-9]+([eE][+-]?[0-9]{1,3})?")
_NO_LINES = re.compile(r"[\r\n]")
ABSENT = object()
"""What `read` gives where the setting is to be left out."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a node may be set to where it is: things that its schema cannot list."""

    voices: VoiceChoices
    uploads: Mapping[str, str]
    """Names of uploaded scripts, by id in lower case."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One setting of a node."""

    key: str
    kind: Kind
    label: str
    hint: str
    shown: Sequence[str]
    """The values that a browser sends back if nobody changes anything."""
    options: Sequence[Option] = ()
    groups: Sequence["VoiceGroup"] = ()
    """Of voices: one for each locale."""
    most: int | None = None
    """Characters of a text."""

    @property
    def value(self) -> str:
        return self.shown[0] if self.shown else ""

    @property
    def words(self) -> Sequence[str]:
        """What it is set to, for people who may only read it; empty if it is not set."""
        if self.kind == "voices":
            chosen = [(group.label, each) for group in self.groups for each in group.choices[:-1]]
            return [f"{label}: {dict(each.options)[each.chosen]}" for label, each in chosen]
        options = dict(self.options)
        return [options.get(each, each) for each in self.shown if each or self.kind == "choice"]


@dataclass(frozen=True, kw_only=True)
class VoiceGroup:
    """The voices of a locale: one choice for each that is assigned, and one more."""

    label: str
    choices: Sequence[VoiceChoice]


class _Control(Protocol):
    """One way to show a setting and to read it back."""

    def takes(self, schema: Schema, value: object) -> bool:
        """Whether it can show this value; None is none."""

    def field(self, key: str, schema: Schema, value: object, choices: Choices) -> Field: ...

    def read(self, sent: Sequence[str], schema: Schema, value: object, choices: Choices) -> object:
        """The new value, or ABSENT."""


def fields_of(node_type: NodeType, config: Mapping[str, Any] | None, choices: Choices) -> list[Field]:
    """The fields of a node's settings, in the order of the catalog."""
    values = config or {}
    return [
        _control(schema, values.get(key)).field(key, schema, values.get(key), choices)
        for key, schema in node_type.settings.items()
    ]


def changed_config(
    node_type: NodeType, config: Json | None, sent: Mapping[str, Sequence[str]], choices: Choices
) -> Json | None:
    """The settings with what was sent for some of the fields; the same object if nothing differs."""
    changed = dict(config or {})
    for field in fields_of(node_type, config, choices):
        values = sent.get(field.key)
        if values is None or _as_sent(field, values) == _as_sent(field, field.shown):
            continue
        schema = node_type.settings[field.key]
        old = changed.get(field.key)
        new = _control(schema, old).read([_lines(each) for each in values], schema, old, choices)
        if new is ABSENT:
            changed.pop(field.key, None)
        else:
            changed[field.key] = new
    return config if is_same(changed, config or {}) else changed


def _as_sent(field: Field, values: Iterable[str]) -> Sequence[str]:
    """What a browser makes of values: line breaks differ, and the order of boxes is that of the page."""
    sent = [_lines(each) for each in values]
    return sorted(set(sent)) if field.kind == "boxes" else sent


def on_one_line(text: str) -> str:
    """What a browser makes of a value in a field of one line."""
    return _NO_LINES.sub("", text)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _control(schema: Schema, value: object) -> _Control:
    """How a setting is shown; as JSON where its value is of another type than its schema says."""
    kind, format_ = schema["type"], schema.get("format")
    controls = (*_CONTROLS.get((kind, format_), ()), *_CONTROLS.get((kind, None), ()))
    return next((each for each in controls if each.takes(schema, value)), _JSON)


def _hint(schema: Schema) -> str:
    """What a setting is for and what it takes, in sentences."""
    parts = [schema["description"]] if schema.get("description") else []
    if "minimum" in schema:
        parts.append(f"{'A whole number from' if schema['type'] == 'integer' else 'From'} "
                     f"{schema['minimum']} to {schema['maximum']}.")  # fmt: skip
    if schema["type"] in ("integer", "number") and schema.get("default") is not None:
        parts.append(f"{schema['default']} unless set.")
    return " ".join(parts)


def _default_words(schema: Schema) -> str:
    default = schema.get("default")
    if default is None or default == "":
        return "Not set"
    words = ("No", "Yes")[default] if isinstance(default, bool) else setting_name(str(default))
    return f"{words} (unless set)"


class _Text:
    """A text of any length."""

    def takes(self, schema: Schema, value: object) -> bool:
        return "enum" not in schema and (value is None or isinstance(value, str))

    def field(self, key: str, schema: Schema, value: object, choices: Choices) -> Field:
        long = schema.get("format") == "multiline" or bool(_NO_LINES.search(_text(value)))
        text = _lines(_text(value))
        return Field(
            key=key,
            kind="text" if long else "line",
            label=setting_name(key),
            hint=_hint(schema),
            shown=[text],
            most=schema.get("maxLength"),
        )

    def read(self, sent: Sequence[str], schema: Schema, value: object, choices: Choices) -> object:
        return sent[0] if sent and sent[0] else ABSENT


class _Number:
    """A number, typed."""

    def takes(self, schema: Schema, value: object) -> bool:
        return value is None or is_number(value) or isinstance(value, str)

    def field(self, key: str, schema: Schema, value: object, choices: Choices) -> Field:
        text = "" if value is None else on_one_line(value) if isinstance(value, str) else json.dumps(value)
        return Field(key=key, kind="number", label=setting_name(key), hint=_hint(schema), shown=[text])

    def read(self, sent: Sequence[str], schema: Schema, value: object, choices: Choices) -> object:
        text = sent[0].strip() if sent else ""
        if not text:
            return ABSENT
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _NUMBER.fullmatch(text) and abs(float(text)) < float("inf") else text


class _Choice:
    """One of a few words, or yes and no; a value that is none of them is offered too, as it stands."""

    def takes(self, schema: Schema, value: object) -> bool:
        wanted = bool if schema["type"] == "boolean" else str
        return ("enum" in schema or wanted is bool) and (value is None or isinstance(value, wanted))

    def field(self, key: str, schema: Schema, value: object, choices: Choices) -> Field:
        chosen = {True: YES, False: NO}[value] if isinstance(value, bool) else _text(value)
        options: list[Option] = [("", _default_words(schema))]
        if schema["type"] == "boolean":
            options += [(YES, "Yes"), (NO, "No")]
        else:
            options += [(each, setting_name(each)) for each in schema["enum"]]
        return _chosen(key, schema, chosen, options)

    def read(self, sent: Sequence[str], schema: Schema, value: object, choices: Choices) -> object:
        text = sent[0] if sent else ""
        if schema["type"] == "boolean":
            return {YES: True, NO: False, "": ABSENT}.get(text, text)
        return text or ABSENT


class _Locale:
    """A locale, or a language where that is enough."""

    def takes(self, schema: Schema, value: object) -> bool:
        return value is None or isinstance(value, str)

    def field(self, key: str, schema: Schema, value: object, choices: Choices) -> Field:
        families = schema.get("format") == "language"
        options = [("", "Not set"), *locale_options(_text(value), families=families)]
        return _chosen(key, schema, _text(value), options)

    def read(self, sent: Sequence[str], schema: Schema, value: object, choices: Choices) -> object:
        return sent[0] if sent and sent[0] else ABSENT


def _chosen(key: str, schema: Schema, chosen: str, options: list[Option]) -> Field:
    if chosen not in [value for value, _ in options]:
        options = [*options, (chosen, chosen)]
    return Field(
        key=key,
        kind="choice",
        label=setting_name(key),
        hint="" if schema.get("format") else _hint(schema),
        shown=[chosen],
        options=options,
    )


class _Boxes:
    """Any of some texts: locales or uploaded scripts."""

    def takes(self, schema: Schema, value: object) -> bool:
        return value is None or _are_texts(value)

    def field(self, key: str, schema: Schema, value: object, choices: Choices) -> Field:
        chosen = list(dict.fromkeys(_texts(value)))
        if schema["format"] == "locales":
            options = locale_boxes(chosen)
        else:
            known = {each.lower(): each for each in chosen}
            options = [(known.pop(each, each), name) for each, name in choices.uploads.items()]
            options += [(each, f"{each} (not an uploaded script)") for each in known.values()]
            options += [(each, each) for each in chosen if each not in dict(options)]
        shown = [each for each, _ in options if each in chosen]
        return Field(
            key=key,
            kind="boxes",
            label=setting_name(key),
            hint=""
            if schema["format"] == "locales"
            else "Without a choice, the newest script of the workflow.",
            shown=shown,
            options=options,
        )

    def read(self, sent: Sequence[str], schema: Schema, value: object, choices: Choices) -> object:
        kept = [each for each in _texts(value) if _lines(each) in sent]
        there = set(map(_lines, kept))
        return [*kept, *(each for each in dict.fromkeys(sent) if each not in there)] or ABSENT


class _Lines:
    """A list of texts, one a line."""

    def takes(self, schema: Schema, value: object) -> bool:
        is_list = schema["items"].get("type") == "string"
        return is_list and (value is None or (_are_texts(value) and not any(map(_breaks, _texts(value)))))

    def field(self, key: str, schema: Schema, value: object, choices: Choices) -> Field:
        hint = f"{_hint(schema)} One a line.".strip()
        text = "\n".join(_texts(value))
        return Field(key=key, kind="text", label=setting_name(key), hint=hint, shown=[text])

    def read(self, sent: Sequence[str], schema: Schema, value: object, choices: Choices) -> object:
        return [line.strip() for line in (sent[0] if sent else "").split("\n") if line.strip()] or ABSENT


class _Voices:
    """Voices by locale."""

    def takes(self, schema: Schema, value: object) -> bool:
        return value is None or VoiceChoices.understands(value)

    def field(self, key: str, schema: Schema, value: object, choices: Choices) -> Field:
        groups = [
            VoiceGroup(label=label, choices=found) for label, found in choices.voices.groups(_members(value))
        ]
        return Field(
            key=key,
            kind="voices",
            label=setting_name(key),
            hint=_hint(schema),
            shown=[each.chosen for group in groups for each in group.choices],
            groups=groups,
        )

    def read(self, sent: Sequence[str], schema: Schema, value: object, choices: Choices) -> object:
        return choices.voices.assigned(sent, _members(value)) or ABSENT


class _Json:
    """Anything else, as JSON."""

    def takes(self, schema: Schema, value: object) -> bool:
        return True

    def field(self, key: str, schema: Schema, value: object, choices: Choices) -> Field:
        text = "" if value is None else value if isinstance(value, str) else _dumped(value)
        return Field(
            key=key,
            kind="json",
            label=setting_name(key),
            hint=f"{_hint(schema)} As JSON.".strip(),
            shown=[_lines(text)],
        )

    def read(self, sent: Sequence[str], schema: Schema, value: object, choices: Choices) -> object:
        text = sent[0] if sent else ""
        if not text.strip():
            return ABSENT
        try:
            return strict_json(text)
        except (ValueError, RecursionError):
            return text


_JSON = _Json()
_CONTROLS: Mapping[tuple[str, str | None], Sequence[_Control]] = {
    ("string", "locale"): [_Locale()],
    ("string", "language"): [_Locale()],
    ("string", None): [_Choice(), _Text()],
    ("boolean", None): [_Choice()],
    ("integer", None): [_Number()],
    ("number", None): [_Number()],
    ("array", "locales"): [_Boxes()],
    ("array", "uploads"): [_Boxes()],
    ("array", None): [_Lines()],
    ("object", "voices"): [_Voices()],
}
"""By the type and the format of a schema: the first that takes the value shows it."""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return value if isinstance(value, list) else []


def _members(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _breaks(text: str) -> bool:
    """Whether a text would not survive as one line of several."""
    return text != text.strip() or not text or bool(_NO_LINES.search(text))


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
