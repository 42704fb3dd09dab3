"""Definitions for tests, and a strategy for any legal one."""

from typing import Any

from hypothesis import strategies as st

from portal.definitions.catalog import CATALOG

Json = dict[str, Any]

SCRIPT, GENERATOR, SINK = "source_script", "operator_generator", "sink_preview"
CHECK = "validator_error_rate"


def node(slug: str, node_id: str = "", /, **config: Any) -> Json:
    return {"id": node_id or slug, "type": slug, "position": {"x": 0, "y": 1.5}, "config": config}


def edge(source: str, target: str, port: str = "lines", **more: Any) -> Json:
    name = f"{source} {port} {target}"
    return {
        "id": name,
        "source": source,
        "sourcePort": port,
        "target": target,
        "targetPort": "lines",
        **more,
    }


def graph(nodes: list[Json], edges: list[Json], steps: list[str] | None = None) -> Json:
    return {"graph": {"nodes": nodes, "edges": edges}, "execution": {"steps": steps or [], "params": {}}}


def smallest() -> Json:
    """A script, spoken and exported."""
    nodes = [node(SCRIPT, text="Hello"), node(GENERATOR), node(SINK)]
    return graph(nodes, [edge(SCRIPT, GENERATOR), edge(GENERATOR, SINK)])


def checked() -> Json:
    """The same with a validator, which sends lines back to the generator."""
    nodes = [node(SCRIPT, text="Hello"), node(GENERATOR), node(CHECK), node(SINK)]
    edges = [
        edge(SCRIPT, GENERATOR),
        edge(GENERATOR, CHECK),
        edge(CHECK, SINK, "pass"),
        edge(CHECK, GENERATOR, "fail"),
    ]
    return graph(nodes, edges)


UNSOUND = graph([node(SINK, "out", format="ogg")], [edge("out", "out")])
"""Well-shaped, but it breaks rules."""

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
_NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
_EXTRA = st.dictionaries(TEXTS.map(lambda text: f"x-{text}"), _VALUES, max_size=2)


def _setting(schema: Any) -> st.SearchStrategy[Any]:
    least, most = schema.get("minimum", -(2**40)), schema.get("maximum", 2**40)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(schema["enum"]) if "enum" in schema else TEXTS,
        "boolean": st.booleans(),
        "integer": st.integers(least, most),
        "number": st.integers(least, most) | st.floats(least, most),
        "array": st.lists(TEXTS, max_size=3),
        "object": st.dictionaries(TEXTS, st.just([]), max_size=2),
    }
    return st.none() | kinds[schema["type"]]


@st.composite
def definitions(draw: st.DrawFn) -> Json:
    """Any definition that may be saved, with unknown keys everywhere."""
    nodes = []
    for node_id in draw(st.lists(TEXTS.filter(bool), unique=True, max_size=6)):
        found = CATALOG[draw(st.sampled_from(sorted(CATALOG)))]
        config = draw(st.fixed_dictionaries({}, optional={k: _setting(s) for k, s in found.settings.items()}))
        position = {"x": draw(st.floats(-1e6, 1e6)), "y": draw(st.integers(-1000, 1000))}
        nodes.append(
            {
                **draw(_EXTRA),
                "id": node_id,
                "type": found.slug,
                "position": position,
                "config": draw(_EXTRA) | config,
                "name": draw(st.none() | TEXTS),
            }
        )
    ways = [
        (a["id"], given.name, b["id"], needed.name)
        for a in nodes
        for b in nodes
        for given in CATALOG[a["type"]].outputs
        for needed in CATALOG[b["type"]].inputs
        if a is not b and set(needed.fields) <= set(given.fields)
    ]
    chosen = draw(st.lists(st.sampled_from(ways), unique=True, max_size=6)) if ways else []
    edges = [
        {**draw(_EXTRA), "id": str(n), "source": a, "sourcePort": p, "target": b, "targetPort": q}
        for n, (a, p, b, q) in enumerate(chosen)
    ]
    steps = draw(st.lists(st.sampled_from([each["id"] for each in nodes]), unique=True)) if nodes else []
    parts: Json = {
        **draw(_EXTRA),
        "graph": {**draw(_EXTRA), "nodes": nodes, "edges": edges},
        "execution": {**draw(_EXTRA), "steps": steps, "params": draw(_EXTRA)},
    }
    return parts
