"""Runs as heavy as an import takes them: lines of up to 16 MiB, each heavy in its own way.

`&` takes five bytes in HTML, and a face four in UTF-8 and twelve in an address.
"""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from portal.moments import format_moment
from tests.factories import NOON
from tests.history.lines import run_line

LONG = "&" * 1_000_000
FACE = "\N{GRINNING FACE}"


def written(line: Mapping[str, Any]) -> bytes:
    """The line in UTF-8: escaped it would be too long to be imported."""
    return json.dumps(line, ensure_ascii=False).encode()


def long_texts() -> dict[str, Any]:
    """Errors and a title of a million characters, steps with long names and errors, 50 a page."""
    steps = [
        {
            "node_id": f"n{n}",
            "name": f"{n}{LONG[:40_000]}",
            "status": "failed",
            "error": f"{n}{LONG[:60_000]}",
        }
        | _times(n, n + 1)
        for n in range(60)
    ]
    steps[0] |= {"error": None, "last_command": LONG}
    pause = {"pause_reason": "user", "pause_error": LONG}
    return run_line("texts", status="failed", error=LONG, title=LONG, steps=steps, **pause)


def many_keys() -> dict[str, Any]:
    """A hundred thousand keys wherever there may be some."""
    keys = {f"key_{n}": n for n in range(100_000)}
    result = {"node_id": "a", "status": "completed", "result": keys, **_times(0, 1)}
    short = {"node_id": "b", "status": "completed", "result": {f"k{n}": LONG[:300] for n in range(400)}}
    return run_line("keys", usage_summary=keys, labels=keys, steps=[result, short | _times(1, 2)], **keys)


def great_definition() -> dict[str, Any]:
    nodes = [{"id": f"n{n}", "type": "sink_preview", "name": f"Node {n}"} for n in range(100_000)]
    edges = [{"source": f"n{n}", "target": "n0"} for n in range(100_000)]
    return run_line("definition", definition_snapshot={"graph": {"nodes": nodes, "edges": edges}})


def drawn_definition() -> dict[str, Any]:
    """As many nodes and edges as are drawn, with long ids, names and types."""
    return run_line("drawn", definition_snapshot=_graph(), steps=[_step(n, n, n + 1) for n in range(150)])


def long_ids() -> dict[str, Any]:
    """Node ids and types of a thousand characters."""
    return run_line(
        "ids",
        steps=[
            _step(n, 2 * n, 2 * n + 1) | {"node_id": _face(n, 1000), "node_type": _face(n % 60, 1000)}
            for n in range(1500)
        ],
    )


def many_takes() -> dict[str, Any]:
    """A line with ten thousand takes in five thousand languages, and one take with a thousand validations."""
    takes = [{"locale": f"l{n % 5000}", "status": ("dropped", "delivered")[n % 2]} for n in range(10_000)]
    said = [
        {"kind": "wer", "node_id": f"v{n}", "score": 0.5, "passed": False, "reason": LONG[:1000]}
        for n in range(1000)
    ]
    lines = [{"script": LONG, "takes": takes}] + [{"script": "x", "takes": [{"validations": said}]}] * 9
    return run_line("takes", output_lines=lines)


def many_outputs() -> dict[str, Any]:
    takes = [{"output_node_id": _face(n, 1000)} for n in range(2000)]
    named = [{"output_node_id": f"out {n}", "voice": LONG[:1000]} for n in range(2000)]
    return run_line("outputs", output_lines=[{"script": "x", "takes": takes + named}])


def everything() -> dict[str, Any]:
    """As much as is shown of everything at once, each as heavy as it may be."""
    said = [
        {"kind": "&" * 100, "node_id": _face(n, 20), "label": LONG[:100], "score": 0.123, "wer": 0.5}
        | {"passed": False, "reason": LONG[:600], "transcript": LONG[:600]}
        for n in range(12)
    ]
    takes = [
        {"locale": _face(n // 2, 24), "script": LONG[:900], "voice": LONG[:200], "validations": said}
        | {"output_node_id": _face(n, 20), "status": ("dropped", "delivered")[n % 2], "duration_ms": 1}
        for n in range(44)
    ]
    steps = [
        _step(n, 10 * n, 10 * n + 1)
        | {"node_type": _face(n % 45, 24), "status": "failed", "iteration": 10**15}
        | {"result": {f"{k}{LONG[:200]}": LONG[:900] for k in range(2)}}
        for n in range(1200)
    ]
    keys = {f"{n}{LONG[:300]}": LONG[:1000] for n in range(150)}
    line = run_line("all", status="failed", error=LONG, title=LONG, pause_error=LONG, pause_reason="user")
    lines = [{"script": LONG[:5000], "takes": takes} for _ in range(5)]
    parts = {"steps": steps, "output_lines": lines, "usage_summary": keys, "definition_snapshot": _graph()}
    return line | keys | parts


def many_attempts() -> dict[str, Any]:
    """The same with as many attempts at as many nodes as are drawn each on its own."""
    steps = [
        _step(n % 40, 10 * n, 10 * n + 1) | {"status": "failed", "iteration": 10**15 + n} for n in range(1200)
    ]
    return everything() | {"id": run_line("attempts")["id"], "steps": steps}


def _graph() -> dict[str, Any]:
    nodes = [{"id": _face(n, 210), "type": LONG[:1000], "name": f"{n}{LONG[:1000]}"} for n in range(150)]
    ids = [node["id"] for node in nodes]
    edges = [{"source": ids[n % 149], "target": ids[149 - n // 149]} for n in range(1000)]
    return {"graph": {"nodes": nodes, "edges": edges}}


def _step(number: int, begin: int, end: int) -> dict[str, Any]:
    texts = {"name": f"{number}{LONG[:500]}", "error": LONG[:1000]}
    return {"node_id": _face(number, 210), "status": "completed", **texts, **_times(begin, end)}


def _face(number: int, length: int) -> str:
    """A name of so many faces that differs for each number."""
    return f"{number}{FACE * length}"[:length]


def _times(begin: int, end: int) -> dict[str, str]:
    first, last = (NOON + timedelta(seconds=seconds) for seconds in (begin, end))
    return {"started_at": format_moment(first), "completed_at": format_moment(last)}


EXTREMES: tuple[Callable[[], dict[str, Any]], ...] = (
    long_texts,
    many_keys,
    great_definition,
    drawn_definition,
    long_ids,
    many_takes,
    many_outputs,
    everything,
    many_attempts,
)
