"""Makers of rows for tests: each needs only what matters to the test."""

import io
import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal import moments, storage
from portal.auth.access import SeenWorkflow, SeenWorkspace
from portal.auth.api_keys import ingest_management
from portal.auth.api_keys.management import KeySpec, create_key_as_operator
from portal.database import compatibility
from portal.database.engine import db
from portal.database.models import (
    Artifact,
    DictionaryEntry,
    EngineClaim,
    EngineWorker,
    Member,
    OutputLine,
    Person,
    Run,
    RunDetail,
    RunStatus,
    SavedView,
    Schedule,
    Step,
    StepLogLine,
    Take,
    Template,
    Upload,
    User,
    Validation,
    Workflow,
    WorkflowVersion,
    Workspace,
    WorkspaceRunTotals,
)
from portal.database.sql import versions
from portal.database.transactions import writing
from portal.definitions.catalog import CATALOG
from portal.definitions.locales import LOCALES
from portal.engine.contract import Ability
from portal.engine.preparing.abilities import to_json
from portal.input.folding import fold
from portal.runs import counts
from portal.runs.facts.duration import duration_of
from portal.runs.recording.imported_runs import ImportedRun, no_changes, store_imported
from portal.runs.recording.run_parameters import encode_runs, explain
from portal.runs.recording.workflow_rows import lock_workflows, set_versions

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EMPTY_DEFINITION: dict[str, Any] = {
    "graph": {"nodes": [], "edges": []},
    "execution": {"steps": [], "params": {}},
}
CAN_ALL = to_json(
    dict.fromkeys(CATALOG, Ability())
    | {"operator_generator": Ability(locales=frozenset(LOCALES), voices=frozenset())}
)
"""The abilities of a worker that can do the work of every node type, and speak every locale."""
_numbers = itertools.count(1)
_arrivals = itertools.count(1)


def make_upload(workflow: Workflow, workspace: Workspace, filename: str, content: bytes | None) -> Upload:
    """A script that somebody gave a workflow; without content it is only known of."""
    artifact = make_artifact(workspace, None, filename, content) if content is not None else None
    return _store(
        Upload(
            id=uuid4(),
            workspace_id=workspace.id,
            workflow_id=workflow.id,
            user_id=uuid4(),
            status="uploaded",
            filename=filename,
            category="script",
            content_type="text/plain",
            size_bytes=len(content) if content is not None else None,
            artifact_id=artifact.id if artifact else None,
            created_at=NOON,
            updated_at=NOON,
        )
    )


def _store(row: Any) -> Any:
    with writing() as session:
        session.add(row)
    return row


def make_workspace(slug: str = "acme", name: str = "Acme") -> Workspace:
    return _store(Workspace(id=uuid4(), slug=slug, name=name, created_at=NOON))


def make_user(
    email: str = "ada@acme.example", first_name: str = "", last_name: str = "", **columns: Any
) -> User:
    names = {"first_name": first_name, "last_name": last_name}
    return _store(User(id=uuid4(), email=email, created_at=NOON, **names, **columns))


def make_member(workspace: Workspace, user: User, role: str = "admin") -> Member:
    """A member who joined after whoever was made a member before."""
    joined = NOON + timedelta(seconds=next(_arrivals))
    return _store(Member(workspace_id=workspace.id, user_id=user.id, role=role, created_at=joined))


def make_key(workspace: Workspace, user: User, scopes: tuple[str, ...] = ("workflows:read",)) -> str:
    spec = KeySpec(name="test", scopes=tuple(sorted(set(scopes))))
    return create_key_as_operator(workspace, user.email, spec, moments.now()).plain


def make_ingest_key(workspace: Workspace, kind: str = "history", **fields: Any) -> str:
    spec = ingest_management.IngestKeySpec.parse({"kind": kind, "name": "test", **fields})
    return ingest_management.create_key_as_operator(workspace, spec, moments.now()).plain


