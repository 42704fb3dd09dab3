"""The output nodes of a run with their delivered lines, for the API (contract 3.9)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Artifact, Take, TakeStatus
from portal.definitions.graph import Node, outputs_of
from portal.runs.detail.node_states import node_states
from portal.runs.detail.run import RunDetailView
from portal.runs.results.takes import TakeRow, ValidationRow, read_takes

MAX_TAKES = 2000
"""Takes in one answer; the counts include all."""


@dataclass(frozen=True)
class DeliveredLine:
    """The takes of a line in one language at an output node."""

    takes: Sequence[TakeRow]

    @property
    def recommended(self) -> int | None:
        """The index of the delivered take; None if there is none."""
        return next((n for n, take in enumerate(self.takes) if take.status == TakeStatus.DELIVERED), None)

    @property
    def failing(self) -> Sequence[ValidationRow]:
        """The validations that refused the delivered take, or else the last attempt."""
        return self.takes[-1 if self.recommended is None else self.recommended].failing

    @property
    def passed(self) -> bool:
        return self.recommended is not None and not self.failing


@dataclass(frozen=True)
class Output:
    """One output node with its lines."""

    node: Node
    status: str
    lines: Sequence[DeliveredLine]
    line_count: int
    """The number of all lines, also those left out of `lines`."""

    @property
    def truncated(self) -> bool:
        return len(self.lines) < self.line_count


def output_nodes(run: RunDetailView) -> list[Node]:
    """The output nodes of the graph in its order, then those that only takes and files name."""
    nodes = outputs_of(run.definition_snapshot)
    known = {node.id for node in nodes}
    return nodes + [Node(each, "unknown", None, {}) for each in sorted(_named(run.id) - known)]


def _named(run_id: UUID) -> set[str]:
    takes = sa.select(Take.output_node_id).where(Take.run_id == run_id, Take.output_node_id.is_not(None))
    files = sa.select(Artifact.node_id).where(Artifact.run_id == run_id, Artifact.node_id.is_not(None))
    return {node_id for (node_id,) in db.session.execute(takes.union(files)) if node_id}


def list_outputs(run: RunDetailView) -> list[Output]:
    """All output nodes with their lines, in a fixed number of queries."""
    states = {state.node_id: state.status for state in node_states(run)}
    takes = read_takes(run.id, limit=MAX_TAKES)
    counts = _line_counts(run.id)
    outputs = []
    for node in output_nodes(run):
        reached = [take for take in takes if take.output_node_id in (None, node.id)]
        groups = groupby(reached, key=lambda take: (take.line, take.locale_code))
        lines = [DeliveredLine(tuple(group)) for _, group in groups]
        status = states.get(node.id) or run.status
        outputs.append(Output(node, status, lines, counts[None] + counts[node.id]))
    return outputs


def _line_counts(run_id: UUID) -> dict[str | None, int]:
    """Lines by output node, counted once for each language; None stands for all nodes."""
    lines = (
        sa.select(Take.output_node_id, Take.line, Take.locale_code)
        .where(Take.run_id == run_id, Take.status != TakeStatus.DROPPED)
        .distinct()
        .subquery()
    )
    counted = sa.select(lines.c.output_node_id, sa.func.count()).group_by(lines.c.output_node_id)
    found: dict[str | None, int] = defaultdict(int)
    found.update((node_id, number) for node_id, number in db.session.execute(counted))
    return found
