"""The ways in of a workspace, for admins: its ingest keys, and what each of them brought."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.api_keys import ingest_management
from portal.auth.api_keys.ingest_management import KIND_LABELS, IngestKey, IngestKeySpec
from portal.auth.gate import current_principal, requires
from portal.errors import InvalidQuery
from portal.ingest import ledger
from portal.ingest.ledger import KEPT_REFUSALS, Day, RefusalRow
from portal.input.parameters import single
from portal.pages import bp, one_time_secrets
from portal.pages.confirmation import confirm
from portal.pages.forms import Form, id_in_path, whole_or_text
from portal.pages.pager import PageQuery, Pager
from portal.paging import Page
from portal.web.proxy import base_url
from portal.web.rendering import render

Answer = Response | str | tuple[str, int]
NEW = Form({"kind": "history"})
_PREVIEW: Callable[[IngestKey], str] = ingest_management.preview


@dataclass(frozen=True, kw_only=True)
class WaysInPage:
    """What `settings/ways_in.html` shows."""

    page: Page[IngestKey]
    pager: Pager
    query: PageQuery
    days: Mapping[UUID, Day]
    """What each key on the page brought in the last 24 hours."""
    form: Form
    kinds: Mapping[str, str]
    preview: Callable[[IngestKey], str] = _PREVIEW


@dataclass(frozen=True, kw_only=True)
class WayInPage:
    """What `settings/way_in.html` shows."""

    key: IngestKey
    secret: str | None
    """The key itself, where it was just made. It is shown this once."""
    address: str
    """Where lines go, or how a ping address begins; with the key in it only while the key is shown."""
    day: Day
    refusals: Sequence[RefusalRow]
    kinds: Mapping[str, str]
    max_refusals: int = KEPT_REFUSALS
    preview: Callable[[IngestKey], str] = _PREVIEW


@bp.get("/settings/workspaces/<workspace_id>/ways-in")
@requires("keys:manage")
def ways_in(workspace_id: str) -> Answer:
    return _list(NEW)


@bp.post("/settings/workspaces/<workspace_id>/ways-in")
@requires("keys:manage")
def create_ingest_key(workspace_id: str) -> Answer:
    form = single(request.form)
    try:
        spec = IngestKeySpec.parse(_wanted(form))
    except InvalidQuery as refusal:
        return _list(Form(form, {error.field: error.message for error in refusal.errors}), status=422)
    created = ingest_management.create_key(current_principal(), spec, moments.now())
    one_time_secrets.store(str(created.row.id), created.plain)
    return redirect(url_for(".way_in", workspace_id=workspace_id, ingest_key_id=created.row.id), code=303)


@bp.get("/settings/workspaces/<workspace_id>/ways-in/<ingest_key_id>")
@requires("keys:manage")
def way_in(workspace_id: str, ingest_key_id: str) -> Response:
    key = ingest_management.get_key(current_principal(), id_in_path(ingest_key_id))
    secret = one_time_secrets.take(str(key.id))
    page = WayInPage(
        key=key,
        secret=secret,
        address=_address(key, secret),
        day=ledger.days_of([key.id], moments.now())[key.id],
        refusals=ledger.refusals_of(key.id),
        kinds=KIND_LABELS,
    )
    return one_time_secrets.uncached(render("settings/way_in.html", page))


@bp.get("/settings/workspaces/<workspace_id>/ways-in/<ingest_key_id>/revoke")
@requires("keys:manage")
def confirm_ingest_revocation(workspace_id: str, ingest_key_id: str) -> str:
    key = ingest_management.get_key(current_principal(), id_in_path(ingest_key_id))
    return confirm(
        question=f"Revoke the key {key.name}?",
        consequence="What it brought stays. Whatever still sends with it is refused at once. "
        "A revoked key cannot be taken back.",
        button="Revoke key",
        back=url_for(".way_in", workspace_id=workspace_id, ingest_key_id=key.id),
    )


@bp.post("/settings/workspaces/<workspace_id>/ways-in/<ingest_key_id>/revoke")
@requires("keys:manage")
def revoke_ingest_key(workspace_id: str, ingest_key_id: str) -> Response:
    ingest_management.revoke_key(current_principal(), id_in_path(ingest_key_id), moments.now())
    return redirect(url_for(".ways_in", workspace_id=workspace_id), code=303)


def _list(form: Form, status: int = 200) -> Answer:
    query = PageQuery.parse(single(request.args))
    page = ingest_management.list_keys(current_principal(), query.slice)
    days = ledger.days_of([key.id for key in page.rows], moments.now())
    found = WaysInPage(page=page, pager=Pager(page), query=query, days=days, form=form, kinds=KIND_LABELS)
    return render("settings/ways_in.html", found), status


def _wanted(form: Mapping[str, str]) -> dict[str, object]:
    """The fields of the form as the service takes them, empty ones as None."""
    return {
        "kind": form.get("kind", ""),
        "name": form.get("name", ""),
        "source": form.get("source", "").strip() or None,
        "slug": form.get("slug", "").strip() or None,
        "rate_limit_per_min": whole_or_text(form.get("rate_limit_per_min", "")),
    }


def _address(key: IngestKey, secret: str | None) -> str:
    if key.kind == "history":
        return f"{base_url()}/api/v1/history"
    return f"{base_url()}/ping/{secret or _PREVIEW(key)}/{'' if key.slug else 'NAME'}".rstrip("/")
