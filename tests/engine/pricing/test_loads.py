"""How much work a run would be, held against a run of the same graph step by step."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.definitions.catalog import FAIL, PASS
from portal.definitions.locales import canonical
from portal.definitions.preflight import Surroundings, preflight_definition
from portal.definitions.site import source_locale
from portal.engine.contract import Item, StoredFile, Take
from portal.engine.flow import Output, Plan, StepKey
from portal.engine.flow.routing import line_key, route
from portal.engine.pricing.loads import loads
from tests.definitions.graphs import CHECK, GENERATOR, SCRIPT, SINK, Json, checked, edge, graph, node

TRANSLATOR, NORMALIZER, CORRECTOR = (
    "operator_translator",
    "operator_normalizer",
    "operator_pronunciation_corrector",
)
LANGUAGES = ("en-gb", "de-de", "fr-fr")


def worked(definition: Json, *, refusing: bool) -> dict[str, int]:
    """How often each node works on a line, with all sources together."""
    found = loads(Plan.of(definition), refusing=refusing)
    return {node_id: sum(load.values()) for node_id, load in found.items() if load}


class StepByStep:
    """Runs a graph with one line a source, by the rules of `flow` and `routing` themselves."""

    def __init__(self, plan: Plan, refusing: bool) -> None:
        self.plan, self.refusing = plan, refusing
        self.worked: Counter[str] = Counter()
        self.values: dict[Output, list[Item]] = {}
        self.refusals: dict[str, Mapping[str, int]] = {}
        self.fresh = map(str, count())
        self.chose = False
        """Whether a validator had fewer retries left than items of a line: then their order decides."""

    def run(self) -> dict[str, int]:
        ended: dict[StepKey, dict[str, int]] = {}
        while ready := self.plan.ready(ended):
            for step in ready:
                items = self.plan.gather(step, self.values.__getitem__)
                ports = self.step(step.key.node_id, items)
                self.values |= {Output(step.key, port): list(sent) for port, sent in ports.items()}
                ended[step.key] = {port: len(self.values[Output(step.key, port)]) for port in ports}
        return dict(self.worked)

    def step(self, node_id: str, items: list[Item]) -> Mapping[str, Iterable[Item]]:
        found = self.plan.nodes[node_id]
        match found.type.category:
            case "source":
                return {"lines": [Item(source=node_id, line=0, locale=source_locale(found), text="x")]}
            case "output":
                return {}
            case "validation":
                self.worked[node_id] += len(items)
                return self.judge(node_id, items)
        if found.type.slug == TRANSLATOR:
            return {"lines": self.translate(node_id, items)}
        if found.type.slug == CORRECTOR and not self.refusing:
            return {"lines": items}
        self.worked[node_id] += len(items) * (2 if found.type.slug == CORRECTOR else 1)
        return {"lines": [self.changed(each, found.type.slug) for each in items]}

    def judge(self, node_id: str, items: list[Item]) -> Mapping[str, Iterable[Item]]:
        targets = {e.target for e in self.plan.pipeline.edges if (e.source, e.port) == (node_id, FAIL)}
        own = next(each for each in self.plan.components if node_id in each.nodes)
        if self.refusing and targets and own.cyclic and targets & set(own.nodes):
            retries = self.plan.nodes[node_id].setting("max_retries")
            routed = route([(each, False) for each in items], self.refusals.get(node_id, {}), retries)
            self.refusals[node_id] = routed.refusals
            passed, failed = ({line_key(item) for item in routed.ports[port]} for port in (PASS, FAIL))
            self.chose |= bool(passed & failed)
            return routed.ports
        return {PASS: items, FAIL: items if self.refusing else []}

    def translate(self, node_id: str, items: list[Item]) -> list[Item]:
        sent = []
        for target in dict.fromkeys(map(canonical, self.plan.nodes[node_id].setting("target_languages"))):
            assert target is not None
            for item in items:
                if item.locale[:2] == target[:2]:
                    sent.append(replace(item, locale=target))
                else:
                    self.worked[node_id] += 1
                    sent.append(replace(item, locale=target, text=next(self.fresh), take=None))
        return sent

    def changed(self, item: Item, slug: str) -> Item:
        if slug == NORMALIZER:
            return replace(item, text=next(self.fresh))
        audio = StoredFile(next(self.fresh), 1, "audio/flac")
        return replace(item, take=Take(audio=audio, duration_ms=1, voice="v", provider="p", model="m"))


@st.composite
def runnable(draw: st.DrawFn) -> Json:
    """A graph of a few nodes that may run, with any edges that are legal between them."""
    nodes = [node(SCRIPT, text="x"), node(GENERATOR), node(SINK)]
    if draw(st.booleans()):
        nodes.append(node(SCRIPT, "german", text="x", source_language="de"))
    for number in range(draw(st.integers(0, 5))):
        slug = draw(st.sampled_from([GENERATOR, CHECK, CHECK, CHECK, NORMALIZER, TRANSLATOR, CORRECTOR]))
        config: Json = {}
        if slug == CHECK:
            config = {"max_retries": draw(st.integers(1, 4))}
        if slug == TRANSLATOR:
            config = {"target_languages": draw(st.lists(st.sampled_from(LANGUAGES), min_size=1, unique=True))}
        nodes.append(node(slug, f"{slug} {number}", **config))
    hears = (CHECK, CORRECTOR, SINK)
    speaks = (GENERATOR, CHECK, CORRECTOR)
    ways = [
        (a["id"], b["id"], port)
        for a in nodes
        for b in nodes
        for port in ((PASS, FAIL) if a["type"] == CHECK else ("lines",))
        if a is not b and a["type"] != SINK and b["type"] != SCRIPT
        if b["type"] not in hears or a["type"] in speaks
    ]
    chosen = draw(st.lists(st.sampled_from(ways), unique=True, min_size=2, max_size=9))
    first = [(SCRIPT, GENERATOR, "lines")]
    return graph(nodes, [edge(*way) for way in dict.fromkeys(first + chosen)])


@pytest.mark.slow
@pytest.mark.parametrize("refusing", [False, True])
@given(runnable())
def test_it_is_what_a_run_step_by_step_does(refusing: bool, definition: Json) -> None:
    errors = preflight_definition(definition, Surroundings()).errors
    assume(all(error.rule == "unreachable_sink" for error in errors))
    by_step = StepByStep(Plan.of(definition), refusing)
    expected = +Counter(by_step.run())
    assume(not by_step.chose)
    assert worked(definition, refusing=refusing) == expected


def test_a_loop_is_used_up_at_most_and_not_entered_at_least() -> None:
    assert worked(checked(), refusing=False) == {GENERATOR: 1, CHECK: 1}
    assert worked(checked(), refusing=True) == {GENERATOR: 4, CHECK: 4}


def test_what_leaves_a_loop_in_each_round_is_counted_each_time() -> None:
    definition = checked()
    definition["graph"]["nodes"].append(node(CORRECTOR))
    definition["graph"]["edges"].append(edge(CHECK, CORRECTOR, FAIL))
    assert worked(definition, refusing=True) == {GENERATOR: 4, CHECK: 4, CORRECTOR: 3 * 2}


def test_long_loops_within_each_other_are_counted_to_the_end() -> None:
    length, retries = 40, 50
    names = [f"check {number}" for number in range(length)]
    nodes = [node(SCRIPT, text="x"), node(GENERATOR), node(SINK)]
    nodes += [node(CHECK, name, max_retries=retries) for name in names]
    edges = [edge(SCRIPT, GENERATOR), edge(GENERATOR, names[0])]
    edges += [edge(a, b, PASS) for a, b in zip(names, [*names[1:], SINK], strict=True)]
    edges += [edge(name, GENERATOR, FAIL) for name in names]
    found = worked(graph(nodes, edges), refusing=True)
    assert found[GENERATOR] == 1 + length * retries
    assert [found[name] for name in names] == [1 + retries * (length - n) for n in range(length)]


def test_items_that_multiply_at_every_step_are_counted_and_not_followed() -> None:
    steps = 60
    nodes = [node(SCRIPT, text="x"), node(SINK)]
    edges, before = [], [SCRIPT]
    for number in range(steps):
        here = [f"{number} a", f"{number} b"]
        nodes += [node(GENERATOR, each) for each in here]
        edges += [edge(a, b) for a in before for b in here]
        before = here
    found = worked(graph(nodes, [*edges, *(edge(each, SINK) for each in before)]), refusing=False)
    assert found[f"{steps - 1} a"] == 2 ** (steps - 1)
