"""What an installation can do with a definition (contract part 2, section 5).

The engine says what it can do with nodes of each type. These checks hold a definition against that.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Protocol

from portal.definitions.catalog import CATALOG
from portal.definitions.locales import canonical, script_locale
from portal.definitions.pipeline import Pipeline, PipelineNode
from portal.definitions.structure import Finding, about_node, quoted

Voice = tuple[str, str, str]
"""Provider, model and voice id."""


class Ability(Protocol):
    """What can be done with nodes of one type."""

    @property
    def unavailable(self) -> str | None:
        """Why they cannot run at all, and what to install or set, as a sentence."""

    @property
    def locales(self) -> Set[str] | None:
        """Where a voice is chosen automatically; None if locales do not matter."""

    @property
    def voices(self) -> Set[Voice] | None:
        """The voices that may be assigned; None if none are."""


@dataclass(frozen=True)
class Site:
    """What an installation can do."""

    abilities: Mapping[str, Ability] | None = None
    """By node type; None: whatever is needed."""
    closed: str | None = None
    """Why nothing runs here, as a sentence."""


def site_findings(pipeline: Pipeline, site: Site) -> Iterator[Finding]:
    """What in a definition cannot be done here. Validators never count: one that cannot judge says so."""
    if site.closed is not None:
        first = next((node for node in _working(pipeline)), None)
        if first is not None:
            yield about_node("unavailable_node", first.number, first.json, site.closed)
    elif site.abilities is not None:
        yield from _unavailable(pipeline, site.abilities)
        yield from _unrouted(pipeline, site.abilities)
        yield from _unknown_voices(pipeline, site.abilities)


def locales_reaching(pipeline: Pipeline) -> Mapping[str, Set[str]]:
    """The locales of the lines that reach each node that a source leads to."""
    reaching: dict[str, set[str]] = {
        node.id: set() for node in pipeline.nodes if node.id in pipeline.reachable
    }
    by_id = {node.id: node for node in pipeline.nodes}
    waiting = [node.id for node in pipeline.of_category("source")]
    while waiting:
        node_id = waiting.pop()
        leaving = _leaving(by_id[node_id], reaching[node_id])
        for edge in pipeline.edges:
            if edge.source == node_id and not leaving <= reaching[edge.target]:
                reaching[edge.target] |= leaving
                waiting.append(edge.target)
    return reaching


def _leaving(node: PipelineNode, reaching: Set[str]) -> Set[str]:
    if node.type.category == "source":
        return {source_locale(node)}
    if node.type.slug != "operator_translator":
        return reaching
    languages = node.setting("target_languages")
    named = [each for each in languages if isinstance(each, str)] if isinstance(languages, list) else []
    return {locale for locale in map(canonical, named) if locale is not None}


def source_locale(node: PipelineNode) -> str:
    """The locale of the lines of a source; that of a language which is no locale counts as not set."""
    language = node.setting("source_language") if "source_language" in node.type.settings else None
    return script_locale(language)


def _working(pipeline: Pipeline) -> Iterator[PipelineNode]:
    """The nodes that must be able to work."""
    for node in pipeline.nodes:
        if node.id in pipeline.reachable and node.type.category != "validation":
            yield node


def _unavailable(pipeline: Pipeline, abilities: Mapping[str, Ability]) -> Iterator[Finding]:
    """Types that the portal does not have are refused as such elsewhere."""
    for node in _working(pipeline):
        ability = abilities.get(node.type.slug)
        if ability is None and node.type.slug in CATALOG:
            said = f"no worker of this portal can run nodes of type {quoted(node.type.slug)}."
            yield about_node("unavailable_node", node.number, node.json, said)
        elif ability is not None and ability.unavailable is not None and not _is_mute(ability):
            yield about_node("unavailable_node", node.number, node.json, ability.unavailable)


def _is_mute(ability: Ability) -> bool:
    """Whether it only lacks voices, which is said for each locale and each assigned voice."""
    return ability.locales is not None and not ability.locales and not ability.voices


def _unrouted(pipeline: Pipeline, abilities: Mapping[str, Ability]) -> Iterator[Finding]:
    reaching = locales_reaching(pipeline)
    for node in _working(pipeline):
        ability = abilities.get(node.type.slug)
        if ability is None or ability.locales is None:
            continue
        assigned = {canonical(locale) for locale, voices in _voice_map(node).items() if voices}
        for locale in sorted(_spoken(node, reaching[node.id]) - ability.locales - assigned):
            said = (
                f"no voice for {locale} is chosen here by itself. Assign one, install the Debian package "
                "espeak-ng, or set PORTAL_PROVIDER_URL."
            )
            yield about_node("unrouted_locale", node.number, node.json, said, "config", "voice_map")


def _spoken(node: PipelineNode, reaching: Set[str]) -> Set[str]:
    """The locales whose voices are needed: a target locale stands for all."""
    target = node.setting("target_locale") if "target_locale" in node.type.settings else None
    only = canonical(target) if isinstance(target, str) else None
    return {only} if only is not None and reaching else reaching


def _unknown_voices(pipeline: Pipeline, abilities: Mapping[str, Ability]) -> Iterator[Finding]:
    for node in pipeline.nodes:
        voice_map = _voice_map(node)
        ability = abilities.get(node.type.slug) if voice_map else None
        if ability is None:
            continue
        known = ability.voices or frozenset()
        for locale, voices in voice_map.items():
            for number, each in enumerate(voices if isinstance(voices, list) else ()):
                voice = _voice(each)
                if voice is not None and voice not in known:
                    said = f"there is no voice {quoted('/'.join(voice))} here."
                    path = ("config", "voice_map", locale, number)
                    yield about_node("unknown_voice", node.number, node.json, said, *path)


def _voice_map(node: PipelineNode) -> Mapping[str, object]:
    found = node.setting("voice_map") if "voice_map" in node.type.settings else None
    return found if isinstance(found, dict) else {}


def _voice(assignment: object) -> Voice | None:
    """The voice that is assigned; None where this is not an assignment."""
    if not isinstance(assignment, dict):
        return None
    parts = [assignment.get(key) for key in ("provider", "model", "voice_id")]
    texts = [part for part in parts if isinstance(part, str)]
    return (texts[0], texts[1], texts[2]) if len(texts) == len(parts) else None
