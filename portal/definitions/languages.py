"""The languages of a definition: those of its scripts and those it is spoken in."""

from collections.abc import Iterator, Mapping, Sequence

from portal.definitions.graph import Node
from portal.definitions.locales import canonical, canonical_source


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
