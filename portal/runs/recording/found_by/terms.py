"""The terms of runs (`runs.facts.terms`): their labels, and the steps at which they failed for good."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Run, RunDetail, RunStatus, RunTerm, Step
from portal.database.sql import bulk
from portal.database.sql.in_lists import chunks
from portal.runs.causes.lasting import lasting_rows
from portal.runs.facts.terms import label_terms, step_terms

_TERMS = cast(sa.Table, RunTerm.__table__)
_OF_STEP = ("node_id", "source", "iteration", "position", "status", "name")
_COLUMNS = tuple(getattr(Step, name) for name in _OF_STEP)


class Found(NamedTuple):
    """A run with what its terms are made of."""

    id: UUID
    workflow_id: UUID
    source: Mapping[str, object] | None
    steps: Sequence[Mapping[str, object]]


def store(connection: sa.Connection, runs: Iterable[Found], replaced: Sequence[UUID]) -> None:
    """Store the terms of these runs, after deleting those of the runs that are replaced."""
    for chunk in chunks(replaced):
        connection.execute(sa.delete(_TERMS).where(_TERMS.c.run_id.in_(chunk)))
    bulk.insert_rows(
        connection,
        _TERMS,
        [
            {"workflow_id": run.workflow_id, "term": term, "run_id": run.id}
            for run in runs
            for term in _terms(run)
        ],
    )


def renew(session: Session, run_id: UUID, workflow_id: UUID) -> None:
    """Make the terms of one run anew, whose steps have changed; hold its workflow."""
    session.flush()
    source = session.scalar(sa.select(RunDetail.source).where(RunDetail.run_id == run_id))
    steps = session.execute(sa.select(*_COLUMNS).where(Step.run_id == run_id)).mappings()
    run = Found(run_id, workflow_id, source, [dict(step) for step in steps])
    store(session.connection(), [run], replaced=[run_id])


def counted_anew(session: Session, workflow_id: UUID) -> set[tuple[bytes, UUID]]:
    """The terms that the runs of a workflow should have, each with its run."""
    labels = sa.select(Run.id, RunDetail.source["labels"]).join(RunDetail, RunDetail.run_id == Run.id)
    of_workflow = Run.workflow_id == workflow_id
    found = {
        (term, run_id)
        for run_id, given in session.execute(labels.where(of_workflow, RunDetail.source.is_not(None)))
        if given
        for term in label_terms({"labels": given})
    }
    failed = sa.select(Step.run_id).join(Run, Run.id == Step.run_id)
    failed = failed.where(of_workflow, Step.status == RunStatus.FAILED)
    for chunk in chunks(session.scalars(failed.distinct()).all()):
        steps_of: dict[UUID, list[dict[str, object]]] = {}
        for run_id, *values in session.execute(
            sa.select(Step.run_id, *_COLUMNS).where(Step.run_id.in_(chunk))
        ):
            steps_of.setdefault(run_id, []).append(dict(zip(_OF_STEP, values, strict=True)))
        found |= {(term, run_id) for run_id, steps in steps_of.items() for term in _failed(steps)}
    return found


def stored(session: Session, workflow_id: UUID) -> set[tuple[bytes, UUID]]:
    rows = sa.select(RunTerm.term, RunTerm.run_id).where(RunTerm.workflow_id == workflow_id)
    return {(term, run_id) for term, run_id in session.execute(rows)}


def repair(session: Session, workflow_id: UUID) -> None:
    """Store the terms of a workflow's runs anew. Hold the workflow."""
    found = counted_anew(session, workflow_id)
    session.execute(sa.delete(RunTerm).where(RunTerm.workflow_id == workflow_id))
    rows = [{"workflow_id": workflow_id, "term": term, "run_id": run_id} for term, run_id in found]
    bulk.insert_rows(session.connection(), _TERMS, rows)


def _terms(run: Found) -> set[bytes]:
    terms = label_terms(run.source) if run.source and "labels" in run.source else set()
    if any(step["status"] == RunStatus.FAILED for step in run.steps):
        terms |= _failed(run.steps)
    return terms


def _failed(steps: Iterable[Mapping[str, object]]) -> set[bytes]:
    lasting = lasting_rows(steps)
    return step_terms(cast(str | None, step[name]) for step in lasting for name in ("node_id", "name"))