def make_workflow(workspace: Workspace, name: str = "Nightly dub", **columns: Any) -> Workflow:
    defaults: dict[str, Any] = {
        "id": uuid4(),
        "user_id": uuid4(),
        "name_source": "user",
        "description": None,
        "definition": EMPTY_DEFINITION,
        "created_at": NOON,
        "updated_at": NOON,
        "next_run_number": 1,
        "version": versions.next_version(0),
        "change_stamp": 0,
    }
    values = defaults | columns
    folded = {"name_folded": fold(name), "description_folded": fold(values["description"] or "")}
    return _store(Workflow(workspace_id=workspace.id, name=name, **(values | folded)))


def make_versions(workflow: Workflow, *definitions: Any, **columns: Any) -> None:
    """Versions of a workflow with these definitions, from 1; its own definition is that of the last one."""
    defaults: dict[str, Any] = {"user_id": uuid4(), "user_name": "Ada Lovelace", "created_at": NOON}
    with writing() as session:
        for number, definition in enumerate(definitions, start=1):
            values = defaults | columns
            session.add(
                WorkflowVersion(workflow_id=workflow.id, number=number, definition=definition, **values)
            )
        present = {"definition": definitions[-1], "current_version": len(definitions)}
        session.execute(sa.update(Workflow).where(Workflow.id == workflow.id).values(**present))


def make_run_of_version(workflow: Workflow, number: int, **columns: Any) -> Run:
    """A run that was started here, of this version of the workflow."""
    run = make_run(workflow, **columns)
    with writing() as session:
        session.execute(sa.update(Run).where(Run.id == run.id).values(workflow_version=number))
    return run


def make_view(workflow: Workflow, name: str = "Failed", **columns: Any) -> SavedView:
    """A view of the team, unless the columns name a user."""
    defaults: dict[str, Any] = {"parameters": {"status": "failed"}, "is_default": False}
    place = {"workspace_id": workflow.workspace_id, "workflow_id": workflow.id}
    named = {"id": uuid4(), "name": name, "name_folded": fold(name), "created_at": NOON, "updated_at": NOON}
    return _store(SavedView(**defaults | place | named | columns))


def make_template(workspace: Workspace, name: str, **columns: Any) -> Template:
    defaults: dict[str, Any] = {
        "id": uuid4().hex[:8],
        "description": None,
        "category": None,
        "definition": EMPTY_DEFINITION,
        "name_folded": fold(name),
        "description_folded": "",
        "created_by": uuid4(),
        "created_at": NOON,
        "updated_at": NOON,
    }
    return _store(Template(workspace_id=workspace.id, name=name, **(defaults | columns)))


def make_entry(workspace: Workspace, word: str, **columns: Any) -> DictionaryEntry:
    """What a word sounds like, in German unless said otherwise."""
    defaults: dict[str, Any] = {
        "id": uuid4(),
        "word_folded": fold(word),
        "language": "de-de",
        "method": "spelled",
        "pronunciation": word.lower(),
        "created_by": uuid4(),
        "created_at": NOON,
        "updated_at": NOON,
    }
    return _store(DictionaryEntry(workspace_id=workspace.id, word=word, **(defaults | columns)))


def make_person(
    workspace: Workspace, name: str | None = None, email: str | None = None, source_id: str | None = None
) -> Person:
    display_name = name or email or source_id or "somebody"
    return _store(
        Person(
            workspace_id=workspace.id,
            user_id=uuid4(),
            source_id=source_id,
            name=name,
            email=email,
            display_name=display_name,
            display_name_folded=fold(display_name),
            email_folded=fold(email or ""),
        )
    )


def make_run(workflow: Workflow, person: Person | None = None, **columns: Any) -> Run:
    return make_runs(workflow, [{"person_id": person.id if person else None} | columns])[0]


