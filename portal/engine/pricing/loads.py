"""How much work a run would be: its graph is followed without doing any of it.

The lines of a source all take the same way, so one of them stands for all. Its items are counted in groups:
items of a group differ only in the takes or texts that they have, and always move together.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Set
from typing import NamedTuple

from portal.definitions.catalog import FAIL, PASS
from portal.definitions.locales import canonical
from portal.definitions.pipeline import PipelineNode
from portal.definitions.site import source_locale
from portal.engine.flow import Component, Plan

_TRANSLATOR, _CORRECTOR = "operator_translator", "operator_pronunciation_corrector"


class Line(NamedTuple):
    """A line in a locale, for all lines of its source."""

    source: str
    locale: str


class Group(NamedTuple):
    """Items of a line that have been through the same steps."""

    line: Line
    number: int
    """New whenever a step gives them other texts or takes."""


Items = Mapping[Group, int]
"""How many items each group has."""

Loads = Mapping[str, Mapping[str, int]]
"""For each node and source how often a line of that source is worked on."""


def loads(plan: Plan, *, refusing: bool) -> Loads:
    """What each node would do, if every validator passes at once, or `refusing`, as long as it retries.

    Refusing, a validator whose `fail` port does not lead back to it sends its items on through both ports:
    either way may be the dearer one.
    """
    return _Simulation(plan, refusing).run()


class _Period:
    """What has happened since a round of a cycle."""

    def __init__(self, waiting: Mapping[str, Items]) -> None:
        self.signature = _signature(waiting)
        self.groups = _groups(waiting)
        self.rounds = 0
        self.worked: Counter[tuple[str, str]] = Counter()
        self.failed: Counter[tuple[str, Line]] = Counter()
        self.left: dict[tuple[str, Group], int] = {}
        """What left the cycle, and where to."""

    def left_by(self, groups: Set[Group]) -> bool:
        """Whether one of these groups left: a period does not begin while such a group waits."""
        return any(group in groups for _, group in self.left)


class _Simulation:
    def __init__(self, plan: Plan, refusing: bool) -> None:
        self._plan, self._refusing = plan, refusing
        self._leaving: dict[tuple[str, str], list[str]] = defaultdict(list)
        for edge in plan.pipeline.edges:
            self._leaving[edge.source, edge.port].append(edge.target)
        self._alike = self._stand_ins()
        self._retries = {
            node.id: int(node.setting("max_retries"))
            for node in plan.nodes.values()
            if node.type.category == "validation"
        }
        self._waiting: dict[str, dict[Group, int]] = {}
        self._numbers = 0
        self._inside: Set[str] = frozenset()
        """The nodes of the cycle that runs."""
        self._period = _Period({})
        self._worked: Counter[tuple[str, str]] = Counter()
        self._failed: Counter[tuple[str, Line]] = Counter()

    def run(self) -> Loads:
        for component in self._plan.components:
            if component.cyclic:
                self._run_cycle(component)
            else:
                self._step(component.nodes[0], self._waiting.pop(component.nodes[0], {}))
        found: dict[str, dict[str, int]] = {node_id: {} for node_id in self._plan.nodes}
        for (node_id, source), times in self._worked.items():
            found[node_id] |= {each: times for each, stand_in in self._alike.items() if stand_in == source}
        return found

    def _stand_ins(self) -> Mapping[str, str]:
        """For each source the first whose lines take the same way."""
        first: dict[object, str] = {}
        found = {}
        for source in self._plan.sources:
            node = self._plan.nodes[source]
            ways = frozenset(self._leaving[source, node.type.outputs[0].name])
            found[source] = first.setdefault((source_locale(node), ways), source)
        return found

    def _run_cycle(self, component: Component) -> None:
        """Run the rounds of a cycle. Rounds that repeat are counted and not followed."""
        self._inside = frozenset(component.nodes)
        patience = 1
        self._period = _Period({})
        place = self._plan.place.__getitem__
        while inside := sorted((each for each in self._waiting if each in self._inside), key=place):
            waiting = {node_id: self._waiting.pop(node_id) for node_id in inside}
            lasting = self._period.groups & _groups(waiting)
            repeats = _signature(waiting) == self._period.signature
            if repeats and self._period.left_by(self._period.groups - lasting):
                self._period.rounds = patience
            elif repeats:
                self._repeat(lasting)
                self._period = _Period(waiting)
            elif self._period.rounds >= patience:
                patience *= 2
                self._period = _Period(waiting)
            self._period.rounds += 1
            for node_id, items in waiting.items():
                self._step(node_id, items)
        self._inside = frozenset()

    def _repeat(self, lasting: Set[Group]) -> None:
        """Let what has happened in the period happen again, until a validator would give up.

        Each time other groups leave the cycle, but for those that are `lasting`.
        """
        period = self._period
        times = min((self._left_of(*key) // failed for key, failed in period.failed.items()), default=0)
        for key in period.worked:
            self._worked[key] += times * period.worked[key]
        for line in period.failed:
            self._failed[line] += times * period.failed[line]
        again: dict[Group, Group] = {}
        for (target, group), count in period.left.items():
            if times and group not in lasting:
                if group not in again:
                    again[group] = self._new(group.line)
                self._waiting[target][again[group]] = times * count

    def _left_of(self, validator: str, line: Line) -> int:
        """How often a validator would still refuse a line."""
        return self._retries[validator] - self._failed[validator, line]

    def _step(self, node_id: str, items: Items) -> None:
        node = self._plan.nodes[node_id]
        match node.type.category:
            case "source":
                if self._alike[node_id] == node_id:
                    self._send(node, {Group(Line(node_id, source_locale(node)), 0): 1})
            case "validation":
                self._judge(node, items)
            case "operator":
                self._operate(node, items)

    def _judge(self, node: PipelineNode, items: Items) -> None:
        self._work(node, items)
        fails = self._leaving.get((node.id, FAIL), ())
        if not (self._refusing and fails):
            self._send(node, items, PASS)
        elif self._inside.isdisjoint(fails):
            self._send(node, items, PASS)
            self._send(node, items, FAIL)
        else:
            self._retry(node, items)

    def _retry(self, node: PipelineNode, items: Items) -> None:
        passed: dict[Group, int] = {}
        failed: dict[Group, int] = {}
        for group, count in items.items():
            refused = min(count, max(0, self._left_of(node.id, group.line)))
            whole = refused in (0, count)
            if refused:
                failed[group if whole else self._new(group.line)] = refused
                self._failed[node.id, group.line] += refused
                self._period.failed[node.id, group.line] += refused
            if refused < count:
                passed[group if whole else self._new(group.line)] = count - refused
        self._send(node, passed, PASS)
        self._send(node, failed, FAIL)

    def _operate(self, node: PipelineNode, items: Items) -> None:
        if node.type.slug == _TRANSLATOR:
            self._translate(node, items)
        elif node.type.slug != _CORRECTOR:
            self._work(node, items)
            self._send(node, self._renewed(items))
        elif self._refusing:
            self._work(node, items, times=int(node.setting("n_candidates")))
            self._send(node, self._renewed(items))
        else:
            self._send(node, items)

    def _translate(self, node: PipelineNode, items: Items) -> None:
        """What is in the language of a target passes as it is; the rest is translated."""
        sent: dict[Group, int] = {}
        for target in dict.fromkeys(map(canonical, node.setting("target_languages"))):
            foreign: dict[Group, int] = {}
            for group, count in items.items():
                if target is None:
                    continue
                translated = Group(Line(group.line.source, target), group.number)
                if _language(target) == _language(group.line.locale):
                    sent[translated] = count
                else:
                    foreign[group] = count
            self._work(node, foreign)
            if target is not None:
                sent |= self._renewed(foreign, target)
        self._send(node, sent)

    def _renewed(self, items: Items, locale: str | None = None) -> dict[Group, int]:
        """The items with other texts or takes, in this locale or their own."""
        counts: Counter[Line] = Counter()
        for group, count in items.items():
            counts[group.line if locale is None else Line(group.line.source, locale)] += count
        return {self._new(line): count for line, count in counts.items()}

    def _new(self, line: Line) -> Group:
        self._numbers += 1
        return Group(line, self._numbers)

    def _work(self, node: PipelineNode, items: Items, times: int = 1) -> None:
        for group, count in items.items():
            self._worked[node.id, group.line.source] += count * times
            self._period.worked[node.id, group.line.source] += count * times

    def _send(self, node: PipelineNode, items: Items, port: str | None = None) -> None:
        for target in self._leaving.get((node.id, port or node.type.outputs[0].name), ()):
            if items:
                self._waiting.setdefault(target, {}).update(items)
            if target not in self._inside:
                self._period.left.update(((target, group), count) for group, count in items.items())


def _signature(waiting: Mapping[str, Items]) -> object:
    """The same for two rounds that go on in the same way: only the numbers of their groups differ."""
    numbers: dict[int, int] = {}
    return [
        (
            node_id,
            [(group.line, numbers.setdefault(group.number, len(numbers)), n) for group, n in items.items()],
        )
        for node_id, items in sorted(waiting.items())
    ]


def _groups(waiting: Mapping[str, Items]) -> Set[Group]:
    return {group for items in waiting.values() for group in items}


def _language(locale: str) -> str:
    return locale.partition("-")[0]
