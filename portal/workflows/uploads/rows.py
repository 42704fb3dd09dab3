"""An upload as it is shown, and its columns."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Upload, UploadStatus


@dataclass(frozen=True, kw_only=True)
class UploadRow:
    id: UUID
    workspace_id: UUID
    workflow_id: UUID | None
    user_id: UUID
    status: str
    filename: str
    category: str
    content_type: str
    format: str | None
    size_bytes: int | None
    """None while it is pending."""
    char_count: int | None
    line_count: int | None
    detected_language: str | None
    created_at: datetime
    updated_at: datetime
    is_stored: bool
    """Whether its content can be fetched here."""


CONFIRMED = Upload.status == UploadStatus.UPLOADED
STORED = CONFIRMED & (Upload.artifact_id.is_not(None) | Upload.content_id.is_not(None))

_DERIVED = {
    "size_bytes": sa.case((CONFIRMED, Upload.size_bytes)).label("size_bytes"),
    "is_stored": STORED.label("is_stored"),
}
COLUMNS = tuple(
    _DERIVED[name] if name in _DERIVED else getattr(Upload, name) for name in UploadRow.__dataclass_fields__
)
