"""Which stored events decide what a new one changes: for most, those of a few runs of its tree. Pure.

A tree may have thousands of events. What an event says of its own run only adds lines to history, unless it
moves runs, names or attempts; then all events of its trees are folded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from portal.ingest.lineage.folding.events import RunEvent
from portal.ingest.lineage.folding.fold import FoldedRun, Place, place_of
from portal.ingest.lineage.folding.identity import RunIdentity
from portal.ingest.lineage.folding.tree import links_of


@dataclass(frozen=True)
class KnownRun:
    """A run that events were about, or that they named, as they place it."""

    run_id: UUID
    root_id: UUID
    parent_id: UUID | None = None
    is_heard: bool = False
    """Whether an event was about it."""
    place: Place | None = None
    """If it is a step."""


@dataclass(frozen=True)
class KnownTree:
    root_id: UUID
    identity: RunIdentity
    is_settled: bool = False
    """Whether the root itself said how its steps ended up."""


def place_in(event: RunEvent, tree: KnownTree, runs: Mapping[UUID, KnownRun]) -> Place | None:
    """The place of the event's run, if it is a step like others of this tree and the event moves nothing.

    `runs` has those that the event names.
    """
    links = links_of(event)
    known, parent = runs.get(event.run_id), runs.get(links[0].run_id) if links else None
    if tree.is_settled or event.run_id == tree.root_id or not _is_inside(event, tree, runs):
        return None
    place = place_of(event, tree.identity)
    if known is not None:
        same_parent = parent is None or parent.run_id == known.parent_id
        return place if known.is_heard and known.place == place and same_parent else None
    if parent is None or not (parent.is_heard or parent.run_id == tree.root_id):
        return None
    return place


def is_of_root(event: RunEvent, tree: KnownTree, runs: Mapping[UUID, KnownRun]) -> bool:
    """Whether the event is about the root of this tree, and says nothing of its steps."""
    if event.run_id != tree.root_id or event.facets.states is not None or tree.is_settled:
        return False
    return runs[event.run_id].is_heard and not links_of(event)


def holds(
    tree: KnownTree,
    event: RunEvent,
    place: Place | None,
    before: Sequence[FoldedRun],
    after: Sequence[FoldedRun],
) -> bool:
    """Whether folding some of the events gave what was taken for granted when they were chosen.

    Whether the run at the root has begun must be known without the event: if not, another one may know.
    """
    if len(after) != 1 or after[0].identity != tree.identity or after[0].roots != {tree.root_id}:
        return False
    is_known_to_run = any(run.has_begun for run in before)
    return is_known_to_run and after[0].places.get(event.run_id) == place


def _is_inside(event: RunEvent, tree: KnownTree, runs: Mapping[UUID, KnownRun]) -> bool:
    """Whether every run that the event names is in the tree, and its root the root."""
    links = links_of(event)
    for link in links:
        if link.run_id not in runs or runs[link.run_id].root_id != tree.root_id:
            return False
    return len(links) < 2 or links[1].run_id == tree.root_id
