"""Complete texts of a run, by name: its page has excerpts that link to them.

A name is the path of a field: `error`, `steps/3/result`, `lines/0/takes/2/validations/1/reason`. Positions
count from 0, as stored.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from portal.runs.detail.columns import SelectColumn
from portal.runs.results.run_results import read_languages

TEXT, JSON = "text/plain", "application/json"


@dataclass(frozen=True)
class FullText:
    """A text as it is stored."""

    content: str
    media_type: str


def read_full_text(run_id: UUID, name: str) -> FullText:
    """One text of a run. The caller has checked access. Raises NotFound."""
    for pattern, read in _TEXTS.items():
        if match := re.fullmatch(pattern.replace("N", "([0-9]{1,9})"), name):
            content, media_type = read(run_id, *map(int, match.groups()))
            if content is not None:
                return FullText(content, media_type)
    raise NotFound("This run has no such text.")


Content = tuple[str | None, str]
"""A text and its media type."""

Read = Callable[..., Content]


def _stored(column: SelectColumn, *key: SelectColumn) -> Read:
    """A function that reads a column of one row; JSON as it is stored."""
    is_json = isinstance(sa.label("text", column).type, sa.JSON)
    content = sa.cast(column, sa.Text()) if is_json else sa.type_coerce(column, sa.Text())

    def read(run_id: UUID, *numbers: int) -> Content:
        where = [part == number for part, number in zip(key[1:], numbers, strict=True)]
        text = db.session.scalar(sa.select(content).where(key[0] == run_id, *where))
        return text, JSON if is_json else TEXT

    return read


def _definition(run_id: UUID) -> Content:
    """The definition of the run, or else the current one of the workflow."""
    definition = sa.func.coalesce(
        sa.cast(RunDetail.definition_snapshot, sa.Text()), sa.cast(Workflow.definition, sa.Text())
    )
    select = sa.select(definition).select_from(Run).join(Workflow, Workflow.id == Run.workflow_id)
    select = select.outerjoin(RunDetail, RunDetail.run_id == Run.id)
    return db.session.scalar(select.where(Run.id == run_id)), JSON


def _written(value: object) -> Content:
    return json.dumps(value, ensure_ascii=False) if value else None, JSON


def _languages(run_id: UUID) -> Content:
    return _written(read_languages(run_id, None).lines)


def _dropped(run_id: UUID) -> Content:
    return _written(read_languages(run_id, None, dropped=True).lines)


def _rows(select: sa.Select[*tuple[object, ...]]) -> Content:
    return _written([row._asdict() for row in db.session.execute(select)])


def _outputs(run_id: UUID) -> Content:
    """The output nodes that takes name, with the number of takes."""
    counted = sa.select(Take.output_node_id.label("node_id"), sa.func.count().label("takes"))
    not_dropped = counted.where(Take.run_id == run_id, Take.status != TakeStatus.DROPPED)
    return _rows(not_dropped.group_by(Take.output_node_id).order_by(Take.output_node_id))


def _validators(run_id: UUID) -> Content:
    """The validators with the number of takes that each validated."""
    validator = (Validation.node_id, Validation.kind, Validation.label)
    counted = sa.select(*validator, sa.func.count().label("takes")).where(Validation.run_id == run_id)
    return _rows(counted.group_by(*validator).order_by(*validator))


def _files(run_id: UUID) -> Content:
    columns = (Artifact.name, Artifact.node_id, Artifact.content_type, Artifact.size_bytes)
    takes = sa.exists().where(Take.artifact_id == Artifact.id)
    select = sa.select(*columns).where(Artifact.run_id == run_id, ~takes)
    return _rows(select.order_by(Artifact.name, Artifact.id))


def _takes(run_id: UUID, line: int) -> Content:
    """All takes of a line; their validations are a text of their own."""
    columns = [each for each in Take.__table__.columns if each.name not in ("run_id", "line", "artifact_id")]
    select = sa.select(*columns).where(Take.run_id == run_id, Take.line == line)
    return _rows(select.order_by(Take.position))


def _validations(run_id: UUID, line: int, take: int) -> Content:
    columns = [each for each in Validation.__table__.columns if each.name not in ("run_id", "line", "take")]
    of_take = (Validation.run_id == run_id, Validation.line == line, Validation.take == take)
    return _rows(sa.select(*columns).where(*of_take).order_by(Validation.position))


_STEP = (Step.run_id, Step.position)
_RESULT = (StepResult.run_id, StepResult.position)
_LINE = (OutputLine.run_id, OutputLine.position)
_TAKE = (Take.run_id, Take.line, Take.position)
_VALIDATION = (Validation.run_id, Validation.line, Validation.take, Validation.position)
_TEXTS: Mapping[str, Read] = {
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
"""N stands for a position."""