def make_runs(workflow: Workflow, rows: Sequence[dict[str, Any]]) -> list[Run]:
    """Runs as the importer stores them, so that the counts beside them hold.

    A row may have `source`, what history says beyond the columns, and `steps`, as `make_steps` takes them.
    """
    sources = [row.get("source") for row in rows]
    whole = [
        run_columns(workflow, **{name: row[name] for name in row if name not in ("source", "steps")})
        for row in rows
    ]
    no_detail = {"definition_snapshot": None, "provenance": None}
    with writing() as session:
        lock_workflows(session, [workflow.id])
        changes = no_changes()
        all_steps = [
            [step_columns(row["id"], number, **step) for number, step in enumerate(given.get("steps", ()))]
            for row, given in zip(whole, rows, strict=True)
        ]
        causes = [
            explain(row, steps, workflow.workspace_id) for row, steps in zip(whole, all_steps, strict=True)
        ]
        encoded = encode_runs(session.get_bind().dialect, whole)
        stored = session.scalar(sa.select(Workflow.version).where(Workflow.id == workflow.id))
        version = versions.next_version(stored or 0)
        imported = [
            ImportedRun(
                row["id"],
                *encoded_run,
                row["person_id"],
                row["run_number"],
                version,
                None,
                None if source is None else {"source": source, **no_detail},
                steps,
                cause,
            )
            for row, encoded_run, source, steps, cause in zip(
                whole, encoded, sources, all_steps, causes, strict=True
            )
        ]
        store_imported(session, workflow.workspace_id, imported, [], changes)
        changes.apply(session)
        set_versions(session, {workflow.id: version})
        return [session.get_one(Run, row["id"]) for row in whole]


def run_columns(workflow: Workflow, **columns: Any) -> dict[str, Any]:
    """Every column of a run."""
    named = {column.name for column in Run.__table__.columns} - {"duration_ms"}
    defaults: dict[str, Any] = dict.fromkeys(named) | {
        "id": uuid4(),
        "workflow_id": workflow.id,
        "workspace_id": workflow.workspace_id,
        "run_number": next(_numbers),
        "status": RunStatus.COMPLETED,
        "imported": True,
        "created_at": NOON,
        "updated_at": NOON,
        "total_steps": 0,
        "finished_steps": 0,
    }
    columns = defaults | columns
    known = (columns[name] for name in ("status", "started_at", "completed_at", "paused_ms"))
    return {"duration_ms": duration_of(*known)} | columns | {"status": str(columns["status"])}


def make_engine_run(workflow: Workflow, status: str = "pending", **columns: Any) -> Run:
    """A run that the engine drives."""
    run = make_run(workflow, status=status, imported=False, **columns)
    with writing() as session:
        stored = session.get_one(Run, run.id)
        stored.by_engine = True
    return stored


def make_worker(name: str = "w1", *, silent: float = 0, **columns: Any) -> EngineWorker:
    """A worker whose last heartbeat is some seconds old, by this machine's clock."""
    now = moments.now()
    defaults = {
        "host": "host-a",
        "pid": 7,
        "threads": 4,
        "version": compatibility.NEWEST,
        "abilities": {"sink_preview": {"unavailable": None}},
        "started_at": now - timedelta(hours=1),
        "beat_at": now - timedelta(seconds=silent),
        "draining": False,
    }
    return _store(EngineWorker(id=name, **(defaults | columns)))


def make_claim(run: Run, worker: str = "", **columns: Any) -> EngineClaim:
    """A step of a run that has begun; without a worker it waits."""
    defaults: dict[str, Any] = {
        "node_id": "n1",
        "iteration": 1,
        "position": 0,
        "fence": uuid4(),
        "claimed_at": moments.now(),
    }
    return _store(EngineClaim(run_id=run.id, worker=worker, **(defaults | columns)))


def make_log(run: Run, *messages: str, position: int = 0) -> None:
    """The log of a step of a run."""
    with writing() as session:
        session.add_all(
            StepLogLine(run_id=run.id, position=position, number=number, at=NOON, message=message)
            for number, message in enumerate(messages, 1)
        )


def make_steps(run: Run, *steps: dict[str, Any]) -> None:
    """Steps of a run in this order; each needs only what matters."""
    for position, columns in enumerate(steps):
        _store(Step(**step_columns(run.id, position, **columns)))


def step_columns(run_id: UUID, position: int, **columns: Any) -> dict[str, Any]:
    """Every column of a step."""
    defaults: dict[str, Any] = dict.fromkeys(column.name for column in Step.__table__.columns) | {
        "run_id": run_id,
        "position": position,
        "node_id": f"node-{position}",
        "node_type": "operator_generator",
        "status": "completed",
        "iteration": 1,
    }
    return defaults | columns


def make_detail(run: Run, **columns: Any) -> None:
    """What stands beside a run's row: `definition_snapshot`, `source`."""
    _store(RunDetail(run_id=run.id, **columns))


