"""Decides what becomes of lines of history, given what is stored. Pure: no database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

from portal.database.models import RunStatus
from portal.definitions.graph import EMPTY_DEFINITION
from portal.history.merging.rows import line_of_state
from portal.history.merging.state import RunState, merge, outputs_of, state_of_line
from portal.history.parsing.encoding import EncodedRun, HistoryLine
from portal.history.parsing.lines import WorkflowLine, parse_line
from portal.history.parsing.readers import BadField, Values
from portal.history.parsing.runs import Arrival, NamedWorkflow, ParsedRun
from portal.history.parsing.uploads import UploadLine
from portal.history.summary import Counts
from portal.history.ways import BY_FILE, WayIn
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
    expected: Mapping[str, object] | None = None
    made_here: bool = False
    """Whether its definition was saved in the portal."""

    @property
    def source_name(self) -> str | None:
        """The system that history names as its source."""
        found = (self.source or {}).get("source")
        return found if isinstance(found, str) else None


@dataclass(slots=True)
class StoredRun:
    """What decisions need of a stored run."""

    workflow_id: UUID
    imported: bool
    number: int
    digest: bytes | None
    source: str | None = None
    state: RunState | None = None
    """What was said of it; None until a line says more than the last one."""
    line: EncodedRun | None = None
    """The only line that told of it so far, if that is known."""
    files: dict[UUID, bytes] = field(default_factory=dict)
    """The digests of its files by artifact, where a line names any."""


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


class Change(NamedTuple):
    """A change of a run's status that a live line tells of."""

    before: str | None
    """None where the run was not known."""
    after: str
    occurred_at: datetime


class PlannedRun(NamedTuple):
    line: EncodedRun | ParsedRun
    """The line as it came, or what all lines together say."""
    number: int
    is_new: bool
    person_id: int | None = None
    """The stored person who triggered it, where no line of this batch names one."""
    change: Change | None = None


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
    parsed: dict[bytes, ParsedRun] = field(default_factory=dict)
    """Lines that were taken apart again."""


def decide(
    existing: Existing, lines: Iterable[tuple[int, HistoryLine]], arrival: Arrival, way: WayIn = BY_FILE
) -> Plan:
    """Decide about numbered lines in their order. Changes `existing`, which must not be used again."""
    plan, now = Plan(), arrival.now
    for line_number, line in lines:
        try:
            if isinstance(line, EncodedRun):
                _decide_run(plan, existing, line, arrival, way)
            elif isinstance(line, WorkflowLine):
                _decide_workflow(plan, existing, line, now, way)
            else:
                way.check_source(None)
                _decide_upload(plan, existing, line, now)
        except BadField as error:
            plan.bad.append((line_number, error.bare()))
    return plan


def _decide_workflow(plan: Plan, existing: Existing, line: WorkflowLine, now: datetime, way: WayIn) -> None:
    way.check_source(line.source.get("source"))
    stored = existing.workflows.get(line.id)
    if stored is None:
        _make_workflow(
            plan,
            existing,
            StoredWorkflow(
                id=line.id,
                here=True,
                name=line.name,
                description=line.description,
                definition=EMPTY_DEFINITION if line.definition is None else line.definition,
                source=line.source,
                created_at=line.created_at or now,
                next_run_number=1,
                expected=line.expected,
            ),
        )
        return
    if not stored.here:
        raise BadField("id", "is the id of a deleted workflow or of one in another workspace.")
    if not way.may_touch(line.source.get("source"), stored.source_name):
        raise BadField("id", "is the id of a workflow of another source.")
    definition = line.definition if line.definition is not None else stored.definition
    created_at = line.created_at or stored.created_at
    description = line.description if "description" in line.said else stored.description
    expected = line.expected if "expected" in line.said else stored.expected
    unnamed = {name: each for name, each in (stored.source or {}).items() if name not in line.said}
    source = {**unnamed, **line.source}
    before = (
        stored.name,
        stored.description,
        stored.source or {},
        stored.definition,
        stored.created_at,
        stored.expected,
    )
    if before == (line.name, description, source, definition, created_at, expected):
        plan.counts.workflows_unchanged += 1
        return
    if way.live and stored.made_here:
        raise BadField("id", "is the id of a workflow that was made or edited here.")
    plan.counts.workflows_changed += 1
    stored.name, stored.description, stored.source = line.name, description, source
    stored.definition, stored.created_at, stored.expected = definition, created_at, expected
    if line.id not in plan.new_workflows:
        plan.changed_workflows[line.id] = stored


def _make_workflow(plan: Plan, existing: Existing, workflow: StoredWorkflow) -> None:
    plan.counts.workflows_new += 1
    plan.new_workflows[workflow.id] = existing.workflows[workflow.id] = workflow


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


