"""What a definition is made of, in a few figures, and the languages that it is about."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from portal.definitions.graph import Node, nodes_of
from portal.definitions.locales import canonical, canonical_source
from portal.definitions.pipeline import Pipeline, PipelineNode
from portal.definitions.structure import Json


@dataclass(frozen=True)
class ValidatorSummary:
    """A validator and what it asks for: as the definition says it, or the default."""

    node_id: str
    type: str
    threshold: object
    """None, as `max_retries`, where the type has no such setting."""
    max_retries: object


@dataclass(frozen=True)
class Summary:
    nodes: int
    edges: int
    node_types: Mapping[str, int]
    """How many nodes of each type."""
    languages: list[str]
    """Source and target locales, sorted."""
    validators: list[ValidatorSummary]


def summary_of(definition: Json) -> Summary:
    """The figures of a well-shaped definition."""
    nodes, edges = definition["graph"]["nodes"], definition["graph"]["edges"]
    validators = Pipeline.of(definition).of_category("validation")
    return Summary(
        len(nodes),
        len(edges),
        Counter(node["type"] for node in nodes),
        sorted(languages_of(nodes_of(definition))),
        [
            ValidatorSummary(
                node.id, node.type.slug, _setting(node, "threshold"), _setting(node, "max_retries")
            )
            for node in validators
        ],
    )


def _setting(node: PipelineNode, key: str) -> object:
    return node.setting(key) if key in node.type.settings else None


def languages_of(nodes: Sequence[Node]) -> list[str]:
    """The locales that the settings of these nodes name, each once, in their order.

    Those that are no locales of the portal are given as they are written: imported definitions have any.
    """
    return list(dict.fromkeys(language for node in nodes for language in _named(node.config) if language))


def _named(config: Mapping[str, object]) -> Iterator[str]:
    source, target = config.get("source_language"), config.get("target_locale")
    if isinstance(source, str):
        yield canonical_source(source) or source
    spoken: list[object] = [target]
    languages, voices = config.get("target_languages"), config.get("voice_map")
    if isinstance(languages, list):
        spoken += languages
    if isinstance(voices, Mapping):
        spoken += [locale for locale, assigned in voices.items() if assigned]
    for language in spoken:
        if isinstance(language, str):
            yield canonical(language) or language
