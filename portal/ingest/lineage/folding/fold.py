"""Folds events into runs with their steps. Pure, and the same whatever the order, repetitions included."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from portal.database.models import RunStatus
from portal.ingest.lineage.folding.airflow import StepKey, Steps, override_steps, say_dag_run
from portal.ingest.lineage.folding.events import BEGUN, ENDS, EventType, Job, RunEvent
from portal.ingest.lineage.folding.facets import DagRun
from portal.ingest.lineage.folding.fields import Fields
from portal.ingest.lineage.folding.identity import RunIdentity, identify, key_source
from portal.ingest.lineage.folding.tree import Tree, grow

Identities = Mapping[UUID, RunIdentity]
"""The identities of roots that are fixed, since the events which told them are gone."""

_NO_ZONE = "An event came without a time zone; its time was taken as UTC."
_STATUSES = {
    EventType.COMPLETE: (RunStatus.COMPLETED, "succeeded"),
    EventType.FAIL: (RunStatus.FAILED, "failed"),
    EventType.ABORT: (RunStatus.CANCELLED, "aborted"),
}


class Place(NamedTuple):
    """Where a run that is a step stands; its attempt depends on the others there."""

    node_id: str
    map_index: int | None


@dataclass
class FoldedRun:
    identity: RunIdentity
    roots: set[UUID] = field(default_factory=set)
    """The ids of the run in its events: Airflow gives a run that was cleared a new one."""
    fields: Fields = field(default_factory=Fields)
    steps: Steps = field(default_factory=dict)
    places: dict[UUID, Place] = field(default_factory=dict)
    """Of each run that is a step of this one, by its id in its events."""

    @property
    def has_begun(self) -> bool:
        return self.fields.has_begun or self.fields.has_ended

    @property
    def has_ended(self) -> bool:
        return self.fields.has_ended


def fold(events: Iterable[RunEvent], fixed: Identities | None = None) -> list[FoldedRun]:
    """The runs that these events are about, in the order of their identities."""
    known = _distinct(events)
    tree = grow(known)
    runs: dict[tuple[str, str, str], FoldedRun] = {}
    by_root: dict[UUID, list[RunEvent]] = defaultdict(list)
    for event in known:
        by_root[tree.root(event.run_id)].append(event)
    by_run: dict[tuple[str, str, str], list[RunEvent]] = defaultdict(list)
    for root_id, its_events in by_root.items():
        identity = (fixed or {}).get(root_id) or _identity(root_id, its_events)
        key = (identity.source, identity.external_id, identity.workflow_id)
        runs.setdefault(key, FoldedRun(identity)).roots.add(root_id)
        by_run[key] += its_events
    for key, run in runs.items():
        _fill(run, by_run[key], tree)
    return [run for _, run in sorted(runs.items())]


def _distinct(events: Iterable[RunEvent]) -> list[RunEvent]:
    """The events in order, each once; of different ones with one key, always the same."""
    found: dict[bytes, RunEvent] = {}
    for event in events:
        before = found.get(event.key, event)
        found[event.key] = event if event == before else max(before, event, key=repr)
    return sorted(found.values(), key=_order)


def _order(event: RunEvent) -> tuple[datetime, bytes]:
    return event.at, event.key


def _identity(root_id: UUID, events: Collection[RunEvent]) -> RunIdentity:
    return identify(root_id, _job(root_id, events), _dag_run(root_id, events), key_source(events))


def _job(root_id: UUID, events: Collection[RunEvent]) -> Job:
    """The job of the run at the root: as it says itself, else as its children do."""
    own = [(event.at, event.job.namespace, event.job.name) for event in events if event.run_id == root_id]
    named = own or [
        (event.at, link.job.namespace, link.job.name)
        for event in events
        for link in (event.parent, event.root)
        if link is not None and link.run_id == root_id
    ]
    return Job(*max(named)[1:])


def _dag_run(root_id: UUID, events: Collection[RunEvent]) -> DagRun | None:
    """The run of an Airflow DAG that the root is, if one of its own events, or of its tasks, says so."""
    found = [event for event in events if _is_about(event, root_id)]
    return max(found, key=_order).facets.dag_run if found else None


def _is_about(event: RunEvent, root_id: UUID) -> bool:
    of_task = event.task_of is not None and event.task_of.run_id == root_id
    return of_task or (event.run_id == root_id and event.of_dag)


def _fill(run: FoldedRun, events: Collection[RunEvent], tree: Tree) -> None:
    for event in events:
        run.fields.hear(event.time, event.at)
        run.fields.say(event.at, "last_heard_at", event.time)
        if event.run_id in run.roots:
            _say(run.fields, event)
            run.fields.say_if_known(event.at, "scheduled_for", event.facets.nominal_start)
        elif event.type is not EventType.OTHER:
            run.fields.begin()
        if any(_is_about(event, root_id) for root_id in run.roots) and event.facets.dag_run:
            say_dag_run(run.fields, event.at, event.facets.dag_run)
    run.steps = _steps([event for event in events if event.run_id not in run.roots], tree, run)
    own = [event for event in events if event.run_id in run.roots]
    last = max((event for event in own if event.facets.states is not None), key=_order, default=None)
    if last is not None:
        override_steps(run.steps, last)


def _say(fields: Fields, event: RunEvent) -> None:
    """What an event says of its own run, be it a run or a step of history."""
    is_end = event.type in ENDS
    fields.hear(event.time, event.at)
    if event.type in BEGUN:
        fields.begin(event.time)
    if is_end:
        fields.finish(event.at, *_STATUSES[event.type], event.facets.dag_state or str(event.type))
        fields.say(event.at, "completed_at", event.time, of_end=True)
    if event.type is EventType.COMPLETE:
        fields.say(event.at, "error", None, of_end=True)
    else:
        fields.say_if_known(event.at, "error", event.facets.error, of_end=is_end)
    if not event.has_zone:
        fields.say(event.at, "note", _NO_ZONE)


@dataclass
class _Child:
    """A run that is a step."""

    run_id: UUID
    events: list[RunEvent]
    place: Place
    attempt: int | None


def _steps(events: Collection[RunEvent], tree: Tree, run: FoldedRun) -> Steps:
    by_run: dict[UUID, list[RunEvent]] = defaultdict(list)
    for event in events:
        by_run[event.run_id].append(event)
    children = [_child(run_id, its_events, run.identity) for run_id, its_events in by_run.items()]
    run.places = {child.run_id: child.place for child in children}
    steps: Steps = {}
    for key, child in _placed(children):
        step = steps.setdefault(key, Fields())
        parent = run.places.get(tree.parents[child.run_id])
        for event in child.events:
            _say_step(step, event)
            if parent is not None and parent.node_id != child.place.node_id:
                step.say(event.at, "parent_node_id", parent.node_id)
    return steps


def _child(run_id: UUID, events: list[RunEvent], identity: RunIdentity) -> _Child:
    tasks = [event for event in events if event.facets.task is not None]
    latest = max(tasks or events, key=_order)
    task = latest.facets.task
    return _Child(run_id, events, place_of(latest, identity), task.attempt if task else None)


def place_of(event: RunEvent, identity: RunIdentity) -> Place:
    """The place of a step as one of its events tells: its task's, else by the name of its job."""
    task, name = event.facets.task, event.job.name
    if task is not None:
        return Place(task.task_id, task.map_index)
    prefix = f"{identity.workflow_id}."
    return Place(name.removeprefix(prefix) if identity.lasting and len(name) > len(prefix) else name, None)


def _placed(children: Iterable[_Child]) -> list[tuple[StepKey, _Child]]:
    """The steps that children are: attempts that their source does not count are counted in time."""
    placed: list[tuple[StepKey, _Child]] = []
    by_place: dict[Place, list[_Child]] = defaultdict(list)
    for child in children:
        by_place[child.place].append(child)
    for place, its_children in by_place.items():
        taken = {child.attempt for child in its_children}
        free = (number for number in range(1, 2 * len(its_children) + 1) if number not in taken)
        for child in sorted(its_children, key=lambda each: (min(e.time for e in each.events), each.run_id)):
            attempt = child.attempt if child.attempt is not None else next(free)
            placed.append(((*place, attempt), child))
    return placed


def _say_step(step: Fields, event: RunEvent) -> None:
    _say(step, event)
    step.say_if_known(event.at, "node_type", event.facets.job_type)
    task = event.facets.task
    if task is not None:
        step.say_if_known(event.at, "log_url", task.log_url)
        step.say_if_known(event.at, "created_at", task.queued_at)
