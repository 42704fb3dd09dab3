"""A batch of history and the database: look up what is stored, write what was decided."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.db import Base, db
from portal.folding import fold
from portal.history.decide import Existing, Plan, PlannedRun, StoredRun, StoredUpload, StoredWorkflow
from portal.history.parse import HistoryLine, RunLine, WorkflowLine
from portal.history.parse_uploads import UploadLine
from portal.models import Artifact, Run, RunDetail, Upload, Workflow, Workspace
from portal.people import store_people
from portal.runs import bulk, recorder
from portal.runs.recorder import ImportedRun, chunks
from portal.runs.result_recorder import store_results

_WORKFLOWS = cast(sa.Table, Workflow.__table__)
_RUNS = cast(sa.Table, Run.__table__)
_STORED_RUN = tuple(
    _RUNS.c[name] for name in ("id", "workflow_id", "imported", "run_number", "import_digest")
)
_UPLOADS = cast(sa.Table, Upload.__table__)


def renew_statistics() -> None:
    """Tell PostgreSQL's planner what much new history changed; autovacuum would only minutes later."""
    if db.engine.dialect.name == "postgresql":
        names = ", ".join(table.name for table in Base.metadata.sorted_tables)
        with db.engine.connect() as connection:
            connection.exec_driver_sql(f"ANALYZE {names}")


def look_up(
    session: Session, workspace_id: UUID, lines: Sequence[HistoryLine], *, hold: bool = True
) -> Existing:
    """What is stored of what these lines name; holds the workspace's imports and the workflows, if asked."""
    if hold:
        workspace = sa.select(Workspace.id).where(Workspace.id == workspace_id)
        session.execute(workspace.with_for_update(key_share=True))
    run_lines = [line for line in lines if isinstance(line, RunLine)]
    upload_lines = [line for line in lines if isinstance(line, UploadLine)]
    named = {line.workflow_id for line in run_lines}
    named |= {line.workflow_id for line in upload_lines}
    named |= {line.id for line in lines if isinstance(line, WorkflowLine)}
    workflows = {
        row.id: StoredWorkflow(
            id=row.id,
            here=row.workspace_id == workspace_id and row.deleted_at is None,
            name=row.name,
            description=row.description,
            definition=row.definition,
            source=row.source,
            created_at=row.created_at,
            next_run_number=row.next_run_number,
        )
        for row in recorder.lock_workflows(session, named, hold=hold)
    }
    runs = _stored_runs(session, run_lines)
    return Existing(
        workflows,
        runs,
        _used_numbers(session, run_lines, runs),
        _stored_uploads(session, upload_lines),
        _importer_id(workspace_id),
    )


def _importer_id(workspace_id: UUID) -> UUID:
    """Who stands for the import: history knows no owners of workflows."""
    return uuid5(workspace_id, "import")


def _stored_runs(session: Session, lines: Sequence[RunLine]) -> dict[UUID, StoredRun]:
    found = {
        run_id: StoredRun(workflow_id, imported, number, digest, superseded=[])
        for run_id, workflow_id, imported, number, digest in bulk.select_rows(
            session.connection(), _STORED_RUN, _RUNS.c.id, list({line.id for line in lines})
        )
    }
    differing = {line.id for line in lines if line.id in found and found[line.id].digest != line.digest}
    for chunk in chunks(list(differing)):
        details = sa.select(RunDetail.run_id, RunDetail.superseded_digests)
        for run_id, superseded in session.execute(details.where(RunDetail.run_id.in_(chunk))):
            found[run_id].superseded = superseded or []
    return found


def _stored_uploads(session: Session, lines: Sequence[UploadLine]) -> dict[UUID, StoredUpload]:
    found: dict[UUID, StoredUpload] = {}
    for chunk in chunks(list({line.id for line in lines})):
        rows = sa.select(_UPLOADS, Artifact.sha256).outerjoin(Artifact, Artifact.id == _UPLOADS.c.artifact_id)
        for row in session.execute(rows.where(_UPLOADS.c.id.in_(chunk))):
            columns = dict(row._mapping)
            sha256, upload_id = columns.pop("sha256"), columns.pop("id")
            del columns["artifact_id"]
            found[upload_id] = StoredUpload(columns, sha256)
    return found


