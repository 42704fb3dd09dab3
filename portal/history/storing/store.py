"""Looks up what is stored of history, and stores what was decided."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple, cast
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.columns import Base
from portal.database.engine import db
from portal.database.models import Artifact, Run, Upload, UploadStatus, Workflow, Workspace
from portal.database.sql import bulk, versions
from portal.database.sql.in_lists import chunks
from portal.history.merging.stored import read_states
from portal.history.parsing.encoding import EncodedRun, HistoryLine, NumberedLine, encode_parsed
from portal.history.parsing.lines import WorkflowLine
from portal.history.parsing.readers import Values
from portal.history.parsing.runs import Arrival, ParsedRun
from portal.history.parsing.uploads import UploadLine
from portal.history.storing.decide import (
    Change,
    Existing,
    Plan,
    PlannedRun,
    StoredRun,
    StoredUpload,
    StoredWorkflow,
    decide,
)
from portal.history.ways import WayIn
from portal.input.folding import fold
from portal.runs.counts import Counted
from portal.runs.recording.events import Told, told_of
from portal.runs.recording.imported_results import ResultRows, store_results
from portal.runs.recording.imported_runs import ImportedRun, no_changes, store_imported
from portal.runs.recording.run_parameters import encoded_id
from portal.runs.recording.workflow_rows import (
    find_workflows,
    lock_workflows,
    raise_run_numbers,
    set_versions,
)
from portal.workspaces.people import SourcePerson, store_people

_WORKFLOWS = cast(sa.Table, Workflow.__table__)
_RUNS = cast(sa.Table, Run.__table__)
_STORED_RUN = tuple(
    _RUNS.c[name]
    for name in ("id", "workflow_id", "imported", "run_number", "import_digest", "source_system")
)
_UPLOADS = cast(sa.Table, Upload.__table__)


def renew_statistics() -> None:
    """Renew the statistics of PostgreSQL's planner after many new rows; autovacuum takes minutes to do so.

    Until then the planner may take tables for empty, and joins ten thousand takes to their scores by nested
    loops.
    """
    if db.engine.dialect.name == "postgresql":
        names = ", ".join(table.name for table in Base.metadata.sorted_tables)
        with db.engine.connect() as connection:
            connection.exec_driver_sql(f"ANALYZE {names}")


def look_up(
    session: Session,
    workspace_id: UUID,
    lines: Sequence[HistoryLine],
    locked: dict[UUID, StoredWorkflow] | None = None,
) -> Existing:
    """What is stored of the workflows, uploads and runs that these lines name.

    `locked` are the workflows that the transaction has locked, as it has left them; the others that are named
    are locked too and added. Without it nothing is locked.
    """
    run_lines = [line for line in lines if isinstance(line, EncodedRun)]
    upload_lines = [line for line in lines if isinstance(line, UploadLine)]
    workflows = {} if locked is None else locked
    named = sorted(workflows_of(lines) - workflows.keys())
    workflows |= {
        row.id: StoredWorkflow(
            id=row.id,
            here=row.workspace_id == workspace_id and row.deleted_at is None,
            name=row.name,
            description=row.description,
            definition=row.definition,
            source=row.source,
            created_at=row.created_at,
            next_run_number=row.next_run_number,
            version=row.version,
            expected=row.expected,
            made_here=row.current_version is not None,
        )
        for row in (find_workflows if locked is None else lock_workflows)(session, named)
    }
    runs = _stored_runs(session, run_lines)
    return Existing(
        workflows,
        runs,
        _used_numbers(session, run_lines, runs),
        _stored_uploads(session, upload_lines),
        _importer_id(workspace_id),
    )


def workflows_of(lines: Iterable[HistoryLine]) -> set[UUID]:
    """The workflows that these lines name."""
    named = (line.id if isinstance(line, WorkflowLine) else line.workflow_id for line in lines)
    return {workflow_id for workflow_id, _ in groupby(named)}  # runs of one are consecutive; hashing is slow


def _importer_id(workspace_id: UUID) -> UUID:
    """The user id that stands for the import: history names no owners of workflows."""
    return uuid5(workspace_id, "import")


def _stored_runs(session: Session, lines: Sequence[EncodedRun]) -> dict[UUID, StoredRun]:
    found = {
        run_id: StoredRun(workflow_id, imported, number, digest, source)
        for run_id, workflow_id, imported, number, digest, source in bulk.select_rows(
            session.connection(),
            _STORED_RUN,
            _RUNS.c.id,
            [encoded_id(line.parameters) for line in lines],
        )
    }
    known = [line for line in lines if line.id in found] if found else []
    changed = {line.id for line in known if found[line.id].digest != line.digest and found[line.id].imported}
    for run_id, state in read_states(session, changed).items():
        found[run_id].state = state
    with_files = {line.id for line in known if line.id in changed and line.files}
    for chunk in chunks(list(with_files)):
        rows = sa.select(Artifact.run_id, Artifact.id, Artifact.sha256).where(Artifact.run_id.in_(chunk))
        for row in session.execute(rows):
            found[cast(UUID, row.run_id)].files[row.id] = row.sha256
    return found


def _stored_uploads(session: Session, lines: Sequence[UploadLine]) -> dict[UUID, StoredUpload]:
    found: dict[UUID, StoredUpload] = {}
    for chunk in chunks(list({line.id for line in lines})):
        rows = sa.select(_UPLOADS, Artifact.sha256).outerjoin(Artifact, Artifact.id == _UPLOADS.c.artifact_id)
        for row in session.execute(rows.where(_UPLOADS.c.id.in_(chunk))):
            columns = dict(row._mapping)
            sha256, upload_id = columns.pop("sha256"), columns.pop("id")
            made_here = columns["content_id"] is not None
            for name in ("workspace_id", "status", "artifact_id", "content_id", "content_sha256"):
                del columns[name]
            found[upload_id] = StoredUpload(columns, sha256, made_here)
    return found


def _used_numbers(
    session: Session, lines: Sequence[EncodedRun], runs: dict[UUID, StoredRun]
) -> set[tuple[UUID, int]]:
    """The ordinals that lines might take as run numbers but that are in use."""
    wanted: dict[UUID, set[int]] = defaultdict(set)
    for line in lines:
        if line.number is None and line.ordinal is not None and line.id not in runs:
            wanted[line.workflow_id].add(line.ordinal)
    used: set[tuple[UUID, int]] = set()
    for workflow_id, ordinals in wanted.items():
        for chunk in chunks(list(ordinals)):
            numbers = sa.select(Run.run_number).where(
                Run.workflow_id == workflow_id, Run.run_number.in_(chunk)
            )
            used |= {(workflow_id, number) for number in session.scalars(numbers)}
    return used


class EncodedPlan(NamedTuple):
    """A planned run whose row is ready to be stored."""

    line: EncodedRun
    number: int
    is_new: bool
    person_id: int | None
    change: Change | None


def _encoded(dialect: sa.Dialect, planned: Iterable[PlannedRun], workspace_id: UUID) -> list[EncodedPlan]:
    """Encode what several lines together say; what one line says is encoded already."""
    plans = list(planned)
    merged = [plan.line for plan in plans if isinstance(plan.line, ParsedRun)]
    encoded = iter(encode_parsed(dialect, merged, workspace_id))
    return [
        EncodedPlan(
            next(encoded) if isinstance(plan.line, ParsedRun) else plan.line,
            plan.number,
            plan.is_new,
            plan.person_id,
            plan.change,
        )
        for plan in plans
    ]


class Store:
    """Stores chunks of history in one transaction. Imports into a workspace wait for each other."""

    def __init__(self, session: Session, arrival: Arrival, way: WayIn) -> None:
        self._session, self._arrival, self._way = session, arrival, way
        self._workspace_id, self._now = arrival.workspace_id, arrival.now
        self._workflows: dict[UUID, StoredWorkflow] = {}
        self._people: dict[UUID, int] = {}
        self._identities: dict[UUID, SourcePerson] = {}
        self._changes = no_changes()
        self._next_numbers: dict[UUID, int] = {}
        self._versions: dict[UUID, int] = {}
        workspace = sa.select(Workspace.id).where(Workspace.id == self._workspace_id)
        session.execute(workspace.with_for_update(key_share=True))

    def may_lock(self, lines: Sequence[NumberedLine]) -> bool:
        """Whether the workflows of these lines can be locked too: locks are taken in the order of ids."""
        more = workflows_of(line for _, line in lines) - self._workflows.keys()
        return not more or not self._workflows or min(more) > max(self._workflows)

    def take(self, lines: Sequence[NumberedLine]) -> Plan:
        """Decide about these lines, and store them."""
        existing = look_up(self._session, self._workspace_id, [line for _, line in lines], self._workflows)
        plan = decide(existing, lines, self._arrival, self._way)
        _store_workflows(self._session, self._workspace_id, plan, self._now)
        planned = _encoded(self._session.get_bind().dialect, plan.runs.values(), self._workspace_id)
        self._take_versions(plan.next_numbers.keys() | plan.changed_workflows.keys())
        self._take_versions({line.workflow_id for line, _ in plan.uploads.values()})
        self._store_people(plan)
        store_imported(
            self._session,
            self._workspace_id,
            [self._imported(run) for run in planned if run.is_new],
            [self._imported(run) for run in planned if not run.is_new],
            self._changes,
        )
        plan.counts.results += _store_results(self._session, planned)
        _store_uploads(self._session, self._workspace_id, plan)
        self._record_events(planned)
        self._next_numbers |= plan.next_numbers
        plan.counts.steps += sum(len(run.line.steps) for run in planned)
        return plan

    def finish(self) -> None:
        """Write counts, run counters and versions. Nothing is taken after that."""
        self._changes.apply(self._session)
        raise_run_numbers(self._session, self._next_numbers)
        set_versions(self._session, self._versions)

    def _record_events(self, planned: Iterable[EncodedPlan]) -> None:
        """Record what live lines told of in time, as changes of runs made here are recorded."""
        if self._way.live:
            changes = [Told(run.line.id, *run.change) for run in planned if run.change]
            told_of(self._session, changes, self._way.key_id, self._now)

    def _take_versions(self, workflow_ids: set[UUID]) -> None:
        """Choose the version that each changed workflow gets in this transaction."""
        for workflow_id in workflow_ids - self._versions.keys():
            self._versions[workflow_id] = versions.next_version(self._workflows[workflow_id].version)

    def _store_people(self, plan: Plan) -> None:
        """Insert or update the people whose names or e-mails differ from those in the lines before."""
        changed = []
        for identity in plan.named:
            before = self._identities.get(identity.user_id)
            if before is not identity and before != identity:
                self._identities[identity.user_id] = identity
                changed.append(identity)
        if changed:
            people, plan.counts.people = store_people(self._session, self._workspace_id, changed)
            self._people |= people

    def _imported(self, planned: EncodedPlan) -> ImportedRun:
        line = planned.line
        person_id = self._people[line.identity.user_id] if line.identity else planned.person_id
        return ImportedRun(
            line.id,
            line.parameters,
            line.counted,
            person_id,
            planned.number,
            self._versions[line.workflow_id],
            line.digest,
            _detail(line, planned.number),
            line.steps,
            line.cause,
        )


def _store_results(session: Session, planned: Sequence[EncodedPlan]) -> int:
    """Store the results of these runs, of which some may have none now; returns the number of rows."""
    runs = [run.line for run in planned if run.line.results is not None]
    given = [line.results for line in runs if line.results is not None]
    replaced = {
        run.line.id: run.line.results.kept if run.line.results else frozenset()
        for run in planned
        if not run.is_new
    }
    if given or replaced:
        rows = ResultRows(
            run_results=[each.run for each in given if each.run],
            step_results=[row for each in given for row in each.steps],
            output_lines=[row for each in given for row in each.lines],
            artifacts=[file.artifact for each in given for file in each.files],
            takes=[row for each in given for row in each.takes],
            validations=[row for each in given for row in each.validations],
        )
        spoken = [Counted._make([*line.counted, None]) for line in runs]
        store_results(session, rows, spoken, replaced)
        return rows.number
    return 0


def _store_uploads(session: Session, workspace_id: UUID, plan: Plan) -> None:
    """Replace uploads and their artifacts."""
    if not plan.uploads:
        return
    connection = session.connection()
    for chunk in chunks(list(plan.uploads)):
        before = sa.select(_UPLOADS.c.artifact_id).where(_UPLOADS.c.id.in_(chunk))
        before_ids = [each for each in connection.scalars(before) if each is not None]
        connection.execute(sa.delete(_UPLOADS).where(_UPLOADS.c.id.in_(chunk)))
        connection.execute(sa.delete(Artifact).where(Artifact.id.in_(before_ids)))
    files = [line.file for line, _ in plan.uploads.values() if line.file]
    if files:
        connection.execute(sa.insert(Artifact), [file.artifact for file in files])
    fixed = {"workspace_id": workspace_id, "status": str(UploadStatus.UPLOADED)}
    rows = [
        {"id": line.id, "artifact_id": line.file.artifact["id"] if line.file else None}
        | fixed
        | dict(stored.columns)
        for line, stored in plan.uploads.values()
    ]
    connection.execute(sa.insert(_UPLOADS), rows)


def _store_workflows(session: Session, workspace_id: UUID, plan: Plan, now: datetime) -> None:
    if plan.new_workflows:
        fixed = {
            "workspace_id": workspace_id,
            "user_id": _importer_id(workspace_id),
            "name_source": "user",
            "next_run_number": 1,
            "version": versions.next_version(0),
            "change_stamp": 0,
            "updated_at": now,
        }
        rows = [{"id": each.id, **_columns(each), **fixed} for each in plan.new_workflows.values()]
        session.connection().execute(sa.insert(_WORKFLOWS), rows)
    for changed in plan.changed_workflows.values():
        update = sa.update(_WORKFLOWS).where(_WORKFLOWS.c.id == changed.id)
        values = {**_columns(changed), "updated_at": now, "current_version": None}
        session.connection().execute(update.values(values))


def _columns(workflow: StoredWorkflow) -> Values:
    return {
        "name": workflow.name,
        "description": workflow.description,
        "name_folded": fold(workflow.name),
        "description_folded": fold(workflow.description or ""),
        "definition": workflow.definition,
        "source": workflow.source,
        "expected": workflow.expected,
        "created_at": workflow.created_at,
    }


def _detail(line: EncodedRun, number: int) -> Values | None:
    """The columns of the run's RunDetail, if it has any."""
    source = line.source
    if line.number is not None and line.number != number:
        source = {**source, "run_number": line.number}  # the run keeps its number; the source's is not lost
    if not source and line.definition_snapshot is None and line.provenance is None:
        return None
    return {
        "definition_snapshot": line.definition_snapshot,
        "source": source or None,
        "provenance": line.provenance,
    }
