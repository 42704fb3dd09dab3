"""Uploads that nobody confirms are removed after a day."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Upload, UploadStatus
from portal.database.transactions import writing
from portal.errors import Unavailable
from portal.storage import artifact_store, upload_key

LIFE = timedelta(days=1)
"""How long an upload may be pending."""
BATCH = 100
"""Uploads that one transaction removes."""

log = logging.getLogger(__name__)


def prune(now: datetime, *, batches: int | None = None) -> int:
    """Remove the uploads that have been pending for a day, in at most this many batches; returns how many."""
    removed = 0
    while batches is None or batches > 0:
        batches = None if batches is None else batches - 1
        files = _remove_batch(now)
        removed += len(files)
        for workspace_id, content_id in files:
            remove_file(workspace_id, content_id)
        if len(files) < BATCH:
            break
    return removed


def _remove_batch(now: datetime) -> Sequence[tuple[UUID, UUID | None]]:
    pending = (Upload.status == UploadStatus.PENDING, Upload.created_at <= now - LIFE)
    oldest = sa.select(Upload.id).where(*pending).order_by(Upload.created_at, Upload.id).limit(BATCH)
    with writing() as session:
        found = session.scalars(oldest.with_for_update(skip_locked=True)).all()
        if not found:
            return []
        gone = sa.delete(Upload).where(Upload.id.in_(found), *pending)
        rows = session.execute(gone.returning(Upload.workspace_id, Upload.content_id)).all()
    return [(row.workspace_id, row.content_id) for row in rows]


def remove_file(workspace_id: UUID, content_id: UUID | None) -> None:
    """Delete content that no row names any more; if the store fails, `flask check --files --repair` will."""
    if content_id is None:
        return
    try:
        artifact_store().delete(upload_key(workspace_id, content_id))
    except Unavailable as error:
        log.warning("the file of a removed upload stays in the store: %s", error)
