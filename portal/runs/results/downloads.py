"""Downloads: the audio of one take, an archive of a run, an upload (contract 3.12).

A stored file is checked for its size before it is offered, so that no truncated file is sent. In an archive,
takes of a run of the engine have the format that their output node asks for, converted while they are sent.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import cast
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.engine import db
from portal.database.models import (
    Artifact,
    Run,
    RunDetail,
    RunStatus,
    Take,
    TakeStatus,
    Upload,
    UploadStatus,
    Workflow,
)
from portal.definitions.catalog import CATALOG
from portal.definitions.graph import nodes_of
from portal.errors import Conflict, NotFound
from portal.runs.detail.run import RunDetailView, RunView
from portal.runs.results.outputs import output_nodes
from portal.speech.audio_types import TYPES, Format
from portal.storage import (
    CHUNK_BYTES,
    Store,
    TruncatedContent,
    artifact_store,
    object_key,
    read_exactly,
    sizes,
    upload_key,
)
from portal.storage.archives import ArchiveEntry, ArchivePaths, safe_name

MAX_NAMED = 10
"""Missing or damaged files that an error message names."""

_SINK = CATALOG["sink_preview"]
_STORED = tuple(TYPES[name].content_type for name in ("flac", "opus"))
"""How the engine stores takes."""


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
    """The content of a ZIP file."""

    entries: list[ArchiveEntry]
    made_at: datetime


def archive_name(workflow: SeenWorkflow, run: RunDetailView, node_id: str | None = None) -> str:
    """The file name of a run's archive, or of one output node's. Raises NotFound, Conflict."""
    if node_id is not None and node_id not in {node.id for node in output_nodes(run)}:
        raise NotFound("This run has no such output node.")
    _refuse_unless_completed(run)
    if not db.session.scalar(sa.select(sa.exists().where(*_files(run.id, node_id)))):
        raise NotFound("There is nothing to download: no audio of this run is stored here.")
    if artifact_store().is_local:  # checking many remote files takes long, and the link checks them anyway
        archive_of(workflow.workspace_id, run.id, node_id)
    node = f"-{node_id}" if node_id is not None else ""
    return safe_name(f"{workflow.name}-run-{run.run_number}{node}.zip".replace(" ", "-"))


def audio_name(run: RunView, audio_id: str) -> str:
    """The file name of a take's audio. Raises NotFound, Conflict."""
    select = sa.select(Artifact).join(Take, Take.artifact_id == Artifact.id)
    found = db.session.scalar(select.where(*_take(run.id, audio_id)))
    if found is None:
        raise NotFound("This run has no such audio.")
    _refuse_unless_completed(run)
    return _stored_file(found).name


def find_audio(workspace_id: UUID, run_id: UUID, audio_id: str) -> StoredFile:
    """The audio of a take. Raises NotFound."""
    select = sa.select(Artifact).join(Take, Take.artifact_id == Artifact.id)
    select = select.join(Run, Run.id == Take.run_id).join(Workflow, Workflow.id == Run.workflow_id)
    here = (Artifact.workspace_id == workspace_id, Workflow.deleted_at.is_(None))
    return _find(select.where(*_take(run_id, audio_id), *here))


def find_upload(workspace_id: UUID, upload_id: UUID) -> StoredFile:
    """The file of a confirmed upload. Raises NotFound."""
    deleted = sa.exists().where(Workflow.id == Upload.workflow_id, Workflow.deleted_at.is_not(None))
    confirmed = (Upload.id == upload_id, Upload.status == UploadStatus.UPLOADED, ~deleted)
    sent = db.session.scalar(
        sa.select(Upload).where(
            *confirmed, Upload.workspace_id == workspace_id, Upload.content_id.is_not(None)
        )
    )
    if sent is not None:
        return _sent_file(sent)
    select = sa.select(Artifact).join(Upload, Upload.artifact_id == Artifact.id)
    return _find(select.where(*confirmed, Artifact.workspace_id == workspace_id))


def _sent_file(upload: Upload) -> StoredFile:
    """The file that somebody sent for an upload. Raises NotFound if it is missing or damaged."""
    content_id, sha256, size = upload.content_id, upload.content_sha256, upload.size_bytes
    assert content_id is not None and sha256 is not None and size is not None  # noqa: S101, PT018
    key, name = upload_key(upload.workspace_id, content_id), safe_name(upload.filename)
    _refuse_damaged([(name, key, size)], "Delete the upload and send the file again.")
    return StoredFile(key, name, upload.content_type, size, sha256)


