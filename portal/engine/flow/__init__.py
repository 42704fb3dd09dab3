"""What a graph means: which step runs next, on which items (docs/engine.md).

The worker, the estimate of credits and the tests' interpreter of their own follow these rules. Strongly
connected components are contracted, so no cycle remains between them. A component begins when all before it
have ended. A node outside of cycles runs once, with all items that have arrived. Inside a component there are
rounds: each node with waiting items runs once, with those that waited when the round began; what it sends
inside waits for the next round, what leaves waits for the components after it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from portal.definitions.pipeline import Pipeline, PipelineNode
from portal.definitions.structure import Edge
from portal.engine.contract import Item, Json


class StepKey(NamedTuple):
    """A step of a run."""

    node_id: str
    iteration: int


class Output(NamedTuple):
    """What left a step through one port."""

    step: StepKey
    port: str


@dataclass(frozen=True)
class ReadyStep:
    """A step whose items have all arrived."""

    key: StepKey
    inputs: tuple[Output, ...]
    """Where its items come from; a source has none."""


Counts = Mapping[StepKey, Mapping[str, int]]
"""The steps that have ended, each with the number of items that left through each of its ports."""


@dataclass(frozen=True)
class Component:
    """Nodes that lead back to themselves, or one node that does not."""

    nodes: tuple[str, ...]
    """In the order of the definition."""
    cyclic: bool


@dataclass(frozen=True)
class Plan:
    """The part of a graph that its sources reach."""

    pipeline: Pipeline

    @classmethod
    def of(cls, definition: Json) -> "Plan":
        """The plan of a definition that breaks no rule of `definitions.structure`."""
        return cls(Pipeline.of(definition))

    @cached_property
    def nodes(self) -> Mapping[str, PipelineNode]:
        """The nodes that run, in the order of the definition."""
        reachable = self.pipeline.reachable
        return {node.id: node for node in self.pipeline.nodes if node.id in reachable}

    @cached_property
    def sources(self) -> Sequence[str]:
        return [node.id for node in self.nodes.values() if node.type.category == "source"]

    @cached_property
    def place(self) -> Mapping[str, int]:
        """The place of each node in the definition."""
        return {node.id: node.number for node in self.nodes.values()}

    @cached_property
    def incoming(self) -> Mapping[str, Sequence[Edge]]:
        """The edges that lead to each node."""
        found: dict[str, list[Edge]] = {node_id: [] for node_id in self.nodes}
        for edge in self.pipeline.edges:
            if edge.source in self.nodes:
                found[edge.target].append(edge)
        return found

    def is_wired(self, node_id: str, port: str) -> bool:
        """Whether an edge leaves the port."""
        return any(edge.source == node_id and edge.port == port for edge in self.pipeline.edges)

    @cached_property
    def components(self) -> Sequence[Component]:
        """Each after all that lead to it."""
        cycles = [[node.id for node in cycle] for cycle in self.pipeline.cycles()]
        cyclic = {node_id: tuple(cycle) for cycle in cycles for node_id in cycle}
        groups = dict.fromkeys(cyclic.get(node_id, (node_id,)) for node_id in self.nodes)
        of = {node_id: group for group in groups for node_id in group}
        before = {
            group: {of[edge.source] for node_id in group for edge in self.incoming[node_id]} - {group}
            for group in groups
        }
        ordered: dict[tuple[str, ...], None] = {}
        while len(ordered) < len(before):
            ordered |= dict.fromkeys(
                group for group in before if group not in ordered and before[group] <= ordered.keys()
            )
        return [Component(group, group[0] in cyclic) for group in ordered]

    def ready(self, ended: Counts) -> list[ReadyStep]:
        """The steps that may run and have not ended, in the order of the definition; none: all is done."""
        finished: set[str] = set()
        found: list[ReadyStep] = []
        iterations = _iterations(ended)
        for component in self.components:
            entering = [
                edge
                for node_id in component.nodes
                for edge in self.incoming[node_id]
                if edge.source not in component.nodes
            ]
            if any(edge.source not in finished for edge in entering):
                continue
            waiting = _waiting(entering, iterations, ended)
            steps = (
                self._next_of_cycle(component, waiting, ended)
                if component.cyclic
                else self._next_of_node(component.nodes[0], waiting, ended)
            )
            found += steps
            if not steps:
                finished.update(component.nodes)
        return sorted(found, key=lambda step: self.place[step.key.node_id])

    def _next_of_node(
        self, node_id: str, waiting: Mapping[str, Sequence[Output]], ended: Counts
    ) -> list[ReadyStep]:
        key, inputs = StepKey(node_id, 1), tuple(waiting.get(node_id, ()))
        runs = bool(inputs) or node_id in self.sources
        return [ReadyStep(key, inputs)] if runs and key not in ended else []

    def _next_of_cycle(
        self, component: Component, waiting: Mapping[str, Sequence[Output]], ended: Counts
    ) -> list[ReadyStep]:
        """The steps of the round that has not ended."""
        inner = [
            edge
            for node_id in component.nodes
            for edge in self.incoming[node_id]
            if edge.source in component.nodes
        ]
        ran = dict.fromkeys(component.nodes, 0)
        while waiting:
            steps = []
            for node_id in component.nodes:
                if waiting.get(node_id):
                    ran[node_id] += 1
                    steps.append(ReadyStep(StepKey(node_id, ran[node_id]), tuple(waiting[node_id])))
            unfinished = [step for step in steps if step.key not in ended]
            if unfinished:
                return unfinished
            this_round = {step.key.node_id: [step.key.iteration] for step in steps}
            waiting = _waiting(inner, this_round, ended)
        return []

    def gather(self, step: ReadyStep, load: Callable[[Output], Iterable[Item]]) -> list[Item]:
        """The items of a step: ordered by source, line, locale and sending node, and equal ones once."""
        arrived = [
            ((self.place[item.source], item.line, item.locale, self.place[output.step.node_id]), item)
            for output in step.inputs
            for item in load(output)
        ]
        arrived.sort(key=lambda pair: pair[0])
        return list({_identity(item): item for _, item in reversed(arrived)}.values())[::-1]


def _identity(item: Item) -> tuple[object, ...]:
    return item.source, item.line, item.locale, item.text, item.markup, item.take


def _iterations(ended: Collection[StepKey]) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = {}
    for key in sorted(ended):
        found.setdefault(key.node_id, []).append(key.iteration)
    return found


def _waiting(
    edges: Iterable[Edge], iterations: Mapping[str, Sequence[int]], ended: Counts
) -> dict[str, list[Output]]:
    """What waits at the ends of these edges, from these iterations of the nodes that sent it."""
    found: dict[str, list[Output]] = {}
    for edge in edges:
        for iteration in iterations.get(edge.source, ()):
            output = Output(StepKey(edge.source, iteration), edge.port)
            waiting = found.setdefault(edge.target, [])
            if ended[output.step].get(edge.port) and output not in waiting:
                waiting.append(output)
    return {node_id: outputs for node_id, outputs in found.items() if outputs}
