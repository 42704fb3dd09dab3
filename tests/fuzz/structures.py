"""What runs of extreme histories hold: steps, lines of output, scores, files and graphs."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from portal.history.parsing.readers import MAX_NUMBER
from tests.fuzz.edges import (
    LOCALES,
    MEASURES,
    MOMENTS,
    NODE_IDS,
    PAUSE_REASONS,
    SCORES,
    STATUSES,
    TAKE_STATUSES,
    TYPES,
    Edges,
)

Fields = dict[str, Any]
_FILE_NAMES = (
    *(
        "a.wav",
        "../../etc/passwd",
        "/etc/passwd",
        "a/b\\c",
        '"',
        "\n",
        "\r\nX: y",
        "\u202egpj.wav",
        "\x01",
        " ",
    ),
    *("\U0001f3a7" * 255, ".", "..", "CON", "a" * 255, "x;filename=y", "é.wav"),
)


def unknown_fields(edges: Edges) -> Fields:
    """Fields that no import knows; they are kept and shown."""
    return {f"more {edges.one([1, 2, 3])}": edges.measure(), "x" * edges.one([3, 300]): edges.text()}


# Steps


def step(edges: Edges, **fields: Any) -> Fields:
    found = {
        "node_id": edges.node_id(),
        "status": edges.one(STATUSES),
        "node_type": edges.one(TYPES),
        "name": edges.one([None, edges.name()]),
        "iteration": edges.one([None, 1, 2, edges.count(1)]),
        "error": edges.one([None, edges.text(500)]),
    } | fields
    return {name: value for name, value in found.items() if value is not None}


def few_steps(edges: Edges) -> Fields:
    return {
        "steps": [step(edges, started_at=edges.recent(), completed_at=edges.recent()) for _ in range(5)],
        "definition_snapshot": graph([*NODE_IDS, "out"], list(pairwise(NODE_IDS))),
    }


def steps_at_every_moment(edges: Edges) -> Fields:
    drawn = {"created_at": edges.moment, "completed_at": edges.moment}
    return {
        "steps": [
            step(edges, started_at=each, **{name: draw() for name, draw in drawn.items()}) for each in MOMENTS
        ]
    }


def lengths_of_steps(edges: Edges) -> Fields:
    """Where only a length is known, which the source may give in any way."""
    lengths = [*MEASURES, edges.measure(), None, True, "1", [1]]
    return {"steps": [step(edges, duration_seconds=each, duration_ms=edges.count()) for each in lengths]}


def attempts_in_one_lane(edges: Edges) -> Fields:
    begin = edges.now - timedelta(days=1)
    return {
        "steps": [
            step(
                edges,
                node_id="n",
                iteration=MAX_NUMBER - number,
                started_at=(begin + timedelta(milliseconds=number % 7)).isoformat(),
                completed_at=(begin + timedelta(milliseconds=number % 11)).isoformat(),
            )
            for number in range(100)
        ]
    }


def steps_without_length(edges: Edges) -> Fields:
    at = edges.safe_moment()
    return {"steps": [step(edges, node_id=f"n{n}", started_at=at, completed_at=at) for n in range(100)]}


def results_of_steps(edges: Edges) -> Fields:
    gave: Sequence[Callable[[], Any]] = (
        lambda: {"result": edges.usage()},
        lambda: {"result": edges.text()},
        lambda: {"result": {edges.text(50): edges.text(5000)}},
        lambda: {"active_ports": [edges.text() for _ in range(20)], "locales": list(LOCALES)},
        lambda: {"pause_reason": edges.one(PAUSE_REASONS), "pause_error": edges.text(3000)},
    )
    return {"steps": [step(edges, **edges.one(gave)()) for _ in range(30)]}


def many_steps(edges: Edges) -> Fields:
    begin = edges.now - timedelta(days=1)
    return {
        "status": "failed",
        "steps": [
            {
                "node_id": f"node {number % 3000}",
                "node_type": f"type {number % 50}",
                "status": STATUSES[number % 6],
                "error": "<" * 50,
                "started_at": (begin + timedelta(seconds=number // 2)).isoformat(),
                "completed_at": (begin + timedelta(seconds=number)).isoformat(),
            }
            for number in range(6000)
        ],
    }


def steps_with_long_names(edges: Edges) -> Fields:
    begin = edges.now - timedelta(days=1)
    return {
        "status": "failed",
        "steps": [
            {
                "node_id": f"{number}" + "<" * 900,
                "node_type": f"{number % 300}" + "&" * 900,
                "name": "\U0001f3a7" * 2000,
                "status": STATUSES[number % 6],
                "error": "'" * 3000,
                "pause_error": "<" * 3000,
                "started_at": (begin + timedelta(seconds=number)).isoformat(),
                "completed_at": edges.now.isoformat(),
            }
            for number in range(200)
        ],
    }


# What runs gave


def validation(edges: Edges, **fields: Any) -> Fields:
    return {
        "kind": edges.text(100),
        "node_id": edges.node_id(),
        "label": edges.name(),
        "score": edges.score(),
        "threshold": edges.score(),
        "wer": edges.score(),
        "cer": edges.score(),
        "passed": edges.one([None, True, False]),
        "reason": edges.text(),
        "transcript": edges.text(),
        "scored_on": edges.text(100),
        "inherited_from_take": edges.count(),
        "segments": [
            {"text": edges.text(), "status": edges.text(), "start": edges.count(), "end": edges.count()}
            for _ in range(edges.one([0, 1, 5]))
        ],
        "error_counts": {
            name: edges.count() for name in ("substitutions", "insertions", "deletions", "reference_units")
        },
    } | fields


def take(edges: Edges, **fields: Any) -> Fields:
    return {
        "locale": edges.one([None, *LOCALES]),
        "status": edges.one([None, *TAKE_STATUSES]),
        "duration_ms": edges.one([None, edges.count()]),
        "retry_count": edges.one([None, edges.count()]),
        "output_node_id": edges.one([None, "out", edges.node_id()]),
        "script": edges.text(),
        "voice": edges.name(),
        "provider": edges.name(),
        "model": edges.text(),
        "normalized": edges.one([None, True, False]),
        "audio": edges.one(
            [None, {"path": "a.wav", "name": edges.one(_FILE_NAMES)}, {"path": "deep/er/b.mp3"}]
        ),
        "validations": [validation(edges) for _ in range(edges.one([0, 1, 3]))],
    } | fields


def line(edges: Edges, *takes: Fields) -> Fields:
    return {
        "script": edges.text(1000),
        "line_id": edges.text(),
        "source_line_id": edges.text(),
        "auto_corrected": edges.one([None, edges.count()]),
        "takes": list(takes),
    }


def output(edges: Edges) -> Fields:
    return {
        "output_lines": [line(edges, *(take(edges) for _ in range(3))) for _ in range(8)],
        "definition_snapshot": graph(["out", *NODE_IDS[:10]], [], "sink_preview"),
    }


def scores(edges: Edges) -> Fields:
    """A validator for each extreme score, and one that has them all."""
    each = [
        validation(edges, kind="wer", node_id=f"v{number}", score=score, threshold=score)
        for number, score in enumerate(SCORES)
    ]
    every = [validation(edges, kind="all", node_id=None, score=score) for score in SCORES]
    takes = [take(edges, status="delivered", locale="de", validations=[score]) for score in [*each, *every]]
    node = {"id": "v0", "type": "validator_wer", "config": _config(edges, edges.measure(0))}
    return {
        "output_lines": [line(edges, *takes)],
        "definition_snapshot": {"graph": {"nodes": [node]}},
    }


def files(edges: Edges) -> Fields:
    return {
        "files": [{"path": "no ending", "name": name, "node_id": edges.one(NODE_IDS)} for name in _FILE_NAMES]
    }


def many_takes(edges: Edges) -> Fields:
    long = {
        "status": "delivered",
        "locale": "de-DE",
        "duration_ms": MAX_NUMBER,
        "validations": [],
        "audio": None,
    }
    return {"output_lines": [line(edges, *(take(edges, **long) for _ in range(2000)))]}


def many_lines(edges: Edges) -> Fields:
    spoken = {"locale": "de-DE", "duration_ms": MAX_NUMBER}
    return {"output_lines": [{"script": f"<{n}>" * 50, "takes": [spoken]} for n in range(3000)]}


def many_languages(edges: Edges) -> Fields:
    takes = [
        {"locale": f"{number}-" + "<" * 30, "status": TAKE_STATUSES[number % 4]} for number in range(600)
    ]
    return {"output_lines": [line(edges, *takes) for _ in range(2)]}


def many_validators(edges: Edges) -> Fields:
    found = [
        {
            "kind": f"{number}" + "<" * 90,
            "node_id": f"{number}" + "&" * 900,
            "label": "'" * 3000,
            "score": 0.5,
        }
        | {"reason": "<" * 3000, "passed": bool(number % 2)}
        for number in range(300)
    ]
    spoken = [{"locale": each, "validations": found} for each in ("de", "en")]
    nodes = [
        {"id": f"v{number}", "type": "validator_" + "x" * 900, "name": "<" * 900} for number in range(300)
    ]
    return {"output_lines": [line(edges, *spoken)], "definition_snapshot": {"graph": {"nodes": nodes}}}


def many_outputs(edges: Edges) -> Fields:
    names = [f"{number}" + "/" * 900 for number in range(400)]
    return {
        "output_lines": [line(edges, *({"output_node_id": name, "duration_ms": 1} for name in names))],
        "definition_snapshot": graph(names, [], "sink_preview"),
    }


def many_files(edges: Edges) -> Fields:
    return {
        "files": [
            {"path": "a.wav", "name": ("<" * 250) + str(number), "node_id": "&" * 1000}
            for number in range(300)
        ]
    }


def long_texts_everywhere(edges: Edges) -> Fields:
    """Every text without a bound as long as it is odd."""
    long = edges.long_text(60_000)
    found = validation(edges, label=long, reason=long, transcript=long, kind="wer")
    found["segments"] = [{"text": long, "status": "x" * 10_000, "start": 0, "end": 1}]
    spoken = {"script": long, "voice": long, "provider": long, "model": long, "validations": [found]}
    failed = {"name": long, "error": long, "pause_error": long, "result": {"text": long, long[:5000]: 1}}
    return {
        "status": "failed",
        "error": edges.long_text(500_000),
        "pause_error": long,
        "steps": [
            step(edges, **failed, status="failed", active_ports=[long], locales=[long]) for _ in range(3)
        ],
        "output_lines": [
            {"script": long, "line_id": long, "source_line_id": long, "takes": [take(edges, **spoken)]}
        ],
        "held_nodes": [{"node_id": "n", "locales": [long]}],
        "usage_summary": {long: 1, "note": long},
        "unknown": long,
        "triggered_by": {"id": "u", "name": "Ada", "more": long},
    }


def deep(edges: Edges) -> Fields:
    """As deep as a line may be."""
    inner: Any = edges.measure(0)
    for number in range(55):
        inner = [inner] if number % 2 else {edges.text(20): inner}
    return {
        "usage_summary": {"deep": inner},
        "definition_snapshot": {"graph": inner},
        "steps": [step(edges, result={"deep": inner})],
        "unknown": inner,
    }


# Graphs


def graph(
    ids: Sequence[str], edges: Sequence[tuple[str, str]], node_type: str = "operator_generator"
) -> Fields:
    return {
        "graph": {
            "nodes": [{"id": each, "type": node_type} for each in ids],
            "edges": [{"source": source, "target": target} for source, target in edges],
        },
        "execution": {"steps": [], "params": {}},
    }


def odd_definition(edges: Edges) -> Any:
    """What should be a graph."""
    ids = [edges.node_id() for _ in range(8)]
    pairs = [(edges.one(ids), edges.one([*ids, "nowhere"])) for _ in range(20)]
    odd: Sequence[Callable[[], Any]] = (
        dict,
        lambda: {"graph": edges.measure()},
        lambda: {"graph": {"nodes": edges.measure(), "edges": edges.measure()}},
        lambda: {"graph": {"nodes": {"n": {"id": "n"}}, "edges": {}}},
        lambda: {"graph": {"nodes": [edges.measure() for _ in range(5)], "edges": [edges.measure()]}},
        lambda: {
            "graph": {"nodes": [{"id": edges.measure(), "type": edges.measure(), "name": edges.measure()}]}
        },
        lambda: {
            "graph": {"nodes": [{"id": "n"}, {"id": "n", "type": 7}, {"type": "sink_"}], "edges": [[], {}]}
        },
        lambda: graph(["n"], [("n", "n")]),
        lambda: graph(list("abc"), [("a", "b"), ("b", "c"), ("c", "a"), ("a", "nowhere"), ("a", "b")]),
        lambda: graph(ids, pairs, edges.one(TYPES)),
        lambda: {"execution": edges.measure(), edges.usage_key(): edges.measure()},
    )
    return edges.one(odd)()


def odd_graph(edges: Edges) -> Fields:
    return {"definition_snapshot": odd_definition(edges), "steps": [step(edges) for _ in range(3)]}


def _config(edges: Edges, threshold: Any) -> Fields:
    return {"threshold": threshold, "max_retries": edges.measure(0), edges.usage_key(): edges.measure()}


def configurations(edges: Edges) -> Fields:
    nodes = [
        {"id": f"n{number}", "type": "validator_wer", "name": edges.name(), "config": _config(edges, each)}
        for number, each in enumerate(MEASURES)
    ]
    params = edges.usage()
    return {"definition_snapshot": {"graph": {"nodes": nodes, "edges": []}, "execution": {"params": params}}}


def big_graph(edges: Edges, size: int) -> Fields:
    pairs = [(f"n{number}", f"n{edges.chance.randrange(size)}") for number in range(size)]
    return graph([f"n{number}" for number in range(size)], pairs)


def complete_graph(size: int) -> Fields:
    ids = [f"n{number}" for number in range(size)]
    return graph(ids, [(a, b) for a in ids for b in ids])


def graph_of_long_names(edges: Edges) -> Fields:
    """Every node named at length, and each followed by all."""
    ids = [f"{number}" + "\U0001f3a7" * 900 for number in range(60)]
    found = graph(ids, [(a, b) for a in ids for b in ids[::10]], "x" * 1000)
    for node in found["graph"]["nodes"]:
        node["name"] = "<" * 2000
    return {"definition_snapshot": found, "steps": [step(edges, node_id=each) for each in ids]}
