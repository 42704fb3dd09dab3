"""What `flask check --files` looks at: is every stored file as it was stored, and does something need it?"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from portal.checks.database_check import CheckResult
from portal.database.engine import db
from portal.database.models import Artifact, Run, Upload, Workflow, Workspace
from portal.database.sql.in_lists import chunks
from portal.errors import Unavailable
from portal.history.summary import Progress, no_progress
from portal.storage import ContentDigest, Flaw, artifact_store, find_flaw, object_key
from portal.storage.stored_object import StoredObject

BATCH = 20_000
"""Files that are looked up at once: no index leads to them, so every look-up reads the table of artifacts."""
MAX_NAMED = 20
"""Files that the text names."""
UNFINISHED = timedelta(days=1)
"""How long a file that nothing points to may still belong to an import that is under way."""

_OURS = re.compile(r"[0-9a-f-]{36}/[0-9a-f]{2}/([0-9a-f]{64}|\.new-\w+)")
"""Keys that the portal makes; whatever else lies there is somebody else's."""
_WORDS = {
    Flaw.MISSING: "missing",
    Flaw.SIZE: "of another size",
    Flaw.CONTENT: "of another content",
    Flaw.UNREADABLE: "unreadable",
}


@dataclass(frozen=True)
class FileCheckResult(CheckResult):
    """What was found of stored files; `files` has an entry for each use of one that is not whole."""

    files: list[dict[str, Any]]


@dataclass(frozen=True)
class _Damage:
    """Content that is not as it was stored."""

    workspace_id: UUID
    kept: ContentDigest
    flaw: Flaw
    removed: bool


class _Expected(NamedTuple):
    """Content that the database knows."""

    workspace_id: UUID
    kept: ContentDigest


def check_files(*, repair: bool, now: datetime, progress: Progress = no_progress) -> list[CheckResult]:
    """Read all stored files; `repair` removes leftovers and damaged ones, which an import brings back."""
    try:
        return [_contents(repair, progress), _leftovers(repair, now)]
    except Unavailable as error:
        return [FileCheckResult("files", False, error.message, [])]


def _contents(repair: bool, progress: Progress) -> FileCheckResult:
    count, total = _known()
    damaged, done = [], 0
    for number, (workspace_id, kept) in enumerate(_expected(), 1):
        flaw = find_flaw(workspace_id, kept)
        if flaw is not None:
            removed = repair and flaw in (Flaw.SIZE, Flaw.CONTENT)
            if removed:
                artifact_store().delete(object_key(workspace_id, kept.sha256))
            damaged.append(_Damage(workspace_id, kept, flaw, removed))
        done += kept.size
        progress(done, total, number)
    if not damaged:
        return FileCheckResult("files", True, f"{count:,} read, all as they were stored", [])
    files = list(_uses(damaged))
    return FileCheckResult("files", False, _describe(count, damaged, files), files)


def _known() -> tuple[int, int]:
    """How many different files the database knows, and their bytes."""
    each = sa.select(Artifact.workspace_id, Artifact.sha256, Artifact.size_bytes).distinct().subquery()
    count, total = db.session.execute(sa.select(sa.func.count(), sa.func.sum(each.c.size_bytes))).one()
    return count, int(total or 0)


def _expected() -> Iterator[_Expected]:
    """All contents that the database knows; no transaction is open while one is read."""
    for workspace_id in _workspace_ids():
        after = b""
        while portion := _portion(workspace_id, after):
            yield from portion
            after = portion[-1].kept.sha256


def _workspace_ids() -> Sequence[UUID]:
    found = db.session.scalars(sa.select(Workspace.id).order_by(Workspace.id)).all()
    db.session.rollback()
    return found


def _portion(workspace_id: UUID, after: bytes) -> list[_Expected]:
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


def _uses(damaged: Sequence[_Damage]) -> Iterator[dict[str, Any]]:
    """Every file whose content is damaged, by workspace."""
    for workspace_id, some in groupby(damaged, key=lambda damage: damage.workspace_id):
        for chunk in chunks(list(some)):
            by_digest = {damage.kept.sha256: damage for damage in chunk}
            for row in db.session.execute(_named(workspace_id, by_digest.keys())):
                yield _to_json(row, by_digest[bytes(row.sha256)])


