"""Which run is part of which: a run with a parent is a step of the run at its root. Pure: in any order."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from portal.ingest.lineage.folding.events import Link, RunEvent

Links = dict[UUID, UUID]
"""The parent of each run that has one."""


@dataclass(frozen=True)
class Tree:
    """The runs that some events are about, and their parents."""

    parents: Mapping[UUID, UUID]
    dags: frozenset[UUID]
    """Runs of Airflow DAGs: whatever started them, they are no steps of it."""

    def root(self, run_id: UUID) -> UUID:
        return _climb(self.parents, run_id)


class _Said(NamedTuple):
    """A link with what decides between it and others: the later event, then the greater id."""

    at: datetime
    run_id: UUID


def links_of(event: RunEvent) -> list[Link]:
    """Its parent, and the root where that counts: the root of an Airflow task is the run of its DAG."""
    if event.parent is None or event.of_dag:
        return []
    if event.root is None or event.task_of is not None:
        return [event.parent]
    return [event.parent, event.root]


def named_with(event: RunEvent) -> frozenset[UUID]:
    """The runs that an event says belong together: its own, its parent and its root."""
    return frozenset({event.run_id, *(link.run_id for link in links_of(event))})


def grow(events: Collection[RunEvent]) -> Tree:
    """The tree that these events describe; several trees, if they do."""
    dags = frozenset(_dags(events))
    parents = _latest(
        (event.run_id, event, links[0])
        for event in events
        if event.run_id not in dags and (links := links_of(event))
    )
    _break_cycles(parents)
    tops = _latest(
        (_climb(parents, event.run_id), event, event.root)
        for event in events
        if event.root is not None and event.root in links_of(event)
    )
    for top in sorted(tops):
        if top not in dags and _climb(parents, tops[top]) != top:
            parents[top] = tops[top]
    return Tree(parents, dags)


def _dags(events: Collection[RunEvent]) -> Iterator[UUID]:
    for event in events:
        if event.of_dag:
            yield event.run_id
        if event.task_of is not None:
            yield event.task_of.run_id


def _latest(said: Iterator[tuple[UUID, RunEvent, Link]]) -> Links:
    """For each run the link that was said last."""
    found: dict[UUID, _Said] = {}
    for run_id, event, link in said:
        each = _Said(event.at, link.run_id)
        if run_id != link.run_id:
            found[run_id] = max(found.get(run_id, each), each)
    return {run_id: each.run_id for run_id, each in found.items()}


def _climb(parents: Mapping[UUID, UUID], run_id: UUID) -> UUID:
    while run_id in parents:
        run_id = parents[run_id]
    return run_id


def _break_cycles(parents: Links) -> None:
    """Make a root of the run with the smallest id in each circle of parents."""
    done: set[UUID] = set()
    for start in sorted(parents):
        path: dict[UUID, None] = {}
        run_id = start
        while run_id in parents and run_id not in done and run_id not in path:
            path[run_id] = None
            run_id = parents[run_id]
        if run_id in path:
            circle = list(path)[list(path).index(run_id) :]
            del parents[min(circle)]
        done.update(path)
