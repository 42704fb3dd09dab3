"""The stored events of a workspace, and the runs that they name, in one transaction."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import LineageEvent, LineageRun
from portal.database.sql.in_lists import chunks
from portal.database.sql.upserts import insert_unless_there
from portal.ingest.lineage.folding.events import RunEvent, read_event
from portal.ingest.lineage.folding.fold import Place
from portal.ingest.lineage.folding.identity import RunIdentity
from portal.ingest.lineage.folding.scope import KnownRun, KnownTree


@dataclass(frozen=True)
class RootRow:
    """What is stored of a root alone."""

    identity: RunIdentity | None
    """None for a run that was only named, and under which there is none."""
    is_fixed: bool
    is_settled: bool
    has_ended: bool


class Rows:
    def __init__(self, session: Session, workspace_id: UUID) -> None:
        self._session, self._workspace_id = session, workspace_id

    def add(self, event: RunEvent, now: datetime) -> bool:
        """Store an event, which then waits to be folded. Whether it is a new one."""
        values = {
            "workspace_id": self._workspace_id,
            "key": event.key,
            "run_id": event.run_id,
            "root_id": None,
            "happened_at": event.time,
            "arrived_at": now,
            "source": event.source,
            "body": event.to_json(),
        }
        return insert_unless_there(self._session, LineageEvent, values)

    def waiting(self, key: bytes) -> RunEvent | None:
        """An event that is not folded yet."""
        found = self._events(LineageEvent.key == key, LineageEvent.root_id.is_(None))
        return found[0] if found else None

    def events_of_trees(self, root_ids: Collection[UUID]) -> list[RunEvent]:
        return self._events(LineageEvent.root_id.in_(root_ids))

    def events_of_runs(self, root_id: UUID, run_ids: Collection[UUID]) -> list[RunEvent]:
        """The events of some runs of a tree that are folded."""
        return [
            event
            for chunk in chunks(sorted(run_ids))
            for event in self._events(LineageEvent.root_id == root_id, LineageEvent.run_id.in_(chunk))
        ]

    def runs(self, run_ids: Collection[UUID]) -> dict[UUID, KnownRun]:
        rows = self._session.execute(
            sa.select(
                LineageRun.run_id,
                LineageRun.root_id,
                LineageRun.parent_id,
                LineageRun.is_heard,
                LineageRun.node_id,
                LineageRun.map_index,
            ).where(*self._mine(), LineageRun.run_id.in_(run_ids))
        )
        return {
            row.run_id: KnownRun(
                row.run_id,
                row.root_id,
                row.parent_id,
                row.is_heard,
                None if row.node_id is None else Place(row.node_id, row.map_index),
            )
            for row in rows
        }

    def runs_at(self, root_id: UUID, place: Place) -> list[UUID]:
        """The runs of a tree that are attempts at one node."""
        index = LineageRun.map_index
        there = index.is_(None) if place.map_index is None else index == place.map_index
        mine = (*self._mine(), LineageRun.root_id == root_id, LineageRun.node_id == place.node_id, there)
        return list(self._session.scalars(sa.select(LineageRun.run_id).where(*mine)))

    def runs_of_trees(self, root_ids: Collection[UUID]) -> set[UUID]:
        """All runs that are in these trees, or only named."""
        mine = (*self._mine(), LineageRun.root_id.in_(root_ids))
        return set(self._session.scalars(sa.select(LineageRun.run_id).where(*mine)))

    def roots(self, root_ids: Collection[UUID]) -> dict[UUID, RootRow]:
        rows = self._session.execute(
            sa.select(
                LineageRun.run_id,
                LineageRun.identity,
                LineageRun.is_fixed,
                LineageRun.is_settled,
                LineageRun.has_ended,
            ).where(*self._mine(), LineageRun.run_id.in_(root_ids))
        )
        return {
            row.run_id: RootRow(
                RunIdentity.of_json(row.identity) if row.identity else None,
                row.is_fixed,
                row.is_settled,
                row.has_ended,
            )
            for row in rows
        }

    def tree(self, root_id: UUID) -> KnownTree | None:
        """A tree whose events are all there, if its root is a run of history."""
        row = self.roots([root_id]).get(root_id)
        if row is None or row.identity is None or row.is_fixed:
            return None
        return KnownTree(root_id, row.identity, row.is_settled)

    def ancestors(self, run_id: UUID | None) -> set[UUID]:
        """A run and all above it."""
        found: set[UUID] = set()
        while run_id is not None and run_id not in found:
            found.add(run_id)
            above = sa.select(LineageRun.parent_id).where(*self._mine(), LineageRun.run_id == run_id)
            run_id = self._session.scalar(above)
        return found

    def add_run(self, run: KnownRun) -> None:
        """Add a run to a tree that is there."""
        self._session.execute(sa.insert(LineageRun), [self._values(run)])

    def hear(self, root_id: UUID, has_ended: bool, now: datetime) -> None:
        """Note that an event of this tree arrived."""
        self._update(LineageRun.run_id == root_id, {"heard_at": now, "has_ended": has_ended})

    def replace_trees(
        self, old: Collection[UUID], runs: Iterable[KnownRun], roots: Mapping[UUID, RootRow], now: datetime
    ) -> None:
        """Replace what is known of the runs of some trees; of which of them history has is told later."""
        gone = (*self._mine(), LineageRun.root_id.in_(old))
        self._session.execute(sa.delete(LineageRun).where(*gone))
        rows = [self._values(run, roots.get(run.run_id), now) for run in runs]
        self._session.execute(sa.insert(LineageRun), rows)

    def set_history_runs(self, run_ids: Mapping[UUID, UUID]) -> None:
        """Say which runs of history roots are."""
        for root_id, run_id in run_ids.items():
            self._update(LineageRun.run_id == root_id, {"history_run_id": run_id})

    def place_events(self, events: Collection[RunEvent], root_id: UUID) -> None:
        """Mark events as folded into a tree."""
        for chunk in chunks([event.key for event in events]):
            mine = (LineageEvent.workspace_id == self._workspace_id, LineageEvent.key.in_(chunk))
            self._session.execute(
                sa.update(LineageEvent).where(*mine).values(root_id=root_id),
                execution_options={"synchronize_session": False},
            )

    def _update(self, condition: sa.ColumnElement[bool], values: Mapping[str, object]) -> None:
        self._session.execute(
            sa.update(LineageRun).where(*self._mine(), condition).values(**values),
            execution_options={"synchronize_session": False},
        )

    def _values(
        self, run: KnownRun, root: RootRow | None = None, now: datetime | None = None
    ) -> dict[str, Any]:
        identity = root.identity.to_json() if root and root.identity else None
        return {
            "workspace_id": self._workspace_id,
            "run_id": run.run_id,
            "root_id": run.root_id,
            "parent_id": run.parent_id,
            "is_heard": run.is_heard,
            "node_id": run.place.node_id if run.place else None,
            "map_index": run.place.map_index if run.place else None,
            "history_run_id": None,
            "identity": identity,
            "is_fixed": root is not None and root.is_fixed,
            "is_settled": root is not None and root.is_settled,
            "has_ended": root is not None and root.has_ended,
            "heard_at": now if run.run_id == run.root_id else None,
        }

    def _mine(self) -> tuple[sa.ColumnElement[bool], ...]:
        return (LineageRun.workspace_id == self._workspace_id,)

    def _events(self, *conditions: sa.ColumnElement[bool]) -> list[RunEvent]:
        wanted = sa.select(LineageEvent.body, LineageEvent.source)
        rows = self._session.execute(
            wanted.where(LineageEvent.workspace_id == self._workspace_id, *conditions)
        )
        found = [read_event(body, source) for body, source in rows]
        return [event for event in found if event is not None]