def _decide_run(plan: Plan, existing: Existing, line: EncodedRun, arrival: Arrival, way: WayIn) -> None:
    stored = existing.runs.get(line.id)
    if stored is not None and stored.workflow_id != line.workflow_id:
        raise BadField("id", "is the id of a run of another workflow.")
    if stored is not None and not stored.imported:
        raise BadField("id", "is the id of a run that was made here.")
    parsed = _parse(plan, line, arrival) if way.live else None
    if parsed is not None:
        source: str | None = parsed.columns["source_system"]
        way.check_source(source)
        way.check_moment(parsed.columns["as_of"], arrival.now)
        if stored is not None and not way.may_touch(source, stored.source):
            raise BadField("id", "is the id of a run of another source.")
    if line.workflow is not None and line.workflow_id not in existing.workflows:
        way.check_source(dict(line.workflow.facts)["source"])
        _make_named(plan, existing, line.workflow_id, line.workflow, arrival.now)
    workflow = _workflow_of(existing, line)
    if not way.may_add_to(workflow.source_name):
        raise BadField("workflow_id", "is the id of a workflow of another source.")
    if stored is None:
        number = _new_number(existing, workflow, line)
        system = parsed.columns["source_system"] if parsed else None
        stored = StoredRun(workflow.id, True, number, line.digest, system, line=line)
        existing.runs[line.id] = stored
        plan.counts.runs_new += 1
        change = _change(None, parsed) if parsed else None
        _plan(plan, existing, workflow, line, PlannedRun(line, number, is_new=True, change=change))
        return
    if stored.digest == line.digest:
        plan.counts.runs_unchanged += 1
        return
    before = stored.state
    if before is None:
        first = cast(EncodedRun, stored.line)
        before = _state_of(plan, first, arrival)
        stored.files = _content_of(before, first)
    after = merge(before, _state_of(plan, line, arrival))
    brought = _content_of(after, line)
    if after == before and brought.items() <= stored.files.items():
        plan.counts.runs_unchanged += 1
        return
    stored.state, stored.digest = after, line.digest
    stored.files |= brought
    plan.counts.runs_updated += 1
    planned = plan.runs.get(line.id)
    merged = line_of_state(after, _parse(plan, line, arrival), arrival.workspace_id)
    is_new = planned is not None and planned.is_new
    change = _change(_status(before), merged) if way.live else None
    if change and planned and planned.change:
        change = change._replace(before=planned.change.before)
    update = PlannedRun(
        merged, stored.number, is_new, _person_id(after), change or (planned and planned.change)
    )
    _plan(plan, existing, workflow, line, update)


def _change(before: str | None, run: ParsedRun) -> Change | None:
    after: str = run.columns["status"]
    return Change(before, after, run.columns["as_of"]) if after != before else None


def _status(state: RunState) -> str:
    entries = state.fields.get("status")
    return str(entries[0].value) if entries else str(RunStatus.RUNNING)


def _content_of(state: RunState, line: EncodedRun) -> dict[UUID, bytes]:
    """The digests of the files that a line brings in lists that count."""
    if line.results is None:
        return {}
    best = {name: entries[0].value for name, entries in state.fields.items()}
    counting = [name for name, digest in line.results.digests.items() if best.get(name) == digest]
    return {
        file.artifact["id"]: file.artifact["sha256"]
        for name in counting
        for file in outputs_of(name, line.results).files
    }


def _parse(plan: Plan, line: EncodedRun, arrival: Arrival) -> ParsedRun:
    """The line, taken apart again: only live lines and those that meet another one are."""
    if line.text not in plan.parsed:
        plan.parsed[line.text] = cast(ParsedRun, parse_line(line.text, arrival))
    return plan.parsed[line.text]


def _state_of(plan: Plan, line: EncodedRun, arrival: Arrival) -> RunState:
    return state_of_line(_parse(plan, line, arrival), line.results)


def _person_id(state: RunState) -> int | None:
    """The stored person who triggered the run, if the line that counts named nobody anew."""
    entries = state.fields.get("triggered_by")
    person = state.people.get(str(entries[0].value)) if entries else None
    return person if isinstance(person, int) else None


def _make_named(
    plan: Plan, existing: Existing, workflow_id: UUID, named: NamedWorkflow, now: datetime
) -> None:
    workflow = StoredWorkflow(
        id=workflow_id,
        here=True,
        name=named.name,
        description=None,
        definition=EMPTY_DEFINITION,
        source=dict(named.facts),
        created_at=now,
        next_run_number=1,
    )
    _make_workflow(plan, existing, workflow)


def _new_number(existing: Existing, workflow: StoredWorkflow, line: EncodedRun) -> int:
    """The line's own number, else its ordinal if that is free, else the next number."""
    if line.number is not None:
        return line.number
    if line.ordinal is not None and (workflow.id, line.ordinal) not in existing.numbers:
        return line.ordinal
    return workflow.next_run_number


def _plan(
    plan: Plan, existing: Existing, workflow: StoredWorkflow, line: EncodedRun, planned: PlannedRun
) -> None:
    plan.runs[line.id] = planned
    _name(plan, line.identity)
    existing.numbers.add((workflow.id, planned.number))
    workflow.next_run_number = max(workflow.next_run_number, planned.number + 1)
    plan.next_numbers[workflow.id] = workflow.next_run_number


def _name(plan: Plan, identity: SourcePerson | None) -> None:
    if identity is not None:
        plan.named.append(identity)
