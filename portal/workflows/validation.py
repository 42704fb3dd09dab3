"""Whether a definition could run in a workspace, without saving it (contract part 2, 5.1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.principals import Principal
from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import Upload, UploadCategory, UploadStatus
from portal.database.sql.in_lists import chunks
from portal.definitions.preflight import (
    Preflight,
    Surroundings,
    named_scripts,
    preflight_definition,
)
from portal.definitions.shape import DefinitionField
from portal.definitions.site import Site
from portal.definitions.summary import Summary, summary_of
from portal.input import parameters
from portal.input.bodies import Body
from portal.workspaces.workspaces import workspace_id_of


class Candidate(Body):
    """A definition to validate."""

    definition: Annotated[JsonObject, DefinitionField()]


@dataclass(frozen=True)
class Validation:
    summary: Summary
    preflight: Preflight


def validate(principal: Principal, body: Mapping[str, object], site: Callable[[], Site] = Site) -> Validation:
    """Check the definition in the body. Raises InvalidQuery if it is not well-shaped, NotFound.

    `site` says what the installation can do.
    """
    definition = Candidate.read(body).definition
    here = replace(surroundings(workspace_id_of(principal), definition), site=site())
    return Validation(summary_of(definition), preflight_definition(definition, here))


def surroundings(
    workspace_id: UUID,
    definition: Mapping[str, object],
    workflow_id: UUID | None = None,
    session: Session | None = None,
) -> Surroundings:
    """What a well-shaped definition would meet in this workspace, as this workflow's if it is one's.

    Within a write transaction, give its session: it reads in that.
    """
    session = session or db.session()
    own = sa.exists().where(Upload.workflow_id == workflow_id, *_SCRIPT)
    return Surroundings(
        scripts=_scripts(session, workspace_id, named_scripts(definition)),
        has_own_script=workflow_id is not None and bool(session.scalar(sa.select(own))),
    )


_SCRIPT = (Upload.category == UploadCategory.SCRIPT, Upload.status == UploadStatus.UPLOADED)


def _scripts(session: Session, workspace_id: UUID, named: set[str]) -> set[str]:
    """Those of these ids that are script uploads of the workspace, in lower case."""
    ids = [found for found in map(_as_uuid, named) if found is not None]
    found: set[str] = set()
    for chunk in chunks(ids):
        here = sa.select(Upload.id).where(Upload.workspace_id == workspace_id, *_SCRIPT)
        found |= {str(upload_id) for upload_id in session.scalars(here.where(Upload.id.in_(chunk)))}
    return found


def _as_uuid(text: str) -> UUID | None:
    try:
        return parameters.uuid(text)
    except parameters.Refused:
        return None
