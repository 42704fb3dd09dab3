"""Uploads of a workflow (contract 3.13)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.engine import db
from portal.database.models import Upload
from portal.errors import NotFound
from portal.input import parameters
from portal.input.parameters import Reader
from portal.paging import Page, Slice


@dataclass(frozen=True)
class UploadsQuery:
    workflow_id: UUID
    slice: Slice = Slice()

    @classmethod
    def parse(cls, args: Mapping[str, str], *, workflow_id: str) -> Self:
        """Parse path and query parameters. Raises InvalidQuery."""
        reader = Reader({**args, "workflow_id": workflow_id})
        query = cls(reader.read("workflow_id", parameters.uuid, UUID(int=0)), reader.slice())
        reader.finish()
        return query


@dataclass(frozen=True, kw_only=True)
class UploadRow:
    id: UUID
    user_id: UUID
    filename: str
    category: str
    content_type: str
    format: str | None
    size_bytes: int | None
    char_count: int | None
    line_count: int | None
    detected_language: str | None
    created_at: datetime
    updated_at: datetime
    artifact_id: UUID | None
    """None if its content is not stored here."""


def check_stored(workflow: SeenWorkflow, upload_id: UUID) -> None:
    """Raise NotFound unless this is an upload of the workflow with stored content."""
    mine = sa.exists().where(
        Upload.id == upload_id, Upload.workflow_id == workflow.id, Upload.artifact_id.is_not(None)
    )
    if not db.session.scalar(sa.select(mine)):
        raise NotFound("There is no such file here.")


_COLUMNS = tuple(getattr(Upload, name) for name in UploadRow.__dataclass_fields__)


def list_uploads(workflow: SeenWorkflow, query: UploadsQuery) -> Page[UploadRow]:
    """A page of a workflow's uploads, newest first."""
    mine = Upload.workflow_id == workflow.id
    total = db.session.scalar(sa.select(sa.func.count()).select_from(Upload).where(mine)) or 0
    if query.slice.offset >= total:
        return Page((), total, query.slice)
    page = sa.select(*_COLUMNS).where(mine).order_by(Upload.created_at.desc(), Upload.id)
    rows = db.session.execute(page.offset(query.slice.sql_offset).limit(query.slice.limit))
    return Page([UploadRow(**row._mapping) for row in rows], total, query.slice)
