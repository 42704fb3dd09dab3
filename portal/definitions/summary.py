"""What a well-shaped definition is made of, in a few figures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from portal.definitions.graph import nodes_of
from portal.definitions.languages import languages_of
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
