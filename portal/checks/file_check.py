"""Checks of stored files (`flask check --files`): intact, and referenced by the database."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import NamedTuple, TypedDict
from uuid import UUID

import sqlalchemy as sa

from portal.checks.database_check import CheckResult
from portal.database.engine import db
from portal.database.models import Artifact, Run, Upload, Workflow, Workspace
from portal.database.sql import statements
from portal.database.sql.in_lists import chunks
from portal.errors import Unavailable
from portal.history.summary import Progress, no_progress
from portal.storage import ContentDigest, Flaw, artifact_store, find_flaw, object_key, upload_key
from portal.storage.stored_object import StoredObject

BATCH = 20_000
"""Files looked up at a time: without an index on the digest, each look-up scans the table of artifacts."""
MAX_NAMED = 20
"""Files listed in the text output."""
UNFINISHED = timedelta(days=1)
"""An unreferenced file younger than this may belong to an import in progress."""

_SENT = "uploads"
"""The folder of what was sent for uploads, within that of the workspace."""
_OURS = re.compile(
    r"[0-9a-f-]{36}/([0-9a-f]{2}/([0-9a-f]{64}|\.new-\w+)"
    rf"|{_SENT}/([0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}|\.new-\w+))"
)
"""Keys that the portal writes; a shared store may hold others."""
_LABELS = {
    Flaw.MISSING: "missing",
    Flaw.SIZE: "of the wrong size",
    Flaw.CONTENT: "with the wrong content",
    Flaw.UNREADABLE: "unreadable",
}


class FileUse(TypedDict):
    """A reference to a damaged file, as `--json` prints it."""

    problem: str
    removed: bool
    workspace: str
    workflow: str | None
    workflow_id: str | None
    run_number: int | None
    run_id: str | None
    upload_id: str | None
    file: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class FileCheckResult(CheckResult):
    """The result for stored files, with an entry for each use of a damaged one."""

    files: list[FileUse]


@dataclass(frozen=True)
class _Damage:
    """Damaged content."""

    workspace_id: UUID
    digest: ContentDigest
    content_id: UUID | None
    """Of content that was sent for an upload; None for that of artifacts."""
    flaw: Flaw
    removed: bool


class _Expected(NamedTuple):
    """Content that the database refers to."""

    workspace_id: UUID
    digest: ContentDigest
    content_id: UUID | None = None

    @property
    def key(self) -> str:
        if self.content_id is not None:
            return upload_key(self.workspace_id, self.content_id)
        return object_key(self.workspace_id, self.digest.sha256)


def check_files(*, repair: bool, now: datetime, progress: Progress = no_progress) -> list[CheckResult]:
    """Read all stored files; `repair` removes leftovers and damaged files, which a new import restores."""
    try:
        return [_contents(repair, progress), _leftovers(repair, now)]
    except Unavailable as error:
        return [FileCheckResult("files", False, error.message, [])]


def _contents(repair: bool, progress: Progress) -> FileCheckResult:
    count, total = _known()
    damaged, done = [], 0
    for number, expected in enumerate(_expected(), 1):
        flaw = find_flaw(expected.key, expected.digest)
        if flaw is not None and _is_expected(expected):
            removed = repair and expected.content_id is None and flaw in (Flaw.SIZE, Flaw.CONTENT)
            if removed:
                artifact_store().delete(expected.key)
            damaged.append(_Damage(*expected, flaw, removed))
        done += expected.digest.size
        progress(done, total, number)
    if not damaged:
        return FileCheckResult("files", True, f"{count:,} read, all as they were stored", [])
    files = list(_uses(damaged))
    return FileCheckResult("files", False, _describe(count, damaged, files), files)


def _known() -> tuple[int, int]:
    """The number of distinct files in the database, and their total size."""
    each = sa.select(Artifact.workspace_id, Artifact.sha256, Artifact.size_bytes).distinct().subquery()
    count, total = db.session.execute(sa.select(sa.func.count(), sa.func.sum(each.c.size_bytes))).one()
    sent = sa.select(sa.func.count(), sa.func.sum(Upload.size_bytes)).where(Upload.content_id.is_not(None))
    more, rest = db.session.execute(sent).one()
    return count + more, int((total or 0) + (rest or 0))


def _expected() -> Iterator[_Expected]:
    """All content that the database refers to; no transaction stays open while a file is read."""
    for workspace_id in _workspace_ids():
        after = b""
        while batch := _read_batch(workspace_id, after):
            yield from batch
            after = batch[-1].digest.sha256
        yield from _read_sent(workspace_id)


def _read_sent(workspace_id: UUID) -> list[_Expected]:
    """The content that was sent for uploads, pending ones included."""
    wanted = (
        sa.select(Upload.content_id, Upload.content_sha256, Upload.size_bytes)
        .where(Upload.workspace_id == workspace_id, Upload.content_id.is_not(None))
        .order_by(Upload.content_id)
    )
    rows = db.session.execute(wanted).all()
    db.session.rollback()
    return [
        _Expected(workspace_id, ContentDigest(bytes(sha256), size), content_id)
        for content_id, sha256, size in rows
        if sha256 is not None and size is not None
    ]


def _is_expected(expected: _Expected) -> bool:
    """Whether the database still refers to it: people may send and delete uploads meanwhile."""
    if expected.content_id is None:
        return True
    still = db.session.scalar(sa.select(sa.exists().where(Upload.content_id == expected.content_id)))
    db.session.rollback()
    return bool(still)


def _workspace_ids() -> Sequence[UUID]:
    found = db.session.scalars(sa.select(Workspace.id).order_by(Workspace.id)).all()
    db.session.rollback()
    return found


def _read_batch(workspace_id: UUID, after: bytes) -> list[_Expected]:
    wanted = (
        sa.select(Artifact.sha256, sa.func.max(Artifact.size_bytes))
        .where(Artifact.workspace_id == workspace_id, Artifact.sha256 > after)
        .group_by(Artifact.sha256)
        .order_by(Artifact.sha256)
        .limit(BATCH)
    )
    rows = db.session.execute(wanted).all()
    db.session.rollback()
    return [_Expected(workspace_id, ContentDigest(bytes(sha256), size)) for sha256, size in rows]


def _uses(damaged: Sequence[_Damage]) -> Iterator[FileUse]:
    """Every use of damaged content, by workspace."""
    for workspace_id, some in groupby(damaged, key=lambda damage: damage.workspace_id):
        for chunk in chunks(list(some)):
            by_digest = {each.digest.sha256: each for each in chunk if each.content_id is None}
            for row in db.session.execute(_artifacts_with(workspace_id, by_digest.keys())):
                yield _file_use(row, by_digest[bytes(row.sha256)])
            by_content = {each.content_id: each for each in chunk if each.content_id is not None}
            for sent in db.session.execute(_uploads_with(by_content.keys())):
                yield _file_use(sent, by_content[sent.content_id])


_FileRow = tuple[str, bytes, UUID | None, int, UUID, UUID, str, str]


def _artifacts_with(workspace_id: UUID, digests: Collection[bytes]) -> sa.Select[*_FileRow]:
    """The artifacts with these digests, their workflows and runs."""
    return (
        sa.select(
            Artifact.name,
            Artifact.sha256,
            Artifact.run_id,
            Run.run_number,
            Upload.id.label("upload_id"),
            Workflow.id.label("workflow_id"),
            Workflow.name.label("workflow"),
            Workspace.slug.label("workspace"),
        )
        .join(Workspace, Workspace.id == Artifact.workspace_id)
        .outerjoin(Run, Run.id == Artifact.run_id)
        .outerjoin(Upload, Upload.artifact_id == Artifact.id)
        .outerjoin(Workflow, Workflow.id == sa.func.coalesce(Run.workflow_id, Upload.workflow_id))
        .where(Artifact.workspace_id == workspace_id, Artifact.sha256.in_(digests))
        .order_by(Workflow.name, Workflow.id, Run.run_number, Artifact.name, Artifact.id)
    )


def _uploads_with(content_ids: Collection[UUID]) -> statements.Columns:
    """The uploads with this content: the columns that `_file_use` reads."""
    return (
        sa.select(
            Upload.filename.label("name"),
            Upload.content_id,
            sa.null().label("run_id"),
            sa.null().label("run_number"),
            Upload.id.label("upload_id"),
            Workflow.id.label("workflow_id"),
            Workflow.name.label("workflow"),
            Workspace.slug.label("workspace"),
        )
        .join(Workspace, Workspace.id == Upload.workspace_id)
        .outerjoin(Workflow, Workflow.id == Upload.workflow_id)
        .where(Upload.content_id.in_(content_ids))
        .order_by(Workflow.name, Upload.filename, Upload.id)
    )


def _file_use(row: statements.Row, damage: _Damage) -> FileUse:
    return {
        "problem": str(damage.flaw),
        "removed": damage.removed,
        "workspace": row.workspace,
        "workflow": row.workflow,
        "workflow_id": _text(row.workflow_id),
        "run_number": row.run_number,
        "run_id": _text(row.run_id),
        "upload_id": _text(row.upload_id),
        "file": row.name,
        "size_bytes": damage.digest.size,
        "sha256": damage.digest.sha256.hex(),
    }


def _text(value: UUID | None) -> str | None:
    return str(value) if value is not None else None


def _describe(count: int, damaged: Sequence[_Damage], files: Sequence[FileUse]) -> str:
    """What is wrong, what was removed and what to do, then the first files."""
    flaws = Counter(damage.flaw for damage in damaged)
    summary = ", ".join(f"{flaws[flaw]:,} {label}" for flaw, label in _LABELS.items() if flaws[flaw])
    removed = sum(damage.removed for damage in damaged)
    if all(damage.content_id for damage in damaged):
        advice = "Delete these uploads and send them again"
    elif removed:
        advice = f"Removed {removed:,}. Import the history of the files below again"
    elif flaws[Flaw.SIZE] or flaws[Flaw.CONTENT]:
        advice = "Run: flask check --files --repair, then import their history again"
    else:
        advice = "Import their history again"
    lines = [f"\n      {_LABELS[Flaw(file['problem'])]}: {_location(file)}" for file in files[:MAX_NAMED]]
    more = len(files) - MAX_NAMED
    rest = f"\n      and {more:,} more; --json names all" if more > 0 else ""
    return f"of {count:,}, {summary}. {advice}.{''.join(lines)}{rest}"


def _location(file: FileUse) -> str:
    """Where users find the file."""
    what = f"run {file['run_number']}" if file["run_id"] else "upload"
    return f"{file['workflow'] or 'no workflow'} ({file['workspace']}), {what}, {file['file']}"


def _leftovers(repair: bool, now: datetime) -> CheckResult:
    """Unreferenced files of the portal: of interrupted imports, or replaced since.

    Only folders of workspaces in this database are examined: a store may be shared with another one.
    """
    count = size = removed = 0
    for workspace_id in _workspace_ids():
        for leftover in _unused(workspace_id):
            count, size = count + 1, size + leftover.size
            if repair and now - leftover.changed_at >= UNFINISHED:
                artifact_store().delete(leftover.key)
                removed += 1
    detail = f"{count:,} unreferenced files ({size:,} bytes)" if count else "none"
    if repair and count:
        detail += f"; removed {removed:,}, which were older than a day"
    return CheckResult("leftovers", True, detail)


def _unused(workspace_id: UUID) -> Iterator[StoredObject]:
    found = (each for each in artifact_store().objects(str(workspace_id)) if _OURS.fullmatch(each.key))
    while batch := list(islice(found, BATCH)):
        digests = {each.key: _digest_in(each.key) for each in batch}
        contents = {each.key: _content_in(each.key) for each in batch}
        used = _used(workspace_id, [digest for digest in digests.values() if digest])
        sent = _sent([content for content in contents.values() if content])
        yield from (
            each for each in batch if digests[each.key] not in used and contents[each.key] not in sent
        )


def _digest_in(key: str) -> bytes | None:
    """The digest in the key of an artifact; None for other files."""
    folder, name = key.split("/")[1:]
    return None if folder == _SENT or name.startswith(".") else bytes.fromhex(name)


def _content_in(key: str) -> UUID | None:
    """The content id in the key of an upload's file; None for other files."""
    folder, name = key.split("/")[1:]
    return UUID(name) if folder == _SENT and not name.startswith(".") else None


def _sent(content_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these that uploads refer to."""
    found: set[UUID] = set()
    for chunk in chunks(list(content_ids)):
        rows = db.session.scalars(sa.select(Upload.content_id).where(Upload.content_id.in_(chunk)))
        found |= {content_id for content_id in rows if content_id is not None}
    db.session.rollback()
    return found


def _used(workspace_id: UUID, digests: Sequence[bytes]) -> set[bytes]:
    """The referenced digests in the range of these; few others, since stores list by key."""
    if not digests:
        return set()
    wanted = sa.select(Artifact.sha256).where(
        Artifact.workspace_id == workspace_id, Artifact.sha256.between(min(digests), max(digests))
    )
    found = {bytes(digest) for digest in db.session.scalars(wanted.distinct())}
    db.session.rollback()
    return found
