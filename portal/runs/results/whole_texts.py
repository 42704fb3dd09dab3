"""The whole texts of a run that its page shows only the beginnings of, each by a name.

Names are those of the fields: `error`, `steps/3/result`, `lines/0/takes/2/validations/1/reason`. Places are
counted from 0, as they are stored.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import (
    Artifact,
    OutputLine,
    Run,
    RunDetail,
    Step,
    StepResult,
    Take,
    TakeStatus,
    Validation,
    Workflow,
)
from portal.database.sql.excerpts import json_text
from portal.errors import NotFound
from portal.runs.results.page_results import read_languages

TEXT, JSON = "text/plain", "application/json"


@dataclass(frozen=True)
class Whole:
    """A text as it is stored."""

    content: str
    media_type: str


def read_whole(run_id: UUID, name: str) -> Whole:
    """One text of a run that the caller may see. Raises NotFound."""
    for pattern, read in _NAMES.items():
        if found := re.fullmatch(pattern.replace("N", "([0-9]{1,9})"), name):
            content, media_type = read(run_id, *map(int, found.groups()))
            if content is not None:
                return Whole(content, media_type)
    raise NotFound("This run has no such text.")


Found = tuple[str | None, str]
Read = Callable[..., Found]


def _stored(column: Any, *place: Any) -> Read:
    """A reader of a column of the row at a place: structures as the JSON that is stored."""
    structure = isinstance(column.type, sa.JSON)
    content = sa.cast(column, sa.Text()) if structure else column

    def read(run_id: UUID, *numbers: int) -> Found:
        where = [its == number for its, number in zip(place[1:], numbers, strict=True)]
        found = db.session.scalar(sa.select(content).where(place[0] == run_id, *where))
        return found, JSON if structure else TEXT

    return read


def _definition(run_id: UUID) -> Found:
    """The definition that the run ran, else the workflow's present one."""
    definition = sa.func.coalesce(
        sa.cast(RunDetail.definition_snapshot, sa.Text()), sa.cast(Workflow.definition, sa.Text())
    )
    select = sa.select(definition).select_from(Run).join(Workflow, Workflow.id == Run.workflow_id)
    select = select.outerjoin(RunDetail, RunDetail.run_id == Run.id)
    return db.session.scalar(select.where(Run.id == run_id)), JSON


def _written(value: Any) -> Found:
    return json.dumps(value, ensure_ascii=False) if value else None, JSON


def _languages(run_id: UUID) -> Found:
    return _written(read_languages(run_id, None).lines)


def _dropped(run_id: UUID) -> Found:
    return _written(read_languages(run_id, None, dropped=True).lines)


def _rows(select: sa.Select[*tuple[Any, ...]]) -> Found:
    return _written([dict(row._mapping) for row in db.session.execute(select)])


def _outputs(run_id: UUID) -> Found:
    """The output nodes that takes went to, with the number of their takes."""
    counted = sa.select(Take.output_node_id.label("node_id"), sa.func.count().label("takes"))
    kept = counted.where(Take.run_id == run_id, Take.status != TakeStatus.DROPPED)
    return _rows(kept.group_by(Take.output_node_id).order_by(Take.output_node_id))


def _validators(run_id: UUID) -> Found:
    """The validators that said something, and of how many takes."""
    who = (Validation.node_id, Validation.kind, Validation.label)
    counted = sa.select(*who, sa.func.count().label("takes")).where(Validation.run_id == run_id)
    return _rows(counted.group_by(*who).order_by(*who))


def _files(run_id: UUID) -> Found:
    columns = (Artifact.name, Artifact.node_id, Artifact.content_type, Artifact.size_bytes)
    takes = sa.exists().where(Take.artifact_id == Artifact.id)
    select = sa.select(*columns).where(Artifact.run_id == run_id, ~takes)
    return _rows(select.order_by(Artifact.name, Artifact.id))


def _takes(run_id: UUID, line: int) -> Found:
    """All takes of a line; what validators said of each has an address of its own."""
    columns = [each for each in Take.__table__.columns if each.name not in ("run_id", "line", "artifact_id")]
    select = sa.select(*columns).where(Take.run_id == run_id, Take.line == line)
    return _rows(select.order_by(Take.position))


def _validations(run_id: UUID, line: int, take: int) -> Found:
    columns = [each for each in Validation.__table__.columns if each.name not in ("run_id", "line", "take")]
    mine = (Validation.run_id == run_id, Validation.line == line, Validation.take == take)
    return _rows(sa.select(*columns).where(*mine).order_by(Validation.position))


_STEP = (Step.run_id, Step.position)
_RESULT = (StepResult.run_id, StepResult.position)
_LINE = (OutputLine.run_id, OutputLine.position)
_TAKE = (Take.run_id, Take.line, Take.position)
_VALIDATION = (Validation.run_id, Validation.line, Validation.take, Validation.position)
_NAMES: Mapping[str, Read] = {
    "error": _stored(Run.error, Run.id),
    "pause_error": _stored(Run.pause_error, Run.id),
    "usage": _stored(Run.usage_summary, Run.id),
    "source": _stored(RunDetail.source, RunDetail.run_id),
    "title": _stored(json_text(RunDetail.source, "title"), RunDetail.run_id),
    "definition": _definition,
    "languages": _languages,
    "dropped": _dropped,
    "outputs": _outputs,
    "validators": _validators,
    "files": _files,
    "steps/N/name": _stored(Step.name, *_STEP),
    "steps/N/node_id": _stored(Step.node_id, *_STEP),
    "steps/N/node_type": _stored(Step.node_type, *_STEP),
    "steps/N/error": _stored(Step.error, *_STEP),
    "steps/N/last_command": _stored(json_text(Step.source, "last_command"), *_STEP),
    "steps/N/result": _stored(StepResult.result, *_RESULT),
    "lines/N/script": _stored(OutputLine.script, *_LINE),
    "lines/N/takes": _takes,
    "lines/N/takes/N/script": _stored(Take.script, *_TAKE),
    "lines/N/takes/N/voice": _stored(Take.voice, *_TAKE),
    "lines/N/takes/N/validations": _validations,
    "lines/N/takes/N/validations/N/label": _stored(Validation.label, *_VALIDATION),
    "lines/N/takes/N/validations/N/reason": _stored(Validation.reason, *_VALIDATION),
    "lines/N/takes/N/validations/N/transcript": _stored(Validation.transcript, *_VALIDATION),
}
"""N stands for a place."""
