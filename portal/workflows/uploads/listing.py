"""The uploads of a workflow (contract 3.13)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.engine import db
from portal.database.models import Upload, UploadCategory, Workflow
from portal.definitions.graph import nodes_of
from portal.errors import NotFound
from portal.input import parameters
from portal.input.parameters import Reader
from portal.paging import Page, Slice
from portal.workflows.uploads.rows import COLUMNS, CONFIRMED, STORED, UploadRow

MAX_NAMED = 10_000
"""Uploads that a definition may name; more are not looked for."""

MAX_SCRIPTS = 100
"""Scripts that are offered to choose from."""

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
    mine, _ = _uploads_of(workflow)
    if not db.session.scalar(sa.select(sa.exists().where(Upload.id == upload_id, mine, STORED))):
        raise NotFound("There is no such file here.")


def list_uploads(workflow: SeenWorkflow, query: UploadsQuery) -> Page[UploadRow]:
    """A page of a workflow's uploads, newest first."""
    mine, total = _uploads_of(workflow)
    if query.slice.offset >= total:
        return Page((), total, query.slice)
    page = sa.select(*COLUMNS).where(mine).order_by(Upload.created_at.desc(), Upload.id)
    rows = db.session.execute(page.offset(query.slice.sql_offset).limit(query.slice.limit))
    return Page([UploadRow(**row._mapping) for row in rows], total, query.slice)


def list_scripts(workspace_id: UUID) -> dict[str, str]:
    """The newest confirmed scripts of a workspace that a definition may name: their file names by id."""
    scripts = sa.select(Upload.id, Upload.filename).where(
        Upload.workspace_id == workspace_id, Upload.category == UploadCategory.SCRIPT, CONFIRMED
    )
    newest = scripts.order_by(Upload.created_at.desc(), Upload.id).limit(MAX_SCRIPTS)
    return {str(row.id): row.filename for row in db.session.execute(newest)}


def _uploads_of(workflow: SeenWorkflow) -> tuple[sa.ColumnElement[bool], int]:
    """What an upload of the workflow is, and how many there are.

    It was confirmed for the workflow, or one of the workflow's script nodes names it.
    """
    bound = (Upload.workflow_id == workflow.id) & CONFIRMED
    number = sa.select(sa.func.count()).select_from(Upload).where(bound).scalar_subquery()
    row = db.session.execute(sa.select(Workflow.definition, number).where(Workflow.id == workflow.id)).first()
    definition, total = row if row is not None else (None, 0)
    named = _named_in(definition)
    if not named:
        return bound, total
    of_workspace = Upload.workspace_id == workflow.workspace_id
    mine = ((Upload.workflow_id == workflow.id) | (Upload.id.in_(named) & of_workspace)) & CONFIRMED
    return mine, db.session.scalar(sa.select(sa.func.count()).select_from(Upload).where(mine)) or 0


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
