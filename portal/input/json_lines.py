"""Where the members of a JSON text stand: errors in a pasted definition can then name their line."""

import json
import re
from collections.abc import Mapping

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


def lines_of(text: str) -> dict[str, int]:
    """The line, from 1, on which each member of a valid JSON text begins, by its path.

    A member of an object begins with its key. A path joins keys and indexes with dots, such as
    `graph.nodes.2.config`; that of the whole is "".
    """
    lines: dict[str, int] = {}
    path: list[str | int] = []
    """The keys and indexes that lead to the next value."""
    is_key = False
    line, counted = 1, 0
    for found in _TOKEN.finditer(text):
        line += text.count("\n", counted, found.start())
        counted, part = found.start(), found[0]
        if part in "}]":
            path.pop()
        elif part == ",":
            last = path.pop()
            is_key = isinstance(last, str)
            path.append(last + 1 if isinstance(last, int) else "")
        elif part != ":":
            if is_key:
                path[-1] = json.loads(part)
                is_key = False
            lines.setdefault(".".join(map(str, path)), line)
            if part in "{[":
                is_key = part == "{"
                path.append("" if is_key else 0)
    return lines


def line_near(lines: Mapping[str, int], path: str) -> int:
    """The line of a member, or of the nearest one around it that is there; of `lines_of` any text."""
    while path not in lines:
        path = path.rpartition(".")[0]
    return lines[path]
