"""Which templates somebody sees: the starters, and those of their workspaces."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from portal.auth.principals import Principal
from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import Template, TemplateFavorite, TemplateUse
from portal.errors import NotFound
from portal.input.folding import fold
from portal.paging import Page
from portal.workflows.templates.bodies import TemplateQuery
from portal.workflows.templates.starters import ADDED_AT, STARTERS, Starter
from portal.workspaces.workspaces import workspace_id_of

NO_SUCH_TEMPLATE = "There is no such template here."


@dataclass(frozen=True, kw_only=True)
class TemplateRow:
    id: str
    name: str
    description: str | None
    category: str | None
    definition: JsonObject
    is_starter: bool
    is_favorite: bool
    uses_count: int
    created_by: UUID | None
    """None for a starter."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class _Listed:
    """What a list needs to know of a template to filter and sort it."""

    id: str
    name: str
    description: str
    category: str | None
    updated_at: datetime


def list_templates(principal: Principal, query: TemplateQuery) -> Page[TemplateRow]:
    """A page of the starters and of the templates of all workspaces of the principal."""
    starters = [
        _Listed(each.id, fold(each.name), fold(each.description), each.category, ADDED_AT)
        for each in STARTERS.values()
    ]
    return _page(principal, [*starters, *_own(principal.workspace_ids)], query)


def list_my_templates(principal: Principal, query: TemplateQuery) -> Page[TemplateRow]:
    """A page of the templates that the user made in the current workspace. Raises NotFound without one."""
    mine = _own([workspace_id_of(principal)], Template.created_by == principal.user.id)
    return _page(principal, mine, query)


def get_template(principal: Principal, template_id: str) -> TemplateRow:
    """A starter, or a template of a workspace of the principal. Raises NotFound."""
    liked, uses = _favorites(principal), _uses(principal.workspace_ids)
    row = next(iter(_rows(principal, [template_id], liked, uses)), None)
    if row is None:
        raise NotFound(NO_SUCH_TEMPLATE)
    return row


def live_templates(workspace_ids: Collection[UUID]) -> Sequence[sa.ColumnElement[bool]]:
    """The conditions of templates of these workspaces that are not deleted."""
    return Template.workspace_id.in_(workspace_ids), Template.deleted_at.is_(None)


def _own(workspace_ids: Collection[UUID], *conditions: sa.ColumnElement[bool]) -> list[_Listed]:
    columns = (
        Template.id,
        Template.name_folded,
        Template.description_folded,
        Template.category,
        Template.updated_at,
    )
    rows = db.session.execute(sa.select(*columns).where(*live_templates(workspace_ids), *conditions))
    return [_Listed(*row) for row in rows]


def _page(principal: Principal, templates: Sequence[_Listed], query: TemplateQuery) -> Page[TemplateRow]:
    text = fold(query.search)
    liked, uses = _favorites(principal), _uses(principal.workspace_ids)
    found = [
        each
        for each in templates
        if (not query.categories or each.category in query.categories)
        and (text in each.name or text in each.description)
        and (not query.favorites_only or each.id in liked)
    ]
    found.sort(key=lambda each: each.id)
    if query.sort == "name":
        found.sort(key=lambda each: each.name)
    else:
        found.sort(key=lambda each: each.updated_at, reverse=True)
    if query.sort == "popular":
        found.sort(key=lambda each: uses.get(each.id, 0), reverse=True)
    page = Page.of(found, query.slice)
    shown = {row.id: row for row in _rows(principal, [each.id for each in page.rows], liked, uses)}
    return Page([shown[each.id] for each in page.rows if each.id in shown], page.total, page.slice)


def _rows(
    principal: Principal, ids: Collection[str], liked: Collection[str], uses: Mapping[str, int]
) -> list[TemplateRow]:
    """Those of these templates that the principal sees."""
    mine = sa.select(Template).where(Template.id.in_(ids), *live_templates(principal.workspace_ids))
    found: list[Template | Starter] = [STARTERS[each] for each in ids if each in STARTERS]
    found += db.session.scalars(mine) if len(found) < len(ids) else ()
    return [_row(each, each.id in liked, uses.get(each.id, 0)) for each in found]


def _row(template: Template | Starter, is_favorite: bool, uses_count: int) -> TemplateRow:
    is_starter = isinstance(template, Starter)
    return TemplateRow(
        id=template.id,
        name=template.name,
        description=template.description,
        category=template.category,
        definition=template.definition,
        is_starter=is_starter,
        is_favorite=is_favorite,
        uses_count=uses_count,
        created_by=None if isinstance(template, Starter) else template.created_by,
        created_at=ADDED_AT if isinstance(template, Starter) else template.created_at,
        updated_at=ADDED_AT if isinstance(template, Starter) else template.updated_at,
    )


def _favorites(principal: Principal) -> frozenset[str]:
    ids = sa.select(TemplateFavorite.template_id).where(TemplateFavorite.user_id == principal.user.id)
    return frozenset(db.session.scalars(ids))


def _uses(workspace_ids: Collection[UUID]) -> Mapping[str, int]:
    """How often these workspaces made a workflow from each template that they used."""
    summed = (
        sa.select(TemplateUse.template_id, sa.func.sum(TemplateUse.uses_count))
        .where(TemplateUse.workspace_id.in_(workspace_ids))
        .group_by(TemplateUse.template_id)
    )
    return {template_id: int(count) for template_id, count in db.session.execute(summed)}
