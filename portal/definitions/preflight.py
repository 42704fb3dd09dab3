"""Whether a definition can run, and what is odd about it (contract part 2, section 5).

`preflight_definition` holds a well-shaped definition, new or stored, against the rules of `structure` and
then against each of `CHECKS`. What a check must know of the place where the definition would run stands in
`Surroundings`.
"""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field

from portal.definitions.catalog import MissingType, why_missing
from portal.definitions.locales import canonical, canonical_source
from portal.definitions.pipeline import Pipeline, PipelineNode
from portal.definitions.site import Site, site_findings
from portal.definitions.structure import Finding, Json, about_node, quoted, validate_definition


@dataclass(frozen=True)
class Surroundings:
    """What a definition would meet where it runs."""

    scripts: Set[str] = frozenset()
    """The ids, in lower case, of the confirmed script uploads of the workspace that it may name."""
    has_own_script: bool = False
    """Whether the workflow has a confirmed script upload, which a file source without a choice takes."""
    site: Site = field(default_factory=Site)


@dataclass(frozen=True)
class Preflight:
    """What keeps a definition from being saved and from running, and what is only worth saying."""

    broken: list[Finding]
    """Rules of structure: what breaks one can neither be saved nor run."""
    obstacles: list[Finding]
    """What else keeps it from running."""
    warnings: list[Finding]

    @property
    def errors(self) -> list[Finding]:
        """All that keeps it from running."""
        return self.broken + self.obstacles


def preflight_definition(definition: Json, here: Surroundings) -> Preflight:
    """The errors and warnings of a well-shaped definition."""
    pipeline = Pipeline.of(definition)
    return Preflight(
        broken=validate_definition(definition),
        obstacles=[finding for check in CHECKS for finding in check(pipeline, here)],
        warnings=[finding for check in WARNINGS for finding in check(pipeline)],
    )


def named_scripts(definition: Json) -> set[str]:
    """The upload ids that source nodes name, as they are written."""
    sources = Pipeline.of(definition).of_type(_SCRIPT)
    return {each for node in sources for each in _upload_ids(node)}


def _missing_types(pipeline: Pipeline, _here: Surroundings) -> Iterator[Finding]:
    for node in pipeline.nodes:
        if isinstance(node.type, MissingType) and node.id in pipeline.reachable:
            said = why_missing(quoted(node.type.slug))
            yield about_node("unavailable_node", node.number, node.json, said, "type")


def _missing(pipeline: Pipeline, _here: Surroundings) -> Iterator[Finding]:
    if not pipeline.of_category("source"):
        yield _about_graph("missing_source", "There is no script to read: add a Script Input.")
    if not _speakers(pipeline):
        yield _about_graph("missing_generator", "Nothing speaks the lines: add a Voice Generator.")
    if not pipeline.of_category("output"):
        yield _about_graph("missing_sink", "Nothing delivers the audio: add an Export.")


def _unreachable_sink(pipeline: Pipeline, _here: Surroundings) -> Iterator[Finding]:
    generators = [node.id for node in _speakers(pipeline) if node.id in pipeline.reachable]
    sinks = pipeline.of_category("output")
    if sinks and not pipeline.reached_from(generators) & {sink.id for sink in sinks}:
        said = "cannot be reached from a Script Input through a Voice Generator."
        yield _about(sinks[0], "unreachable_sink", said)


def _scripts(pipeline: Pipeline, here: Surroundings) -> Iterator[Finding]:
    for node in pipeline.of_type(_SCRIPT):
        named = _upload_ids(node)
        unknown = [number for number, each in enumerate(named) if each.lower() not in here.scripts]
        if node.setting("input_type") == "text":
            if not _text(node).strip():
                yield _about(node, "empty_script", "it has no text.", "text")
        elif not named and not here.has_own_script:
            yield _about(node, "empty_script", "it has no uploaded script.", "upload_ids")
        for number in unknown:
            said = f"{quoted(named[number])} is not an uploaded script of this workspace."
            yield _about(node, "unknown_upload", said, "upload_ids", number)


