"""What is wrong with a draft, and where: what keeps it from being saved, what from running, what is odd."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from portal.definitions.preflight import preflight_definition
from portal.definitions.shape import Json
from portal.definitions.structure import Finding, label
from portal.engine.preparing.abilities import site
from portal.input.json_lines import line_near, lines_of
from portal.web.formats import sentence
from portal.workflows.validation import surroundings

MOST = 30
"""Problems of a kind that are listed."""

_AT_NODE = re.compile(r"graph\.nodes\.([0-9]+)(?:\.config\.([^.]+))?")


@dataclass(frozen=True)
class Problem:
    sentence: str
    """Begins with the node or the edge."""
    node: int | None
    """The number of the node it is about."""
    setting: str | None = None
    """The key of the setting it is about."""
    here: str = ""
    """The sentence for a place that is the node's own."""
    path: str = ""
    """Where, in the definition."""
    line: int | None = None
    """The line on which that stands, where the definition is shown as JSON."""


@dataclass(frozen=True, kw_only=True)
class NodeProblems:
    """Those of one node."""

    at_settings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    others: Sequence[str] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Problems:
    faults: Sequence[Problem] = ()
    """What must be mended before it can be saved."""
    needs: Sequence[Problem] = ()
    """What it still needs to run."""
    warnings: Sequence[Problem] = ()

    @property
    def can_run(self) -> bool:
        return not self.faults and not self.needs

    def on_lines_of(self, text: str) -> "Problems":
        """Each with its line in the definition as this text."""
        lines = lines_of(text)

        def placed(problems: Sequence[Problem]) -> Sequence[Problem]:
            return [replace(each, line=line_near(lines, each.path)) for each in problems]

        return Problems(faults=placed(self.faults), needs=placed(self.needs), warnings=placed(self.warnings))

    def errors_at(self, number: int) -> int:
        return sum(each.node == number for each in (*self.faults, *self.needs))

    def warnings_at(self, number: int) -> int:
        return sum(each.node == number for each in self.warnings)

    def of_node(self, number: int) -> NodeProblems:
        at_settings: dict[str, list[str]] = defaultdict(list)
        others: list[str] = []
        for each in (*self.faults, *self.needs):
            if each.node == number:
                (at_settings[each.setting] if each.setting else others).append(each.here)
        warnings = [each.here for each in self.warnings if each.node == number]
        return NodeProblems(at_settings=at_settings, others=others, warnings=warnings)


def find_problems(definition: Json, workspace_id: UUID, workflow_id: UUID) -> Problems:
    """What is wrong with a well-shaped definition as this workflow's, and here."""
    here = replace(surroundings(workspace_id, definition, workflow_id), site=site())
    found = preflight_definition(definition, here)
    nodes = definition["graph"]["nodes"]
    return Problems(
        faults=[_problem(each, nodes) for each in found.broken],
        needs=[_problem(each, nodes) for each in found.obstacles],
        warnings=[_problem(each, nodes) for each in found.warnings],
    )


def _problem(finding: Finding, nodes: Sequence[Json]) -> Problem:
    at = _AT_NODE.match(finding.path)
    if at is not None:
        number = int(at[1])
        here = sentence(finding.message.removeprefix(f"{label(nodes[number])}: "))
        return Problem(finding.message, number, at[2], here, finding.path)
    ids = [node["id"] for node in nodes]
    number_of_end = ids.index(finding.node_id) if finding.node_id in ids else None
    return Problem(finding.message, number_of_end, here=finding.message, path=finding.path)
