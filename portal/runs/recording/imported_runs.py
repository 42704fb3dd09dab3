"""Imported history: stores its runs in bulk, as they come."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.columns import Id
from portal.database.models import RunDetail, Step
from portal.database.sql import bulk
from portal.database.sql.bulk import Parameters, Row
from portal.database.sql.in_lists import chunks
from portal.runs import counts
from portal.runs.causes import counting
from portal.runs.causes.counting import FailedRun, KnownCause
from portal.runs.counts import Counted
from portal.runs.recording.causes.explaining import read_failed
from portal.runs.recording.found_by import terms, texts
from portal.runs.recording.run_parameters import (
    INSERTED_COLUMNS,
    RUNS,
    UPDATED_COLUMNS,
    CountedValues,
    encoded_error,
)
from portal.runs.recording.run_rows import read_counted

_DETAILS = cast(sa.Table, RunDetail.__table__)
_STEPS = cast(sa.Table, Step.__table__)
MANY = 1000
"""Runs whose counting takes longer than starting a thread."""


class ImportedRun(NamedTuple):
    """A complete run of imported history: its row, and what belongs to it in other tables."""

    id: UUID
    parameters: Parameters
    """The driver parameters of ENCODED_COLUMNS."""
    counted: CountedValues
    person_id: int | None
    run_number: int
    arrived_in: int
    """The version that its workflow gets; an updated run keeps its own."""
    digest: bytes | None
    detail: Row | None
    """Columns of its RunDetail but the id."""
    steps: Sequence[Row]
    cause: KnownCause | None
    """Of a failed run."""


class Changes(NamedTuple):
    """What stored runs change in the counts beside them."""

    counts: counts.Changes
    causes: counting.Changes

    def apply(self, session: Session) -> None:
        counts.apply(session, self.counts)
        self.causes.apply(session)


def no_changes() -> Changes:
    return Changes(counts.Changes(), counting.Changes())


def store_imported(
    session: Session,
    workspace_id: UUID,
    new: Sequence[ImportedRun],
    changed: Sequence[ImportedRun],
    changes: Changes,
) -> None:
    """Insert new runs and replace changed ones, with their details and steps; add them to `changes`.

    The caller holds the locks of their workflows, or has inserted these, and applies `changes`.
    """
    connection, counted = session.connection(), changes.counts
    before = read_counted(session, [run.id for run in changed])
    ours = Id().process_bind_param(workspace_id, connection.dialect)
    _count_causes(session, new, changed, changes.causes)
    after = [Counted._make((*run.counted, run.person_id)) for run in (*new, *changed)]
    counted.arrivals |= {after[n].workflow_id: run.arrived_in for n, run in enumerate(new)}
    if len(after) < MANY:
        counted.count(before, after)
        bulk.insert_parameters(connection, RUNS, INSERTED_COLUMNS, _inserted(new, ours))
    else:
        with ThreadPoolExecutor(1) as thread:
            counting = thread.submit(counted.count, before, after)  # while the database stores
            bulk.insert_parameters(connection, RUNS, INSERTED_COLUMNS, _inserted(new, ours))
        counting.result()
    if changed:
        bulk.update_parameters(connection, RUNS, UPDATED_COLUMNS, _updated(changed))
        for chunk in chunks([run.id for run in changed]):
            connection.execute(sa.delete(_DETAILS).where(_DETAILS.c.run_id.in_(chunk)))
            connection.execute(sa.delete(_STEPS).where(_STEPS.c.run_id.in_(chunk)))
    details = [{"run_id": run.id, **run.detail} for run in (*new, *changed) if run.detail]
    bulk.insert_rows(connection, _DETAILS, details)
    steps = [step for run in (*new, *changed) for step in run.steps]
    bulk.insert_rows(connection, _STEPS, steps)
    _store_what_they_are_found_by(connection, new, changed, after)


def _store_what_they_are_found_by(
    connection: sa.Connection,
    new: Sequence[ImportedRun],
    changed: Sequence[ImportedRun],
    counted: Sequence[Counted],
) -> None:
    """Store the terms and texts of runs; `counted` are these runs as the counts see them."""
    replaced = [run.id for run in changed]
    runs = [
        (run, of_run.workflow_id, run.detail["source"] if run.detail else None)
        for run, of_run in zip((*new, *changed), counted, strict=True)
    ]
    terms.store(
        connection, (terms.Found(run.id, of, source, run.steps) for run, of, source in runs), replaced
    )
    texts.store(
        connection,
        (texts.Told(run.id, of, source, encoded_error(run.parameters)) for run, of, source in runs),
        replaced,
    )


def _count_causes(
    session: Session, new: Sequence[ImportedRun], changed: Sequence[ImportedRun], causes: counting.Changes
) -> None:
    before = read_failed(session, [run.id for run in changed])
    failed = [(run, run.cause) for run in (*new, *changed) if run.cause is not None]
    if not before and not failed:
        return
    after = [_failed(run, cause) for run, cause in failed]
    causes.count(before, after, (cause for _, cause in failed))


def _failed(run: ImportedRun, cause: KnownCause) -> FailedRun:
    counted = Counted._make((*run.counted, None))
    return FailedRun(cause.id, counted.workflow_id, counted.created_at)


def _updated(runs: Sequence[ImportedRun]) -> list[Parameters]:
    return [(*run.parameters, run.person_id, run.run_number, run.digest) for run in runs]


def _inserted(runs: Sequence[ImportedRun], workspace_id: object) -> list[Parameters]:
    return [
        (*run.parameters, run.person_id, run.run_number, run.digest, run.arrived_in, workspace_id)
        for run in runs
    ]
