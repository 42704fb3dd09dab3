"""An upload from its announcement to its end: create, receive, confirm, delete.

What is sent gets a name of its own in the store before the row names it, so that a row always names whole
content, and content is deleted only when no row names it any more.
"""

from datetime import datetime
from typing import BinaryIO
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.access import get_workflow
from portal.auth.principals import Principal
from portal.database.engine import db
from portal.database.models import Artifact, DictionaryEntry, Upload, UploadStatus, User, Workflow, Workspace
from portal.database.sql import versions
from portal.database.transactions import writing
from portal.errors import Conflict, FieldError, Forbidden, InvalidQuery, NotFound, PaymentRequired
from portal.runs.recording.workflow_rows import touch_workflows
from portal.storage import artifact_store, store_upload, upload_key
from portal.workflows.uploads.bodies import Confirmation, UploadSpec
from portal.workflows.uploads.expiry import prune, remove_file
from portal.workflows.uploads.formats import CONTENT_TYPES, BadContent, ContentFacts, examine
from portal.workflows.uploads.rows import COLUMNS, UploadRow

MAX_PENDING = 100
"""Pending uploads of a person, in all workspaces together."""
MAX_ATTEMPTS = 5
"""How often a confirmation starts again because the file was sent anew meanwhile."""

_PENDING = Upload.status == UploadStatus.PENDING


def create_upload(principal: Principal, spec: UploadSpec, limit_bytes: int, now: datetime) -> UploadRow:
    """A new pending upload in the caller's workspace; `limit_bytes` is its storage limit, 0 means none.

    Raises PaymentRequired, Conflict.
    """
    prune(now, batches=1)
    assert principal.workspace is not None  # noqa: S101  (the gate requires one)
    upload = Upload(
        id=uuid4(),
        workspace_id=principal.workspace.id,
        user_id=principal.user.id,
        status=str(UploadStatus.PENDING),
        filename=spec.filename,
        category=spec.category,
        content_type=CONTENT_TYPES[spec.format],
        format=spec.format,
        created_at=now,
        updated_at=now,
    )
    with writing() as session:
        if limit_bytes and _stored_bytes(session, principal.workspace.id) >= limit_bytes:
            raise _over_limit(limit_bytes)
        _refuse_too_many(session, principal.user.id)
        session.add(upload)
    return _find(principal, upload.id)


