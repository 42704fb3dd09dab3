"""Files of a run that can be downloaded: one take's audio, or an archive (contract 3.12)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.archives import Entry, Names, safe_name
from portal.db import db
from portal.errors import Conflict, NotFound
from portal.models import Artifact, Run, RunStatus, Take, TakeStatus, Upload
from portal.runs.detail import RunDetailView, RunView
from portal.runs.outputs import output_nodes
from portal.storage import key_of
from portal.workflows.access import SeenWorkflow


@dataclass(frozen=True)
class StoredFile:
    """One file in the artifact store."""

    key: str
    name: str
    content_type: str
    size: int
    sha256: bytes


@dataclass(frozen=True)
class Archive:
    entries: list[Entry]
    made_at: datetime


def archive_name(workflow: SeenWorkflow, run: RunDetailView, node_id: str | None = None) -> str:
    """The name of the run's archive, or of one node's. Raises NotFound, Conflict."""
    if node_id is not None and node_id not in {node.id for node in output_nodes(run)}:
        raise NotFound("This run has no such output node.")
    _refuse_unless_completed(run)
    if not db.session.scalar(sa.select(sa.exists().where(*_files(run.id, node_id)))):
        raise NotFound("There is nothing to download: no audio of this run is stored here.")
    node = f"-{node_id}" if node_id is not None else ""
    return safe_name(f"{workflow.name}-run-{run.run_number}{node}.zip".replace(" ", "-"))


def audio_name(run: RunView, audio_id: str) -> str:
    """The name of a take's audio file. Raises NotFound, Conflict."""
    found = db.session.scalar(
        sa.select(Artifact.name).join(Take, Take.artifact_id == Artifact.id).where(*_take(run.id, audio_id))
    )
    if found is None:
        raise NotFound("This run has no such audio.")
    _refuse_unless_completed(run)
    return safe_name(found)


def find_audio(workspace_id: UUID, run_id: UUID, audio_id: str) -> StoredFile:
    """A take's audio. Raises NotFound."""
    select = sa.select(Artifact).join(Take, Take.artifact_id == Artifact.id)
    return _stored(select.where(*_take(run_id, audio_id), Artifact.workspace_id == workspace_id))


def find_upload(workspace_id: UUID, upload_id: UUID) -> StoredFile:
    """The file of an upload. Raises NotFound."""
    select = sa.select(Artifact).join(Upload, Upload.artifact_id == Artifact.id)
    return _stored(select.where(Upload.id == upload_id, Artifact.workspace_id == workspace_id))


def archive_of(workspace_id: UUID, run_id: UUID, node_id: str | None = None) -> Archive:
    """What goes into an archive, always in the same order. Raises NotFound."""
    rows = db.session.execute(
        sa.select(Artifact, Take.line, Take.locale_code, Take.position)
        .outerjoin(Take, Take.artifact_id == Artifact.id)
        .where(*_files(run_id, node_id), Artifact.workspace_id == workspace_id)
    ).all()
    moments = sa.select(sa.func.coalesce(Run.completed_at, Run.created_at)).where(Run.id == run_id)
    made_at = db.session.scalar(moments)
    if not rows or made_at is None:
        raise NotFound("There is nothing to download any more.")
    names, entries = Names(), []
    for artifact, line, locale, _ in sorted(rows, key=_place):
        if line is None:
            path = names.path("files", artifact.node_id or "run", artifact.name)
        else:
            path = names.path(locale or "audio", f"{line + 1:04d}-{artifact.name}")
        entries.append(Entry(path, artifact.size_bytes, key_of(workspace_id, artifact.sha256)))
    return Archive(entries, made_at)


def _place(row: Any) -> tuple[Any, ...]:
    """Where a file stands in an archive: audio by line, language and attempt, then the other files."""
    artifact, line, locale, position = row
    if line is not None:
        return (0, line, locale or "", position)
    return (1, artifact.node_id or "", artifact.name, str(artifact.id))


def _refuse_unless_completed(run: RunView) -> None:
    if run.status != RunStatus.COMPLETED:
        raise Conflict(f"This run is {run.status}: only a completed run can be downloaded.")


def _take(run_id: UUID, audio_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return Take.run_id == run_id, Take.audio_id == audio_id


def _files(run_id: UUID, node_id: str | None) -> list[sa.ColumnElement[bool]]:
    """The delivered audio and the other files of a run, or those of one output node."""
    takes = sa.select(Take.artifact_id).where(
        Take.run_id == run_id, Take.status != TakeStatus.DELIVERED, Take.artifact_id.is_not(None)
    )
    wanted = [Artifact.run_id == run_id, Artifact.id.not_in(takes)]
    if node_id is not None:
        to_all = sa.select(Take.artifact_id).where(
            Take.run_id == run_id,
            Take.artifact_id.is_not(None),
            sa.or_(Take.output_node_id == node_id, Take.output_node_id.is_(None)),
        )
        wanted.append(sa.or_(Artifact.node_id == node_id, Artifact.id.in_(to_all)))
    return wanted


def _stored(select: sa.Select[Artifact]) -> StoredFile:
    found = db.session.scalar(select)
    if found is None:
        raise NotFound("There is no such file here any more.")
    key = key_of(found.workspace_id, found.sha256)
    return StoredFile(key, safe_name(found.name), found.content_type, found.size_bytes, found.sha256)
