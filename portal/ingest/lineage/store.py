"""Stores events of OpenLineage, and then folds each into history under the lock of its workspace.

An event is stored in a transaction of its own, so it is not lost whatever becomes of the fold. One that could
not be folded waits until it is sent again, another one comes, or a worker looks.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database import outages
from portal.database.engine import db
from portal.database.models import LineageEvent, Workspace
from portal.database.transactions import writing
from portal.ingest.lineage import history
from portal.ingest.lineage.folding.difference import difference
from portal.ingest.lineage.folding.events import RunEvent
from portal.ingest.lineage.folding.fold import FoldedRun, Identities, fold
from portal.ingest.lineage.folding.scope import KnownRun, holds, is_of_root, place_in
from portal.ingest.lineage.folding.tree import grow, named_with
from portal.ingest.lineage.rows import RootRow, Rows

WAITING = timedelta(seconds=30)
"""An event that has waited longer than a fold takes was left behind."""
AT_ONCE = 20
"""Events left behind that are folded after another one."""

log = logging.getLogger(__name__)


def take_event(workspace_id: UUID, event: RunEvent, key_id: UUID | None, now: datetime) -> bool:
    """Store an event and fold it into history. Whether it is a new one."""
    with writing() as session:
        is_new = Rows(session, workspace_id).add(event, now)
    _fold_or_leave(workspace_id, event.key, key_id, now)
    fold_waiting(now, workspace_id)
    return is_new


def fold_waiting(now: datetime, workspace_id: UUID | None = None, most: int = AT_ONCE) -> int:
    """Fold events that were left behind, of one workspace or of all; how many were tried."""
    waiting = sa.select(LineageEvent.workspace_id, LineageEvent.key).where(
        LineageEvent.root_id.is_(None), LineageEvent.arrived_at < now - WAITING
    )
    if workspace_id is not None:
        waiting = waiting.where(LineageEvent.workspace_id == workspace_id)
    found = db.session.execute(waiting.order_by(LineageEvent.arrived_at).limit(most)).all()
    for row in found:
        _fold_or_leave(row.workspace_id, row.key, None, now)
    return len(found)


def lock_workspace(session: Session, workspace_id: UUID) -> None:
    """Wait for other folds and imports into the workspace, and let others wait for this one."""
    found = sa.select(Workspace.id).where(Workspace.id == workspace_id)
    session.execute(found.with_for_update(key_share=True))


def _fold_or_leave(workspace_id: UUID, key: bytes, key_id: UUID | None, now: datetime) -> None:
    """Fold a stored event. Only if the database is out of reach is a failure one of the request.

    Its sender can do nothing about any other, and would block a task to try again.
    """
    try:
        with writing() as session:
            lock_workspace(session, workspace_id)
            rows = Rows(session, workspace_id)
            event = rows.waiting(key)
            if event is not None:
                _Folding(session, rows, workspace_id, key_id, now).take(event)
    except Exception as error:
        if outages.cause_of(error) is not None:
            raise
        log.exception("an event of OpenLineage could not be folded; it is kept")


@dataclass(frozen=True)
class _Folding:
    """Folds an event in a transaction that holds the lock of its workspace."""

    session: Session
    rows: Rows
    workspace_id: UUID
    key_id: UUID | None
    now: datetime

    def take(self, event: RunEvent) -> None:
        runs = self.rows.runs(named_with(event))
        if not self._take_into_tree(event, runs):
            self._take_with_trees(event, {run.root_id for run in runs.values()})

    def _take_into_tree(self, event: RunEvent, runs: Mapping[UUID, KnownRun]) -> bool:
        """Fold an event with those few of its tree that decide what it changes, if that will do."""
        roots = {run.root_id for run in runs.values()}
        tree = self.rows.tree(*roots) if len(roots) == 1 else None
        if tree is None:
            return False
        place = place_in(event, tree, runs)
        if place is None and not is_of_root(event, tree, runs):
            return False
        ids = {tree.root_id, event.run_id}
        if place is not None:
            parent_id = event.parent.run_id if event.parent else runs[event.run_id].parent_id
            ids |= {*self.rows.ancestors(parent_id), *self.rows.runs_at(tree.root_id, place)}
        stored = self.rows.events_of_runs(tree.root_id, ids)
        before, after = fold(stored), fold([*stored, event])
        if not holds(tree, event, place, before, after):
            return False
        if event.run_id not in runs and event.parent is not None:
            self.rows.add_run(KnownRun(event.run_id, tree.root_id, event.parent.run_id, True, place))
        self.rows.place_events([event], tree.root_id)
        self.rows.hear(tree.root_id, after[0].has_ended, self.now)
        self._write(before, after)
        return True

    def _take_with_trees(self, event: RunEvent, old: Collection[UUID]) -> None:
        """Fold an event with all others of the trees that it belongs to, which it may join or part."""
        stored, roots = self.rows.events_of_trees(old), self.rows.roots(old)
        fixed = {root_id: row.identity for root_id, row in roots.items() if row.is_fixed and row.identity}
        events = [*stored, event]
        after = fold(events, fixed)
        named = self.rows.runs_of_trees(old) | named_with(event)
        new_roots = self._replace_trees(old, named, events, after, fixed)
        self._write(fold(stored, fixed), after)
        ids = {
            root_id: history.run_id_of(self.workspace_id, row.identity)
            for root_id, row in new_roots.items()
            if row.identity is not None
        }
        there = history.existing_runs(self.session, ids.values())
        self.rows.set_history_runs({root_id: run_id for root_id, run_id in ids.items() if run_id in there})

    def _replace_trees(
        self,
        old: Collection[UUID],
        named: Collection[UUID],
        events: Collection[RunEvent],
        after: list[FoldedRun],
        fixed: Identities,
    ) -> Mapping[UUID, RootRow]:
        """Store where the runs of the old trees are now; returns the roots."""
        tree = grow(events)
        heard = {event.run_id for event in events}
        settled = {event.run_id for event in events if event.facets.states is not None}
        places = {run_id: place for run in after for run_id, place in run.places.items()}
        identities = {root_id: run.identity for run in after for root_id in run.roots}
        active = {root_id for run in after if not run.has_ended for root_id in run.roots}
        runs = [
            KnownRun(each, tree.root(each), tree.parents.get(each), each in heard, places.get(each))
            for each in sorted(named)
        ]
        roots = {
            run.run_id: RootRow(
                identities.get(run.run_id, fixed.get(run.run_id)),
                is_fixed=run.run_id in fixed,
                is_settled=run.run_id in settled,
                has_ended=run.run_id not in active,
            )
            for run in runs
            if run.run_id == run.root_id
        }
        self.rows.replace_trees(old, runs, roots, self.now)
        by_root = defaultdict(list)
        for event in events:
            by_root[tree.root(event.run_id)].append(event)
        for root_id, its_events in by_root.items():
            self.rows.place_events(its_events, root_id)
        return roots

    def _write(self, before: list[FoldedRun], after: list[FoldedRun]) -> None:
        found = difference(before, after)
        history.write(self.session, self.workspace_id, found, self.key_id, self.now)
