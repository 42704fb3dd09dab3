"""Definitions of the sample's workflows: legal to save and to run (contract part 2, sections 4 and 5)."""

from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID

from portal.definitions.catalog import CATALOG
from portal.history.demo.uploads import script_id

_SPACING = 260
"""Distance between two nodes of the drawn graph."""
_THRESHOLDS = {
    slug: kind.settings["threshold"]["default"]
    for slug, kind in CATALOG.items()
    if "threshold" in kind.settings
}


def definition(
    workflow_id: UUID, node_types: Sequence[str], spoken: str, locales: Sequence[str], text: str
) -> dict[str, object]:
    """A pipeline of one node of each type, whose validators send refused lines back to the generator.

    It reads the text, or, if that is empty, the workflow's uploaded script.
    """
    configs: dict[str, dict[str, object]] = {
        "source_script": {"source_language": spoken, **_script(workflow_id, text)},
        "operator_translator": {"target_languages": list(locales)},
        "sink_preview": {"format": "wav"},
        **{name: {"threshold": threshold, "max_retries": 3} for name, threshold in _THRESHOLDS.items()},
    }
    nodes = [
        {
            "id": name,
            "type": name,
            "position": {"x": _SPACING * number, "y": 0},
            "config": configs.get(name, {}),
        }
        for number, name in enumerate(node_types)
    ]
    edges = [_edge(a, b) for a, b in pairwise(node_types)]
    edges += [
        _edge(name, "operator_generator", "fail") for name in node_types if name.startswith("validator_")
    ]
    return {
        "graph": {"nodes": nodes, "edges": edges},
        "execution": {"steps": list(node_types), "params": {}},
    }


def _script(workflow_id: UUID, text: str) -> dict[str, object]:
    if text:
        return {"input_type": "text", "text": text}
    return {"input_type": "file", "upload_ids": [str(script_id(workflow_id))]}


def _edge(source: str, target: str, port: str | None = None) -> dict[str, str]:
    port = port or ("pass" if source.startswith("validator_") else "lines")
    name = f"{source}-{target}" if port != "fail" else f"{source}-{port}-{target}"
    return {"id": name, "source": source, "sourcePort": port, "target": target, "targetPort": "lines"}