def _translators(pipeline: Pipeline, _here: Surroundings) -> Iterator[Finding]:
    for node in pipeline.of_type("operator_translator"):
        if node.id in pipeline.reachable and not node.setting("target_languages"):
            said = "it has no target language."
            yield _about(node, "missing_target_languages", said, "target_languages")


def _locales(pipeline: Pipeline, _here: Surroundings) -> Iterator[Finding]:
    for node in pipeline.nodes:
        for path, language in _languages(node):
            known = canonical_source if path == ("source_language",) else canonical
            if not known(language):
                said = f"the portal does not know the locale {quoted(language)}."
                yield _about(node, "unsupported_locale", said, *path)


def _languages(node: PipelineNode) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The languages that the settings of a node name, with their places; no voices, no use of a locale."""
    for key in ("source_language", "target_locale", "target_languages", "voice_map"):
        value = node.setting(key) if key in node.type.settings else None
        if isinstance(value, str):
            yield (key,), value
        elif isinstance(value, list):
            yield from (((key, number), each) for number, each in enumerate(value) if isinstance(each, str))
        elif isinstance(value, dict):
            yield from (((key, locale), locale) for locale, voices in value.items() if voices)


def _endless_cycles(pipeline: Pipeline, _here: Surroundings) -> Iterator[Finding]:
    for cycle in pipeline.cycles(through_fail=False):
        said = "its lines come back to it for ever: no validator's fail port ends the cycle."
        yield _about(cycle[0], "endless_cycle", said)


Check = Callable[[Pipeline, Surroundings], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    _missing_types,
    _missing,
    _unreachable_sink,
    _scripts,
    _translators,
    _locales,
    _endless_cycles,
    lambda pipeline, here: site_findings(pipeline, here.site),
)
"""Every rule that what runs must follow beyond those of `structure`."""


def _cycles(pipeline: Pipeline) -> Iterator[Finding]:
    for cycle in pipeline.cycles():
        said = "its lines may come back to it, as often as the validators of the cycle retry."
        yield _about(cycle[0], "cycle", said)


def _unreachable_nodes(pipeline: Pipeline) -> Iterator[Finding]:
    for node in pipeline.nodes:
        if node.id not in pipeline.reachable:
            yield _about(node, "unreachable_node", "no Script Input leads to it; it will not run.")


def _no_validator(pipeline: Pipeline) -> Iterator[Finding]:
    if not pipeline.of_category("validation"):
        yield _about_graph("no_validator", "Nothing checks the audio: there is no validator.")


def _newer_configs(pipeline: Pipeline) -> Iterator[Finding]:
    for node in pipeline.nodes:
        version = node.json.get("config_version")
        known = not isinstance(node.type, MissingType)
        if known and version is not None and version > node.type.version:
            said = f"its settings are of a newer version than {node.type.version}, the portal's."
            yield _about(node, "newer_config_version", said)


WARNINGS: tuple[Callable[[Pipeline], Iterator[Finding]], ...] = (
    _cycles,
    _unreachable_nodes,
    _no_validator,
    _newer_configs,
)
"""What is odd, and never a refusal."""

_SCRIPT = "source_script"


def _speakers(pipeline: Pipeline) -> list[PipelineNode]:
    return [node for node in pipeline.nodes if node.type.speaks]


def _upload_ids(node: PipelineNode) -> list[str]:
    """What a script node that reads files names; of a wrong type it counts as nothing."""
    named = [] if node.setting("input_type") == "text" else node.setting("upload_ids")
    return [each for each in named if isinstance(each, str)] if isinstance(named, list) else []


def _text(node: PipelineNode) -> str:
    text = node.setting("text")
    return text if isinstance(text, str) else ""


def _about(node: PipelineNode, rule: str, sentence: str, *path: str | int) -> Finding:
    return about_node(rule, node.number, node.json, sentence, *(("config", *path) if path else ()))


def _about_graph(rule: str, sentence: str) -> Finding:
    return Finding(rule=rule, path="graph", message=sentence)