def uuid_of(number: int) -> UUID:
    """A small UUID, so that a test can say which id comes first."""
    return UUID(int=number)


def make_output(run: Run, workspace: Workspace, *lines: dict[str, Any]) -> None:
    """Lines of a run; a line's `takes` may have `audio` (bytes), its `content_type`, `validations`."""
    for position, columns in enumerate(lines):
        takes = columns.pop("takes", ())
        script = columns.get("script")
        _store(OutputLine(run_id=run.id, position=position, script_folded=fold(script or ""), **columns))
        for number, take in enumerate(takes):
            _make_take(run, workspace, position, number, dict(take))


def _make_take(run: Run, workspace: Workspace, line: int, number: int, columns: dict[str, Any]) -> None:
    audio, validations = columns.pop("audio", None), columns.pop("validations", ())
    name = columns.pop("name", f"{line}-{number}.wav")
    kind = {"content_type": columns.pop("content_type", "audio/wav")}
    artifact = make_artifact(workspace, run, name, audio, **kind) if audio is not None else None
    defaults = {"audio_id": f"{line:08x}{number:08x}", "status": "delivered", "retry_count": number}
    where = {"run_id": run.id, "line": line}
    artifact_id = artifact.id if artifact else None
    _store(Take(**where, position=number, artifact_id=artifact_id, **(defaults | columns)))
    for position, validation in enumerate(validations):
        _store(Validation(**where, take=number, position=position, **({"kind": "wer"} | validation)))


def make_artifact(
    workspace: Workspace, run: Run | None, name: str, content: bytes, **columns: Any
) -> Artifact:
    """A stored file, content and all."""
    kept = storage.store_content(workspace.id, io.BytesIO(content))
    values = {"content_type": "audio/wav", "size_bytes": kept.size, "sha256": kept.sha256} | columns
    run_id = run.id if run else None
    return _store(Artifact(id=uuid4(), workspace_id=workspace.id, run_id=run_id, name=name, **values))


def make_schedule(workflow: Workflow, set_by: UUID, **columns: Any) -> Schedule:
    """A schedule that is on, for every day at noon in UTC."""
    defaults: dict[str, Any] = {
        "id": uuid4(),
        "workflow_id": workflow.id,
        "cron": "0 12 * * *",
        "zone": "UTC",
        "enabled": True,
        "set_by": set_by,
        "created_at": NOON - timedelta(days=1),
        "changed_at": NOON - timedelta(days=1),
        "next_at": NOON,
    }
    return _store(Schedule(**(defaults | columns)))


def seen_workspace(workspace: Workspace) -> SeenWorkspace:
    """The workspace as a request sees it now."""
    db.session.rollback()
    found = sa.select(WorkspaceRunTotals.arrived_in).where(WorkspaceRunTotals.workspace_id == workspace.id)
    return SeenWorkspace(
        id=workspace.id,
        version=0,
        change_stamp=0,
        arrived_in=db.session.scalar(found) or 0,
        running=0,
        workflows=0,
        versions=(0, 0, 0),
    )


def delete_from_workspace(workflow: Workflow) -> None:
    """Delete a workflow as a request does: its runs leave what is counted of its workspace."""
    _delete_or_restore(workflow, NOON, counts.count_out)


def restore_to_workspace(workflow: Workflow) -> None:
    _delete_or_restore(workflow, None, counts.count_in)


def _delete_or_restore(
    workflow: Workflow, deleted_at: datetime | None, count: Callable[[Session, UUID], None]
) -> None:
    with writing() as session:
        lock_workflows(session, [workflow.id])
        session.execute(sa.update(Workflow).where(Workflow.id == workflow.id).values(deleted_at=deleted_at))
        count(session, workflow.id)


def seen(workflow: Workflow) -> SeenWorkflow:
    """The workflow as a request sees it now."""
    db.session.rollback()
    version = db.session.scalar(sa.select(Workflow.version).where(Workflow.id == workflow.id))
    return SeenWorkflow(
        id=workflow.id,
        workspace_id=workflow.workspace_id,
        name=workflow.name,
        description=None,
        next_run_number=1,
        running=None,
        version=version or 0,
        workspace_version=0,
        change_stamp=0,
        workspace_stamp=0,
    )