def archive_of(workspace_id: UUID, run_id: UUID, node_id: str | None = None) -> Archive:
    """The files of an archive in a fixed order. Raises NotFound if one is missing."""
    rows = db.session.execute(
        sa.select(Artifact, Take.line, Take.locale_code, Take.position, Take.output_node_id)
        .outerjoin(Take, Take.artifact_id == Artifact.id)
        .where(*_files(run_id, node_id), Artifact.workspace_id == workspace_id)
    ).all()
    moments = sa.select(sa.func.coalesce(Run.completed_at, Run.created_at))
    live = moments.join(Workflow, Workflow.id == Run.workflow_id).where(Workflow.deleted_at.is_(None))
    made_at = db.session.scalar(live.where(Run.id == run_id))
    if not rows or made_at is None:
        raise NotFound("There is nothing to download any more.")
    names, entries, formats = ArchivePaths(), [], _formats_of(run_id)
    for artifact, line, locale, _, output in sorted(rows, key=_archive_order):
        format_ = None
        if line is None:
            path = names.path("files", artifact.node_id or "run", artifact.name)
        else:
            format_ = _export_format(formats, node_id or output, artifact.content_type)
            path = names.path(locale or "audio", f"{line + 1:04d}-{_renamed(artifact.name, format_)}")
        key = object_key(workspace_id, artifact.sha256)
        entries.append(ArchiveEntry(path, artifact.size_bytes, key, format_))
    _refuse_damaged((entry.path, entry.key, entry.size) for entry in entries)
    return Archive(entries, made_at)


def read_entry(store: Store, entry: ArchiveEntry) -> Iterator[bytes]:
    """The content of an entry as it is exported. Raises NotFound before the first chunk, TruncatedContent."""
    stored = read_exactly(store, entry.key, 0, entry.size)
    if entry.format is None:
        return stored
    return _converted(stored, cast(Format, entry.format))


def _converted(stored: Iterator[bytes], format_: Format) -> Iterator[bytes]:
    from portal.speech.audio import NotAudio, convert  # numpy takes half a second to import

    with tempfile.TemporaryFile() as original, tempfile.TemporaryFile() as file:
        for chunk in stored:
            original.write(chunk)
        original.seek(0)
        try:
            convert(original, format_, file)
        except NotAudio as error:
            raise TruncatedContent(str(error)) from None
        yield from iter(partial(file.read, CHUNK_BYTES), b"")


def _formats_of(run_id: UUID) -> Mapping[str, Format]:
    """The format that each output node of a run asks for; none unless the engine drove it."""
    snapshot = db.session.scalar(
        sa.select(RunDetail.definition_snapshot)
        .join(Run, Run.id == RunDetail.run_id)
        .where(Run.id == run_id, Run.by_engine)
    )
    nodes = nodes_of(snapshot or {})
    return {
        node.id: cast(Format, _SINK.value(node.config, "format")) for node in nodes if node.type == _SINK.slug
    }


def _export_format(formats: Mapping[str, Format], node_id: str | None, content_type: str) -> Format | None:
    """What a take of an output node becomes; one of no node in particular becomes what the first asks for."""
    if content_type not in _STORED:
        return None
    return formats.get(node_id) if node_id is not None else next(iter(formats.values()), None)


def _renamed(name: str, format_: Format | None) -> str:
    """The name of a file once it is converted."""
    if format_ is None:
        return name
    stem, dot, _ = name.rpartition(".")
    return f"{stem if dot else name}.{TYPES[format_].extension}"


def _archive_order(
    row: tuple[Artifact, int | None, str | None, int | None, str | None],
) -> tuple[int | str, ...]:
    """Audio by line, language and attempt, then the other files by node and name."""
    artifact, line, locale, position, _ = row
    if line is not None:
        return (0, line, locale or "", position or 0)
    return (1, artifact.node_id or "", artifact.name, str(artifact.id))


def _refuse_unless_completed(run: RunView) -> None:
    if run.status != RunStatus.COMPLETED:
        raise Conflict(f"This run is {run.status}: only a completed run can be downloaded.")


def _take(run_id: UUID, audio_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return Take.run_id == run_id, Take.audio_id == audio_id


def _files(run_id: UUID, node_id: str | None) -> list[sa.ColumnElement[bool]]:
    """Conditions for the delivered audio and other files of a run, or of one output node."""
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


def _find(select: sa.Select[Artifact]) -> StoredFile:
    found = db.session.scalar(select)
    if found is None:
        raise NotFound("There is no such file here any more.")
    return _stored_file(found)


def _stored_file(artifact: Artifact) -> StoredFile:
    """The file of an artifact. Raises NotFound if it is missing or damaged."""
    key, name = object_key(artifact.workspace_id, artifact.sha256), safe_name(artifact.name)
    _refuse_damaged([(name, key, artifact.size_bytes)])
    return StoredFile(key, name, artifact.content_type, artifact.size_bytes, artifact.sha256)


def _refuse_damaged(
    files: Iterable[tuple[str, str, int]],
    advice: str = "Importing the history again brings back what it still has.",
) -> None:
    """Raises NotFound that names the files (name, key, size) with another stored size."""
    files = list(files)
    found = sizes({key for _, key, _ in files})
    damaged = [name for name, key, size in files if found[key] != size]
    if damaged:
        named, more = ", ".join(damaged[:MAX_NAMED]), len(damaged) - MAX_NAMED
        rest = f" and {more:,} more" if more > 0 else ""
        raise NotFound(f"Gone or damaged in the artifact store: {named}{rest}. {advice}")
