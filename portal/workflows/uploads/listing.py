"""The uploads of a workflow (contract 3.13)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.engine import db
from portal.database.models import Upload, Workflow
from portal.definitions.graph import nodes_of
from portal.errors import NotFound
from portal.input import parameters
from portal.input.parameters import Reader
from portal.paging import Page, Slice
from portal.workflows.uploads.rows import COLUMNS, CONFIRMED, STORED, UploadRow

MAX_NAMED = 10_000
"""Uploads that a definition may name; more are not looked for."""

_SCRIPT = "source_script"


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


def check_stored(workflow: SeenWorkflow, upload_id: UUID) -> None:
    """Raise NotFound unless this is an upload of the workflow with stored content."""
    mine = sa.exists().where(Upload.id == upload_id, _of(workflow), STORED)
    if not db.session.scalar(sa.select(mine)):
        raise NotFound("There is no such file here.")


def list_uploads(workflow: SeenWorkflow, query: UploadsQuery) -> Page[UploadRow]:
    """A page of a workflow's uploads, newest first."""
    mine = _of(workflow)
    total = db.session.scalar(sa.select(sa.func.count()).select_from(Upload).where(mine)) or 0
    if query.slice.offset >= total:
        return Page((), total, query.slice)
    page = sa.select(*COLUMNS).where(mine).order_by(Upload.created_at.desc(), Upload.id)
    rows = db.session.execute(page.offset(query.slice.sql_offset).limit(query.slice.limit))
    return Page([UploadRow(**row._mapping) for row in rows], total, query.slice)


def _of(workflow: SeenWorkflow) -> sa.ColumnElement[bool]:
    """Whether an upload was confirmed for this workflow, or is named by one of its script nodes."""
    bound = Upload.workflow_id == workflow.id
    named = _named_in(db.session.scalar(sa.select(Workflow.definition).where(Workflow.id == workflow.id)))
    if named:
        bound |= Upload.id.in_(named) & (Upload.workspace_id == workflow.workspace_id)
    return bound & CONFIRMED


def _named_in(definition: Mapping[str, object] | None) -> list[UUID]:
    """The uploads that the script nodes of a definition name; what is no id is skipped."""
    found: dict[UUID, None] = {}
    for node in nodes_of(definition):
        upload_ids = node.config.get("upload_ids") if node.type == _SCRIPT else None
        for text in upload_ids if isinstance(upload_ids, list) else ():
            try:
                found[parameters.uuid(text if isinstance(text, str) else "")] = None
            except parameters.Refused:
                continue
    return list(found)[:MAX_NAMED]