def _named(workspace_id: UUID, digests: Collection[bytes]) -> sa.Select[*tuple[Any, ...]]:
    """The artifacts with these contents, with what people know them by."""
    columns: tuple[Any, ...] = (
        Artifact.name,
        Artifact.sha256,
        Artifact.run_id,
        Run.run_number,
        Upload.id.label("upload_id"),
        Workflow.id.label("workflow_id"),
        Workflow.name.label("workflow"),
        Workspace.slug.label("workspace"),
    )
    return (
        sa.select(*columns)
        .join(Workspace, Workspace.id == Artifact.workspace_id)
        .outerjoin(Run, Run.id == Artifact.run_id)
        .outerjoin(Upload, Upload.artifact_id == Artifact.id)
        .outerjoin(Workflow, Workflow.id == sa.func.coalesce(Run.workflow_id, Upload.workflow_id))
        .where(Artifact.workspace_id == workspace_id, Artifact.sha256.in_(digests))
        .order_by(Workflow.name, Workflow.id, Run.run_number, Artifact.name, Artifact.id)
    )


def _to_json(row: Any, damage: _Damage) -> dict[str, Any]:
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
        "size_bytes": damage.kept.size,
        "sha256": damage.kept.sha256.hex(),
    }


def _text(value: UUID | None) -> str | None:
    return str(value) if value is not None else None


def _describe(count: int, damaged: Sequence[_Damage], files: Sequence[dict[str, Any]]) -> str:
    """What is wrong, what has been done about it and what is to be done, then the first files by name."""
    flaws = Counter(damage.flaw for damage in damaged)
    said = ", ".join(f"{flaws[flaw]:,} {words}" for flaw, words in _WORDS.items() if flaws[flaw])
    removed = sum(damage.removed for damage in damaged)
    if removed:
        advice = f"Removed {removed:,}. Import again the history that brought the files below"
    elif flaws[Flaw.SIZE] or flaws[Flaw.CONTENT]:
        advice = "Run: flask check --files --repair, then import again the history that brought them"
    else:
        advice = "Import again the history that brought them"
    named = [f"\n      {_WORDS[Flaw(file['problem'])]}: {_place(file)}" for file in files[:MAX_NAMED]]
    more = len(files) - MAX_NAMED
    rest = f"\n      and {more:,} more; --json names all" if more > 0 else ""
    return f"of {count:,}, {said}. {advice}.{''.join(named)}{rest}"


def _place(file: dict[str, Any]) -> str:
    """Where people find a file."""
    what = f"run {file['run_number']}" if file["run_id"] else "upload"
    return f"{file['workflow'] or 'no workflow'} ({file['workspace']}), {what}, {file['file']}"


def _leftovers(repair: bool, now: datetime) -> CheckResult:
    """Files of the portal's own that nothing points to: of attempts that were cut off, or replaced since.

    Only folders of workspaces that this database knows are looked at: a store may be shared, and a database
    that lacks workspaces, such as an empty one, is no reason to remove their files.
    """
    count = size = removed = 0
    for workspace_id in _workspace_ids():
        for left in _unused(workspace_id):
            count, size = count + 1, size + left.size
            if repair and now - left.changed_at >= UNFINISHED:
                artifact_store().delete(left.key)
                removed += 1
    said = f"{count:,} stored files ({size:,} bytes) that nothing points to" if count else "none"
    if repair and count:
        said += f"; removed {removed:,}, which were older than a day"
    return CheckResult("leftovers", True, said)


def _unused(workspace_id: UUID) -> Iterator[StoredObject]:
    found = (each for each in artifact_store().objects(str(workspace_id)) if _OURS.fullmatch(each.key))
    while portion := list(islice(found, BATCH)):
        digests = {each.key: _digest_in(each.key) for each in portion}
        used = _used(workspace_id, [digest for digest in digests.values() if digest])
        yield from (each for each in portion if digests[each.key] not in used)


def _digest_in(key: str) -> bytes | None:
    """The digest that a key ends with; None for an attempt that was not finished."""
    name = key.rpartition("/")[2]
    return None if name.startswith(".") else bytes.fromhex(name)


def _used(workspace_id: UUID, digests: Sequence[bytes]) -> set[bytes]:
    """Those of the digests that artifacts have, and others between them, few since stores list by key."""
    if not digests:
        return set()
    wanted = sa.select(Artifact.sha256).where(
        Artifact.workspace_id == workspace_id, Artifact.sha256.between(min(digests), max(digests))
    )
    found = {bytes(digest) for digest in db.session.scalars(wanted.distinct())}
    db.session.rollback()
    return found
