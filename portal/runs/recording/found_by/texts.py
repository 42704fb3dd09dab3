"""The texts in which runs are searched (`runs.facts.texts`): one row for each run that has any."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Run, RunDetail, RunText
from portal.database.sql import bulk
from portal.database.sql.in_lists import CHUNK, chunks
from portal.runs.facts.texts import MAX_ERROR, text_of

_TEXTS = cast(sa.Table, RunText.__table__)


class Told(NamedTuple):
    """A run with what its text is made of."""

    id: UUID
    workflow_id: UUID
    source: Mapping[str, object] | None
    error: str | None


class Wrong(NamedTuple):
    """A run whose stored text is not the one that it should have."""

    id: UUID
    text: str


def store(connection: sa.Connection, runs: Iterable[Told], replaced: Sequence[UUID]) -> None:
    """Store the texts of these runs, after deleting those of the runs that are replaced."""
    for chunk in chunks(replaced):
        connection.execute(sa.delete(_TEXTS).where(_TEXTS.c.run_id.in_(chunk)))
    found = ((run, text_of(run.source, run.error)) for run in runs if run.source or run.error)
    _insert(connection, [(run.id, run.workflow_id, text) for run, text in found if text])


def renew(session: Session, run: Run) -> None:
    """Make the text of a locked run anew, whose error has changed."""
    source = session.scalar(sa.select(RunDetail.source).where(RunDetail.run_id == run.id))
    told = Told(run.id, run.workflow_id, source, run.error)
    session.flush()
    store(session.connection(), [told], replaced=[run.id])


def find_wrong(session: Session, workflow_id: UUID) -> Iterator[list[Wrong]]:
    """The runs of a workflow whose texts are wrong, some at a time."""
    members = ("title", "labels", "ref")
    columns = (Run.error, RunText.text, *(RunDetail.source[name] for name in members))
    columns = (sa.func.substr(Run.error, 1, MAX_ERROR, type_=sa.Text()), *columns[1:])
    rows = sa.select(Run.id, *columns).where(Run.workflow_id == workflow_id)
    rows = rows.outerjoin(RunText, RunText.run_id == Run.id).outerjoin(RunDetail, RunDetail.run_id == Run.id)
    rest = rows
    while page := session.execute(rest.order_by(Run.id).limit(CHUNK)).all():
        rest = rows.where(Run.id > page[-1][0])
        yield [
            Wrong(run_id, text)
            for run_id, error, stored, *told in page
            if (text := text_of(dict(zip(members, told, strict=True)), error)) != (stored or "")
        ]


def repair(session: Session, workflow_id: UUID) -> None:
    """Store anew what is wrong of a workflow's texts. Hold the workflow."""
    for wrong in find_wrong(session, workflow_id):
        session.execute(sa.delete(RunText).where(RunText.run_id.in_([run.id for run in wrong])))
        _insert(session.connection(), [(run.id, workflow_id, run.text) for run in wrong if run.text])


def _insert(connection: sa.Connection, rows: Sequence[tuple[UUID, UUID, str]]) -> None:
    names = ("run_id", "workflow_id", "text")
    bulk.insert_rows(connection, _TEXTS, [dict(zip(names, row, strict=True)) for row in rows])
