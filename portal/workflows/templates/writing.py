"""Creating, changing, deleting, liking and cloning templates (contract part 2, 10)."""

import secrets
import string
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.principals import Principal
from portal.database.models import Template, TemplateFavorite, TemplateUse
from portal.database.sql.upserts import insert_or_add, insert_unless_there
from portal.database.transactions import writing
from portal.definitions.graph import EMPTY_DEFINITION
from portal.definitions.structure import refuse, validate_definition
from portal.errors import Forbidden, NotFound
from portal.input.folding import fold
from portal.workflows.listing import WorkflowRow
from portal.workflows.templates.bodies import Clone, NewTemplate, TemplateChanges
from portal.workflows.templates.reading import NO_SUCH_TEMPLATE, TemplateRow, get_template, live_templates
from portal.workflows.templates.starters import STARTERS
from portal.workflows.writing import add_workflow
from portal.workspaces.workspaces import workspace_id_of

_BASE62 = string.digits + string.ascii_letters
_MICROSECOND = timedelta(microseconds=1)


def create_template(principal: Principal, spec: NewTemplate, now: datetime) -> TemplateRow:
    """Create a template in the principal's workspace. Raises InvalidQuery, NotFound."""
    definition = dict(EMPTY_DEFINITION) if spec.definition is None else spec.definition
    refuse(validate_definition(definition))
    template = Template(
        id="".join(secrets.choice(_BASE62) for _ in range(8)),
        workspace_id=workspace_id_of(principal),
        name=spec.name,
        description=spec.description,
        category=spec.category,
        definition=definition,
        created_by=principal.user.id,
        created_at=now,
        updated_at=now,
    )
    _fold(template)
    with writing() as session:
        session.add(template)
    return get_template(principal, template.id)


def change_template(
    principal: Principal, template_id: str, changes: TemplateChanges, now: datetime
) -> TemplateRow:
    """Change the fields that are named. Raises Forbidden for a starter, NotFound, InvalidQuery."""
    _refuse_starter(template_id)
    get_template(principal, template_id)
    named = changes.named()
    if "definition" in named:
        refuse(validate_definition(named["definition"]))
    with writing() as session:
        template = _lock(session, principal, template_id)
        for name, value in named.items():
            setattr(template, name, value)
        _fold(template)
        template.updated_at = max(now, template.updated_at + _MICROSECOND)
    return get_template(principal, template_id)


def delete_template(principal: Principal, template_id: str, now: datetime) -> None:
    """Delete a template; workflows made from it stay. Raises Forbidden for a starter, NotFound."""
    _refuse_starter(template_id)
    with writing() as session:
        _lock(session, principal, template_id).deleted_at = now


def clone_template(
    principal: Principal, template_id: str, clone: Clone, now: datetime, description: str | None = None
) -> WorkflowRow:
    """Make a workflow of a template, with its description unless one is given. Raises NotFound."""
    workspace_id = workspace_id_of(principal)
    template = get_template(principal, template_id)
    with writing() as session:
        key = {"workspace_id": workspace_id, "template_id": template_id}
        insert_or_add(session, TemplateUse, key, {"uses_count": 1})
        return add_workflow(
            session,
            principal,
            now,
            name=clone.name or template.name,
            description=template.description if description is None else description,
            definition=template.definition,
            template=template_id,
        )


def like_template(principal: Principal, template_id: str, now: datetime) -> TemplateRow:
    """Make a template a favourite of the user, unless it is one. Raises NotFound."""
    get_template(principal, template_id)
    values = {"user_id": principal.user.id, "template_id": template_id, "created_at": now}
    with writing() as session:
        insert_unless_there(session, TemplateFavorite, values)
    return get_template(principal, template_id)


def unlike_template(principal: Principal, template_id: str) -> None:
    """Take a template from the user's favourites, whether it is one, or there at all, or not."""
    theirs = TemplateFavorite.user_id == principal.user.id
    with writing() as session:
        session.execute(
            sa.delete(TemplateFavorite).where(theirs, TemplateFavorite.template_id == template_id)
        )


def _refuse_starter(template_id: str) -> None:
    if template_id in STARTERS:
        raise Forbidden("This template is part of the portal: make a workflow from it and change that.")


def _lock(session: Session, principal: Principal, template_id: str) -> Template:
    """A live template of the principal's workspace, until this transaction ends. Raises NotFound."""
    mine = sa.select(Template).where(
        Template.id == template_id, *live_templates([workspace_id_of(principal)])
    )
    template = session.scalar(mine.with_for_update())
    if template is None:
        raise NotFound(NO_SUCH_TEMPLATE)
    return template


def _fold(template: Template) -> None:
    """What searches look through."""
    template.name_folded = fold(template.name)
    template.description_folded = fold(template.description or "")
