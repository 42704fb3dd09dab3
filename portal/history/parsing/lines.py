"""Parses one line of history, or says which field is wrong and why."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portal.history import identity
from portal.history.parsing import readers
from portal.history.parsing.decoding import decode
from portal.history.parsing.fields import known
from portal.history.parsing.fields.known import WORKFLOW_FACTS
from portal.history.parsing.fields.people import read_person
from portal.history.parsing.readers import BadField, Fields, Values
from portal.history.parsing.runs import Arrival, ParsedRun, parse_run, parse_step
from portal.history.parsing.uploads import UploadLine, take_upload
from portal.input import bounds


@dataclass(frozen=True, slots=True)
class WorkflowLine:
    id: UUID
    name: str
    said: frozenset[str]
    """The fields that the line names: those that it leaves out stay as they are."""
    description: str | None
    definition: Values | None
    created_at: datetime | None
    expected: Values | None
    source: Values


ParsedLine = WorkflowLine | UploadLine | ParsedRun


def parse_line(text: bytes, arrival: Arrival) -> ParsedLine:
    """Parse one line. Raises BadField."""
    values, digest = decode(text)
    kind = values.get("type")
    if kind == "run":
        return parse_run(values, digest, text, arrival)
    if kind == "step":
        return parse_step(values, digest, text, arrival)
    if kind == "workflow":
        return _workflow(values, arrival)
    if kind == "upload":
        return _upload(values)
    raise BadField("type", "must be workflow, upload, run or step.")


def _workflow(values: Values, arrival: Arrival) -> WorkflowLine:
    fields = Fields(values)
    del fields.rest["type"]
    fields.take_all({}, WORKFLOW_FACTS)
    external_id, source = fields.rest.get("external_id"), fields.rest.get("source")
    given = fields.take("id", readers.uuid)
    name = fields.need("name", readers.text_of(1, bounds.MAX_WORKFLOW_NAME))
    if source is not None and (external_id is not None or given is None):
        given = identity.workflow_id(arrival.workspace_id, source, external_id or name)
    if given is None:
        raise BadField("id", "is missing, and so is source.")
    return WorkflowLine(
        id=given,
        name=name,
        said=frozenset(values),
        description=fields.take("description", readers.text_of(0, bounds.MAX_DESCRIPTION)),
        definition=fields.take("definition", readers.object_),
        created_at=fields.take("created_at", readers.moment),
        expected=fields.take("expected", known.expected),
        source=fields.rest,
    )


def _upload(values: Values) -> UploadLine:
    fields = Fields(values)
    return take_upload(fields, fields.take("uploaded_by", read_person))
