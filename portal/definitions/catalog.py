"""The catalog of node types: the only place that knows their ports, settings, defaults and ranges.

Whoever lists, validates, draws or runs nodes reads it; adding a type begins here, or in a package of its own
(docs/handlers.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Category = Literal["source", "operator", "validation", "output"]
Schema = Mapping[str, Any]
"""A JSON schema of the few words that `settings` understands."""

MAX_SCRIPT = 500_000
"""Characters of the text of a script node."""

LINES = "lines"
"""The port of a node that has one way in, or one way out."""
PASS, FAIL = "pass", "fail"
"""Output ports of a validator."""


@dataclass(frozen=True)
class Port:
    """Where lines enter or leave a node."""

    name: str
    fields: tuple[str, ...]
    """What the lines must have here, or have from here on: `text`, `audio`."""

    def lacks(self, needed: "Port") -> list[str]:
        """What an input port needs and this output port does not give (contract part 2, 4.4)."""
        return [each for each in needed.fields if each not in self.fields]


@dataclass(frozen=True, kw_only=True)
class NodeType:
    slug: str
    category: Category
    display_name: str
    description: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    settings: Mapping[str, Schema] = field(default_factory=dict)
    """The known keys of `config`; others are kept and ignored. A key without a default may be absent."""
    version: int = 1
    beta: bool = False
    queue: str = "steps"
    """The queue of its steps: workers listen to those that they are told to, by default to `steps`."""

    def input(self, name: str) -> Port | None:
        return next((port for port in self.inputs if port.name == name), None)

    def output(self, name: str) -> Port | None:
        return next((port for port in self.outputs if port.name == name), None)

    @property
    def speaks(self) -> bool:
        """Whether lines need no audio to enter and leave with it, as from a Voice Generator."""
        needed = {each for port in self.inputs for each in port.fields}
        return "audio" not in needed and any("audio" in port.fields for port in self.outputs)

    def value(self, config: Mapping[str, Any], key: str) -> Any:
        """A setting as it counts: null is absent, and so is an empty text; absent is the default."""
        value = config.get(key)
        return self.settings[key].get("default") if value is None or value == "" else value


class MissingType(NodeType):
    """Stands for a type that this installation does not have: its ports may be anything."""

    def input(self, name: str) -> Port | None:
        return Port(name, ())

    def output(self, name: str) -> Port | None:
        return Port(name, ("text", "audio"))

    @property
    def speaks(self) -> bool:
        return self.category in ("source", "operator")


CATEGORIES: Mapping[str, Category] = {
    "source": "source",
    "operator": "operator",
    "validator": "validation",
    "sink": "output",
}
"""The category that the first word of a slug gives."""


_TEXT: Schema = {"type": "string"}
_YES: Schema = {"type": "boolean", "default": True}
_LOCALE: Schema = {"type": "string", "format": "locale", "description": "A locale such as de-de."}
_OBJECT: Schema = {"type": "object"}
_VOICES: Schema = {
    "type": "object",
    "format": "voices",
    "default": {},
    "description": "The voices by locale. None for a locale: the portal chooses.",
    "additionalProperties": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "voice_id": _TEXT,
                "provider": _TEXT,
                "model": _TEXT,
                "catalog_voice_id": _TEXT,
                "voice_name": _TEXT,
                "provider_config": _OBJECT,
                "canonical_controls": _OBJECT,
            },
            "required": ["voice_id", "provider", "model"],
        },
    },
}


def _words(*allowed: str) -> Schema:
    """One of these words; the first is the default."""
    return {"type": "string", "enum": list(allowed), "default": allowed[0]}


def _whole(default: int, least: int, most: int) -> Schema:
    return {"type": "integer", "default": default, "minimum": least, "maximum": most}


def _texts(description: str, format_: str) -> Schema:
    return {"type": "array", "format": format_, "items": _TEXT, "default": [], "description": description}


_GIVES_TEXT = (Port(LINES, ("text",)),)
_GIVES_AUDIO = (Port(LINES, ("text", "audio")),)
_NEEDS_TEXT = (Port(LINES, ("text",)),)
_NEEDS_AUDIO = (Port(LINES, ("audio",)),)
_JUDGED = (Port(PASS, ("text", "audio")), Port(FAIL, ("text", "audio")))


def _validator(
    slug: str, name: str, description: str, threshold: int, least: int, most: int, **more: Any
) -> NodeType:
    settings: dict[str, Schema] = {
        "threshold": {"type": "number", "default": threshold, "minimum": least, "maximum": most},
        "max_retries": _whole(3, 1, 50),
    }
    settings |= more.pop("settings", {})
    return NodeType(
        slug=slug,
        category="validation",
        display_name=name,
        description=description,
        inputs=_NEEDS_AUDIO,
        outputs=_JUDGED,
        settings=settings,
        **more,
    )


_TYPES = (
    NodeType(
        slug="source_script",
        category="source",
        display_name="Script Input",
        description="Reads the lines of a script: a text, or uploaded files.",
        inputs=(),
        outputs=_GIVES_TEXT,
        settings={
            "input_type": _words("text", "file", "media"),
            "text": {"type": "string", "format": "multiline", "maxLength": MAX_SCRIPT},
            "upload_ids": _texts("The ids of uploaded scripts.", "uploads"),
            "csv_column": _TEXT,
            "csv_has_header": _YES,
            "source_language": {
                **_LOCALE,
                "format": "language",
                "description": "A locale such as en-us, or a language such as en.",
            },
            "input_mode": _words("plain", "markup"),
        },
    ),
    NodeType(
        slug="operator_translator",
        category="operator",
        display_name="Translator",
        description="Translates each line into every target language.",
        inputs=_NEEDS_TEXT,
        outputs=_GIVES_TEXT,
        settings={"target_languages": _texts("Locales such as de-de.", "locales")},
    ),
    NodeType(
        slug="operator_normalizer",
        category="operator",
        display_name="Normalizer",
        description="Writes numbers, dates and abbreviations the way they are spoken.",
        inputs=_NEEDS_TEXT,
        outputs=_GIVES_TEXT,
        settings={"engine": {"type": "string", "default": "llm"}, "target_locale": _LOCALE},
    ),
    NodeType(
        slug="operator_generator",
        category="operator",
        display_name="Voice Generator",
        description="Speaks each line with the voices of its locale.",
        inputs=_NEEDS_TEXT,
        outputs=_GIVES_AUDIO,
        settings={"voice_map": _VOICES, "target_locale": _LOCALE},
    ),
    NodeType(
        slug="operator_phoneme_injector",
        category="operator",
        display_name="Phonemizer",
        description="Marks how difficult words are pronounced.",
        inputs=_NEEDS_TEXT,
        outputs=_GIVES_TEXT,
        settings={
            "max_ngram": _whole(1, 1, 5),
            "llm_candidate_filter": _YES,
            "exclude_address_rows": _YES,
            "use_derived_word_parts": _YES,
        },
    ),
    NodeType(
        slug="operator_pronunciation_corrector",
        category="operator",
        display_name="Pronunciation Corrector",
        description="Speaks mispronounced words again and keeps the best attempt.",
        inputs=_NEEDS_AUDIO,
        outputs=_GIVES_AUDIO,
        settings={
            "n_candidates": _whole(2, 1, 8),
            "seed": {"type": "integer"},
            "target_ipa_source": _words("dictionary", "ped"),
            "fallback_to_detector_ipa": _YES,
        },
        beta=True,
    ),
    _validator(
        *("validator_error_rate", "Word Accuracy", "Compares what is heard with the text."),
        *(93, 70, 99),
    ),
    _validator(
        *("validator_naturalness", "Naturalness check", "Judges how natural the speech sounds."),
        *(70, 0, 100),
    ),
    _validator("validator_noise", "Clarity check", "Judges how clear of noise the audio is.", 70, 0, 100),
    _validator(
        *("validator_pronunciation", "Pronunciation check", "Compares the sounds with the expected ones."),
        *(99, 0, 100),
        settings={"k": {"type": "number", "default": 1.0}},
        beta=True,
    ),
    NodeType(
        slug="sink_preview",
        category="output",
        display_name="Export",
        description="Delivers the audio of the lines that reach it.",
        inputs=_NEEDS_AUDIO,
        outputs=(),
        settings={"format": _words("wav", "mp3")},
    ),
)

OURS: Mapping[str, NodeType] = {each.slug: each for each in _TYPES}
"""The node types that the portal brings (contract part 2, 4.3)."""


class Catalog(Mapping[str, NodeType]):
    """Every node type by its slug: ours, then those of plug-ins. Imported history may have others.

    A process has one catalog, as it has one portal.
    """

    def __init__(self) -> None:
        self._types = OURS

    def install(self, plug_ins: Sequence[NodeType]) -> None:
        """Have these types beside ours, instead of those of an earlier call; for the app factory."""
        self._types = {**OURS, **{each.slug: each for each in plug_ins}}

    def find(self, slug: str) -> NodeType:
        """The type, or what stands for it if it is missing."""
        return self._types.get(slug) or _missing(slug)

    def __getitem__(self, slug: str) -> NodeType:
        return self._types[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)


def _missing(slug: str) -> MissingType:
    return MissingType(
        slug=slug,
        category=CATEGORIES.get(slug.partition("_")[0], "operator"),
        display_name=slug,
        description="This installation does not have it.",
        inputs=(),
        outputs=(),
    )


def why_missing(slug: str) -> str:
    """What to do about a type that is missing here."""
    return (
        f"the node type {slug} is missing here. Install the package that brings it, "
        "and name the package in PORTAL_HANDLER_PLUGINS."
    )


CATALOG = Catalog()

OLD_SLUGS: Mapping[str, str] = {
    "processing_translator": "operator_translator",
    "processing_booster": "operator_normalizer",
    "processing_generator": "operator_generator",
}
"""What clients up to 0.10 call three of the types: accepted in definitions and stored under the new name."""