def _refuse_too_many(session: Session, user_id: UUID) -> None:
    """Locks the user, so that uploads created at the same time count one another."""
    session.execute(sa.select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    mine = sa.select(sa.func.count()).select_from(Upload).where(_PENDING, Upload.user_id == user_id)
    if (session.scalar(mine) or 0) >= MAX_PENDING:
        raise Conflict(f"You have {MAX_PENDING} unconfirmed uploads. Confirm or delete some of them first.")


def receive(upload_id: UUID, content: BinaryIO, limit_bytes: int) -> None:
    """Store what is sent for a pending upload, in place of what was sent before.

    Raises Forbidden once it is confirmed or gone, PaymentRequired, and whatever the stream raises.
    """
    pending = sa.select(Upload.workspace_id).where(Upload.id == upload_id, _PENDING)
    workspace_id = db.session.scalar(pending)
    db.session.rollback()  # no transaction stays open while the client sends
    if workspace_id is None:
        raise _not_pending()
    content_id = uuid4()
    unused: UUID | None = content_id
    try:
        digest = store_upload(workspace_id, content_id, content)
        with writing() as session:
            if limit_bytes:
                _lock_workspace(session, workspace_id)
            mine = sa.select(Upload).where(Upload.id == upload_id, _PENDING)
            upload = session.scalar(mine.with_for_update())
            if upload is None:
                raise _not_pending()
            before = _stored_bytes(session, workspace_id) - (upload.size_bytes or 0) if limit_bytes else 0
            if limit_bytes and before + digest.size > limit_bytes:
                raise _over_limit(limit_bytes)
            replaced = upload.content_id
            upload.content_id, upload.content_sha256 = content_id, digest.sha256
            upload.size_bytes = digest.size
        unused = replaced
    finally:
        remove_file(workspace_id, unused)


def confirm(
    principal: Principal, upload_id: UUID, confirmation: Confirmation, limit_bytes: int, now: datetime
) -> UploadRow:
    """Confirm a sent upload for a workflow; if it is confirmed already, nothing changes.

    Raises NotFound, Forbidden, InvalidQuery if the content is not what the name says, PaymentRequired,
    Conflict if nothing was sent.
    """
    upload = _find(principal, upload_id)
    if upload.status == UploadStatus.UPLOADED:
        return upload
    workflow_id = _workflow_of(principal, confirmation)
    for _ in range(MAX_ATTEMPTS):
        content_id = _content_of(upload)
        facts = _examine(upload, content_id)
        if facts is not None and _bind(
            upload_id, content_id, upload.workspace_id, workflow_id, facts, limit_bytes, now
        ):
            return _find(principal, upload_id)
        upload = _find(principal, upload_id)
        if upload.status == UploadStatus.UPLOADED:
            return upload
    raise Conflict("The file was sent again while it was confirmed. Confirm it again.")


def _content_of(upload: UploadRow) -> UUID:
    """What was sent last for a pending upload. Raises Conflict if nothing was, NotFound if it is deleted."""
    row = db.session.execute(sa.select(Upload.content_id).where(Upload.id == upload.id)).first()
    if row is None:
        raise _not_found()
    if row.content_id is None:
        raise Conflict("Nothing was sent for this upload. Send the file to its upload_url first.")
    content_id: UUID = row.content_id
    return content_id


def _workflow_of(principal: Principal, confirmation: Confirmation) -> UUID:
    """The workflow that a confirmation names. Raises NotFound, Forbidden."""
    if confirmation.context_type == "playground":
        raise Forbidden("Only the operators of the service may upload to the playground.")
    if confirmation.context_type != "workflow":
        raise NotFound("There is no such assistant session here.")
    return get_workflow(principal, UUID(confirmation.context_id)).id


def _examine(upload: UploadRow, content_id: UUID) -> ContentFacts | None:
    """Check and count stored content; None if it was replaced meanwhile. Raises InvalidQuery."""
    db.session.rollback()  # no transaction stays open while a file is read
    try:
        content = b"".join(artifact_store().read(upload_key(upload.workspace_id, content_id)))
        return examine(upload.format or "", content)
    except NotFound:
        return None
    except BadContent as refusal:
        raise InvalidQuery([FieldError("upload_id", f"names a file that {refusal}")]) from None


def _bind(
    upload_id: UUID,
    content_id: UUID,
    workspace_id: UUID,
    workflow_id: UUID,
    facts: ContentFacts,
    limit_bytes: int,
    now: datetime,
) -> bool:
    """Confirm an upload whose content was examined; False if it has other content or is confirmed by now.

    Raises NotFound if the workflow was deleted meanwhile, PaymentRequired.
    """
    with writing() as session:
        _change_version(session, workspace_id)
        live = (Workflow.id == workflow_id, Workflow.deleted_at.is_(None))
        if session.scalar(sa.select(Workflow.id).where(*live).with_for_update(key_share=True)) is None:
            raise NotFound("There is no such workflow here.")
        if limit_bytes and _stored_bytes(session, workspace_id) > limit_bytes:
            raise _over_limit(limit_bytes)
        confirmed = session.execute(
            sa.update(Upload)
            .where(Upload.id == upload_id, _PENDING, Upload.content_id == content_id)
            .values(
                status=str(UploadStatus.UPLOADED),
                workflow_id=workflow_id,
                char_count=facts.char_count,
                line_count=facts.line_count,
                updated_at=now,
            )
            .returning(Upload.id)
        ).first()
        if confirmed is not None:
            touch_workflows(session, [workflow_id])
    return confirmed is not None


def delete_upload(principal: Principal, upload_id: UUID) -> None:
    """Delete an upload of the caller, in any state, and its content. Raises NotFound.

    The recording of a word in the dictionary is no upload any more.
    """
    workspace_id = _find(principal, upload_id).workspace_id
    with writing() as session:
        _change_version(session, workspace_id)
        gone = session.execute(
            sa.delete(Upload)
            .where(*_own(principal, upload_id), ~sa.exists().where(DictionaryEntry.upload_id == Upload.id))
            .returning(Upload.workflow_id, Upload.content_id, Upload.artifact_id)
        ).first()
        if gone is None:
            raise _not_found()
        if gone.artifact_id is not None:
            session.execute(sa.delete(Artifact).where(Artifact.id == gone.artifact_id))
        if gone.workflow_id is not None:
            touch_workflows(session, [gone.workflow_id])
    remove_file(workspace_id, gone.content_id)


def _change_version(session: Session, workspace_id: UUID) -> None:
    """Change the version of all pages of a workspace, since definitions of any workflow may name an upload.

    It also locks the workspace: always before workflows and uploads, as imports do.
    """
    session.execute(
        sa.update(Workspace)
        .where(Workspace.id == workspace_id)
        .values(
            version=versions.next_version_in_sql(Workspace.version), change_stamp=Workspace.change_stamp + 1
        )
        .execution_options(synchronize_session=False)
    )


def _find(principal: Principal, upload_id: UUID) -> UploadRow:
    """An upload of the caller. Raises NotFound."""
    db.session.rollback()
    row = db.session.execute(sa.select(*COLUMNS).where(*_own(principal, upload_id))).first()
    if row is None:
        raise _not_found()
    return UploadRow(**row._mapping)


def _own(principal: Principal, upload_id: UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Upload.id == upload_id,
        Upload.user_id == principal.user.id,
        Upload.workspace_id.in_(principal.workspace_ids),
    )


def _stored_bytes(session: Session, workspace_id: UUID) -> int:
    """The bytes of all uploads of a workspace, pending ones included."""
    stored = Upload.content_id.is_not(None) | Upload.artifact_id.is_not(None)
    total = sa.select(sa.func.sum(Upload.size_bytes)).where(Upload.workspace_id == workspace_id, stored)
    return int(session.scalar(total) or 0)


def _lock_workspace(session: Session, workspace_id: UUID) -> None:
    """Let what is sent at the same time count one another."""
    mine = sa.select(Workspace.id).where(Workspace.id == workspace_id)
    session.execute(mine.with_for_update(key_share=True))


def _over_limit(limit_bytes: int) -> PaymentRequired:
    allowed = f"The uploads of this workspace may take {limit_bytes:,} bytes."
    return PaymentRequired(f"{allowed} Delete some of them first.")


def _not_pending() -> Forbidden:
    return Forbidden("This upload takes no file any more. Create a new one.")


def _not_found() -> NotFound:
    return NotFound("There is no such upload of yours here.")