def _used_numbers(
    session: Session, lines: Sequence[RunLine], runs: dict[UUID, StoredRun]
) -> set[tuple[UUID, int]]:
    """Those of the ordinals that the lines might take as numbers which are in use."""
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


def store(session: Session, workspace_id: UUID, plan: Plan, now: datetime) -> None:
    """Write what was decided, and count the people and steps that it brought."""
    _store_workflows(session, workspace_id, plan, now)
    planned = list(plan.runs.values())
    identities = [run.line.identity for run in planned if run.line.identity is not None]
    identities += [line.identity for line, _ in plan.uploads.values() if line.identity is not None]
    people, made = store_people(session, workspace_id, identities) if identities else ({}, 0)
    rows = [(run.is_new, _imported(run, people)) for run in planned]
    recorder.store_imported(
        session,
        [run for is_new, run in rows if is_new],
        [run for is_new, run in rows if not is_new],
    )
    _store_results(session, planned)
    _store_uploads(session, plan)
    recorder.raise_run_numbers(session, plan.next_numbers)
    uploaded_to = {line.workflow_id for line, _ in plan.uploads.values()}
    recorder.touch_workflows(session, plan.next_numbers.keys() | plan.changed_workflows.keys() | uploaded_to)
    plan.counts.people += made
    plan.counts.steps += sum(len(run.line.steps) for run in planned)


def _store_results(session: Session, planned: Sequence[PlannedRun]) -> None:
    """What the runs gave; what replaced ones gave before goes, also where they give nothing now."""
    given = [run.line.results for run in planned if run.line.results is not None]
    replaced = [run.line.id for run in planned if not run.is_new]
    if given or replaced:
        rows = (
            [each.run for each in given if each.run],
            [row for each in given for row in each.steps],
            [row for each in given for row in each.lines],
            [file.artifact for each in given for file in each.files],
            [row for each in given for row in each.takes],
            [row for each in given for row in each.validations],
        )
        store_results(session, rows, replaced)


def _store_uploads(session: Session, plan: Plan) -> None:
    """Uploads as they are now; what was stored of them before goes, its artifact too."""
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
    rows = [
        {"id": line.id, "artifact_id": line.file.artifact["id"] if line.file else None, **stored.columns}
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
            "change_stamp": 0,
            "updated_at": now,
        }
        rows = [{"id": each.id, **_columns(each), **fixed} for each in plan.new_workflows.values()]
        session.connection().execute(sa.insert(_WORKFLOWS), rows)
    for changed in plan.changed_workflows.values():
        update = sa.update(_WORKFLOWS).where(_WORKFLOWS.c.id == changed.id)
        session.connection().execute(update.values(**_columns(changed), updated_at=now))


def _columns(workflow: StoredWorkflow) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "description": workflow.description,
        "name_folded": fold(workflow.name),
        "description_folded": fold(workflow.description or ""),
        "definition": workflow.definition,
        "source": workflow.source,
        "created_at": workflow.created_at,
    }


def _imported(planned: PlannedRun, people: dict[UUID, int]) -> ImportedRun:
    line = planned.line
    row = {
        "id": line.id,
        "workflow_id": line.workflow_id,
        "person_id": people[line.identity.user_id] if line.identity else None,
        "run_number": planned.number,
        "imported": True,
        "import_digest": line.digest,
        **line.columns,
    }
    detail, source = None, line.source
    if line.number not in (None, planned.number):
        source = {**source, "run_number": line.number}  # a run keeps its number, the source's is not lost
    if source or line.definition_snapshot is not None or planned.superseded:
        detail = {
            "definition_snapshot": line.definition_snapshot,
            "source": source or None,
            "superseded_digests": planned.superseded or None,
        }
    return ImportedRun(row, detail, line.steps)
