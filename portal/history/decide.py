"""Decides what becomes of lines of history, given what is stored. Pure: no database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from portal.definitions.graph import EMPTY_DEFINITION
from portal.history.parsing.encoding import EncodedRun, HistoryLine
from portal.history.parsing.lines import WorkflowLine
from portal.history.parsing.readers import BadField, Values
from portal.history.parsing.uploads import UploadLine
from portal.history.summary import Counts
from portal.workspaces.people import SourcePerson


@dataclass
class StoredWorkflow:
    """A workflow as it is stored, and then as the lines change it."""

    id: UUID
    here: bool
    """In the workspace of this import and not deleted."""
    name: str
    description: str | None
    definition: Mapping[str, object]
    source: Mapping[str, object] | None
    created_at: datetime
    next_run_number: int
    version: int = 0
    """As stored; 0 for a new workflow."""


@dataclass(slots=True)
class StoredRun:
    """What decisions need of a stored run."""

    workflow_id: UUID
    imported: bool
    number: int
    digest: bytes | None
    superseded: list[str]


@dataclass
class StoredUpload:
    """The columns of an upload that history gives, and the digest of its content."""

    columns: Values
    sha256: bytes | None
    made_here: bool = False


@dataclass(frozen=True)
class Existing:
    """What is stored of the workflows, uploads and runs that lines name."""

    workflows: dict[UUID, StoredWorkflow]
    runs: dict[UUID, StoredRun]
    numbers: set[tuple[UUID, int]]
    """Run numbers in use among the ordinals that lines might take as run numbers."""
    uploads: dict[UUID, StoredUpload]
    importer_id: UUID
    """The user id that stands for the import where a line names nobody."""


class PlannedRun(NamedTuple):
    line: EncodedRun
    number: int
    superseded: list[str]
    is_new: bool


@dataclass
class Plan:
    """What to store, and what to report."""

    new_workflows: dict[UUID, StoredWorkflow] = field(default_factory=dict)
    changed_workflows: dict[UUID, StoredWorkflow] = field(default_factory=dict)
    runs: dict[UUID, PlannedRun] = field(default_factory=dict)
    uploads: dict[UUID, tuple[UploadLine, StoredUpload]] = field(default_factory=dict)
    """Uploads that are new or changed: the line and what is to be stored."""
    named: list[SourcePerson] = field(default_factory=list)
    """Whom changed lines name, in their order: the last mention of a person wins."""
    next_numbers: dict[UUID, int] = field(default_factory=dict)
    bad: list[tuple[int, BadField]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)


def decide(existing: Existing, lines: Iterable[tuple[int, HistoryLine]], now: datetime) -> Plan:
    """Decide about numbered lines in their order. Changes `existing`, which must not be used again."""
    plan = Plan()
    for line_number, line in lines:
        try:
            if isinstance(line, EncodedRun):
                _decide_run(plan, existing, line)
            elif isinstance(line, WorkflowLine):
                _decide_workflow(plan, existing, line, now)
            else:
                _decide_upload(plan, existing, line, now)
        except BadField as error:
            plan.bad.append((line_number, error.bare()))
    return plan


def _decide_workflow(plan: Plan, existing: Existing, line: WorkflowLine, now: datetime) -> None:
    stored = existing.workflows.get(line.id)
    if stored is None:
        plan.counts.workflows_new += 1
        plan.new_workflows[line.id] = existing.workflows[line.id] = StoredWorkflow(
            id=line.id,
            here=True,
            name=line.name,
            description=line.description,
            definition=EMPTY_DEFINITION if line.definition is None else line.definition,
            source=line.source,
            created_at=line.created_at or now,
            next_run_number=1,
        )
        return
    if not stored.here:
        raise BadField("id", "is the id of a deleted workflow or of one in another workspace.")
    definition = line.definition if line.definition is not None else stored.definition
    created_at = line.created_at or stored.created_at
    before = (stored.name, stored.description, stored.source, stored.definition, stored.created_at)
    if before == (line.name, line.description, line.source, definition, created_at):
        plan.counts.workflows_unchanged += 1
        return
    plan.counts.workflows_changed += 1
    stored.name, stored.description, stored.source = line.name, line.description, line.source
    stored.definition, stored.created_at = definition, created_at
    if line.id not in plan.new_workflows:
        plan.changed_workflows[line.id] = stored


def _decide_upload(plan: Plan, existing: Existing, line: UploadLine, now: datetime) -> None:
    _workflow_of(existing, line)
    stored = existing.uploads.get(line.id)
    if stored is not None and stored.columns["workflow_id"] != line.workflow_id:
        raise BadField("id", "is the id of an upload of another workflow.")
    if stored is not None and stored.made_here:
        raise BadField("id", "is the id of an upload that was made here.")
    columns = {**line.columns, "workflow_id": line.workflow_id}
    columns["user_id"] = line.identity.user_id if line.identity else existing.importer_id
    columns["created_at"] = columns["created_at"] or (stored.columns["created_at"] if stored else now)
    columns["updated_at"] = columns["updated_at"] or columns["created_at"]
    sha256 = None
    if line.file is not None:
        sha256 = line.file.artifact["sha256"]
        columns["size_bytes"] = line.file.artifact["size_bytes"]
    if stored is None:
        plan.counts.uploads_new += 1
    elif (stored.columns, stored.sha256) == (columns, sha256):
        plan.counts.uploads_unchanged += 1
        return
    else:
        plan.counts.uploads_changed += 1
    _name(plan, line.identity)
    existing.uploads[line.id] = StoredUpload(columns, sha256)
    plan.uploads[line.id] = (line, existing.uploads[line.id])


def _workflow_of(existing: Existing, line: EncodedRun | UploadLine) -> StoredWorkflow:
    workflow = existing.workflows.get(line.workflow_id)
    if workflow is None or not workflow.here:
        raise BadField("workflow_id", "is not the id of a workflow in this workspace.")
    return workflow


def _decide_run(plan: Plan, existing: Existing, line: EncodedRun) -> None:
    workflow = _workflow_of(existing, line)
    stored = existing.runs.get(line.id)
    if stored is None:
        number = _new_number(existing, workflow, line)
        stored = StoredRun(workflow.id, True, number, line.digest, [])
        existing.runs[line.id] = stored
        plan.counts.runs_new += 1
        _plan(plan, existing, workflow, line, stored, is_new=True)
        return
    if stored.workflow_id != line.workflow_id:
        raise BadField("id", "is the id of a run of another workflow.")
    if not stored.imported:
        raise BadField("id", "is the id of a run that was made here.")
    if stored.digest == line.digest or line.digest.hex() in stored.superseded:
        plan.counts.runs_unchanged += 1
        return
    if stored.digest is not None:
        stored.superseded = [*stored.superseded, stored.digest.hex()]
    stored.digest = line.digest
    plan.counts.runs_updated += 1
    planned = plan.runs.get(line.id)
    _plan(plan, existing, workflow, line, stored, is_new=planned is not None and planned.is_new)


def _new_number(existing: Existing, workflow: StoredWorkflow, line: EncodedRun) -> int:
    """The line's own number, else its ordinal if that is free, else the next number."""
    if line.number is not None:
        return line.number
    if line.ordinal is not None and (workflow.id, line.ordinal) not in existing.numbers:
        return line.ordinal
    return workflow.next_run_number


def _plan(
    plan: Plan,
    existing: Existing,
    workflow: StoredWorkflow,
    line: EncodedRun,
    stored: StoredRun,
    is_new: bool,
) -> None:
    plan.runs[line.id] = PlannedRun(line, stored.number, stored.superseded, is_new)
    _name(plan, line.identity)
    existing.numbers.add((workflow.id, stored.number))
    workflow.next_run_number = max(workflow.next_run_number, stored.number + 1)
    plan.next_numbers[workflow.id] = workflow.next_run_number


def _name(plan: Plan, identity: SourcePerson | None) -> None:
    if identity is not None:
        plan.named.append(identity)
