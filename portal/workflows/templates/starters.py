"""The templates that every workspace has. They are part of the portal: nobody changes or deletes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from portal.database.columns import JsonObject
from portal.definitions.catalog import LINES

ADDED_AT = datetime(2026, 11, 28, tzinfo=UTC)
"""When these came into the portal."""

_STEP = 280
"""How far apart nodes stand on the canvas."""

Node = tuple[str, str, str, Mapping[str, object]]
"""Id, type, name and configuration."""


@dataclass(frozen=True)
class Starter:
    id: str
    name: str
    description: str
    category: str
    definition: JsonObject


_SCRIPT: Node = ("script", "source_script", "Script", {"input_type": "text"})
_SPEAK: Node = ("speak", "operator_generator", "Speak", {})
_EXPORT: Node = ("export", "sink_preview", "Export", {"format": "wav"})


def _chain(nodes: Sequence[Node], *retries: tuple[str, str]) -> JsonObject:
    """Nodes that follow each other; a retry leads from the fail port of a validator back to a node."""
    edges = [
        _edge(before[0], "pass" if before[1].startswith("validator_") else LINES, after[0])
        for before, after in pairwise(nodes)
    ]
    edges += [_edge(validator, "fail", target) for validator, target in retries]
    drawn = [
        {
            "id": node_id,
            "type": kind,
            "name": name,
            "position": {"x": _STEP * place, "y": 0},
            "config": dict(config),
        }
        for place, (node_id, kind, name, config) in enumerate(nodes)
    ]
    return {"graph": {"nodes": drawn, "edges": edges}, "execution": {"steps": [], "params": {}}}


def _edge(source: str, port: str, target: str) -> dict[str, str]:
    return {
        "id": f"{source}-{port}-{target}",
        "source": source,
        "sourcePort": port,
        "target": target,
        "targetPort": LINES,
    }


_EVERY = (
    Starter(
        "ReadText",
        "Read a text aloud",
        "Speaks each line of a script and exports the audio.",
        "creative",
        _chain([_SCRIPT, _SPEAK, _EXPORT]),
    ),
    Starter(
        "DubText1",
        "Translate and speak",
        "Translates a script into German, French and Spanish, and speaks each of them.",
        "media",
        _chain(
            [
                _SCRIPT,
                (
                    "translate",
                    "operator_translator",
                    "Translate",
                    {"target_languages": ["de-de", "fr-fr", "es-es"]},
                ),
                _SPEAK,
                _EXPORT,
            ]
        ),
    ),
    Starter(
        "Course01",
        "Checked narration",
        "Writes out numbers, speaks each line, and speaks it again until it is understood word for word.",
        "education",
        _chain(
            [
                _SCRIPT,
                ("normalize", "operator_normalizer", "Write out numbers", {}),
                _SPEAK,
                ("words", "validator_error_rate", "Every word is heard", {"threshold": 93, "max_retries": 3}),
                _EXPORT,
            ],
            ("words", "speak"),
        ),
    ),
    Starter(
        "Names001",
        "Names said right",
        "Marks how difficult words are pronounced, speaks each line, and checks the pronunciation.",
        "business",
        _chain(
            [
                _SCRIPT,
                ("mark", "operator_phoneme_injector", "Mark pronunciations", {}),
                _SPEAK,
                ("names", "validator_pronunciation", "Names are right", {"threshold": 99, "max_retries": 3}),
                _EXPORT,
            ],
            ("names", "speak"),
        ),
    ),
)
STARTERS = {starter.id: starter for starter in _EVERY}
"""Every starter under its id."""
