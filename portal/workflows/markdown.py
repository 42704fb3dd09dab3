"""Rendering a workflow as Markdown (contract 3.13)."""

import re
from collections.abc import Mapping

from portal.definitions.graph import Node, edges_of, nodes_of, type_in_words
from portal.definitions.summary import languages_of

MAX_VALUE = 80
"""Characters of a setting in the table."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def to_markdown(name: str, description: str | None, definition: Mapping[str, object]) -> str:
    """Name, description, the pipeline and a table of nodes with their settings."""
    nodes = nodes_of(definition)
    lines = [f"# {_plain(name)}", ""]
    if description:
        lines += [*(_plain(line) for line in description.splitlines()), ""]
    count = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
    languages = languages_of(nodes)
    lines += [f"{count}, languages: {', '.join(map(_plain, languages))}" if languages else count, ""]
    if nodes:
        lines += _pipeline(definition, nodes) + _table(nodes)
    return "\n".join(lines).rstrip() + "\n"


def _pipeline(definition: Mapping[str, object], nodes: list[Node]) -> list[str]:
    names = {node.id: node.display_name for node in nodes}
    leads = {node.id: [b for a, b in edges_of(definition) if a == node.id and b in names] for node in nodes}
    lines = ["## Pipeline", ""]
    for number, node in enumerate(nodes, 1):
        targets = ", ".join(_plain(names[target]) for target in leads[node.id])
        lines.append(f"{number}. {_plain(node.display_name)}" + (f" → {targets}" if targets else ""))
    return [*lines, ""]


def _table(nodes: list[Node]) -> list[str]:
    lines = ["## Nodes", "", "| node | type | settings |", "| --- | --- | --- |"]
    for node in nodes:
        settings = "; ".join(f"{key}: {_value(value)}" for key, value in node.config.items())
        cells = (node.display_name, type_in_words(node.type), settings or "–")
        lines.append("| " + " | ".join(_plain(cell) for cell in cells) + " |")
    return lines


def _value(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _plain(text: str) -> str:
    """Escape Markdown and line breaks."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
