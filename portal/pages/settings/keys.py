"""The API keys of a workspace, for admins: created, shown a single time, changed, rotated and revoked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import redirect, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.api_keys import authentication, management
from portal.auth.api_keys.management import KEY_STATUSES, ApiKey, KeyQuery, KeySpec
from portal.auth.gate import current_principal, requires
from portal.auth.principals import SCOPES
from portal.errors import InvalidQuery
from portal.input.parameters import single
from portal.pages import bp, one_time_secrets
from portal.pages.confirmation import confirm
from portal.pages.days import moment_of_day
from portal.pages.forms import Form, id_in_path, whole_or_text
from portal.pages.pager import Pager
from portal.paging import Page
from portal.web.rendering import render

Answer = Response | str | tuple[str, int]
NEW = Form({"scopes": "workflows:read"})


@dataclass(frozen=True, kw_only=True)
class KeysPage:
    """What `settings/keys.html` shows."""

    page: Page[ApiKey]
    pager: Pager
    query: KeyQuery
    form: Form
    scopes: Sequence[str] = SCOPES
    key_statuses: Sequence[str] = KEY_STATUSES
    preview: Callable[[str], str] = authentication.preview


@dataclass(frozen=True, kw_only=True)
class KeyPage:
    """What `settings/key.html` shows."""

    key: ApiKey
    form: Form
    secret: str | None
    """The key itself, where it was just made. It is shown this once."""
    usable: bool
    scopes: Sequence[str] = SCOPES
    preview: Callable[[str], str] = authentication.preview


@bp.get("/settings/workspaces/<workspace_id>/keys")
@requires("keys:manage")
def keys_page(workspace_id: str) -> Answer:
    return _list(NEW)


@bp.post("/settings/workspaces/<workspace_id>/keys")
@requires("keys:manage")
def create_key(workspace_id: str) -> Answer:
    try:
        spec = KeySpec.parse(_wanted(request.form), moments.now())
    except InvalidQuery as refusal:
        return _list(_filled(request.form, refusal), status=422)
    created = management.create_key(current_principal(), spec, moments.now())
    one_time_secrets.store(str(created.row.id), created.plain)
    return redirect(url_for(".key", workspace_id=workspace_id, key_id=created.row.id), code=303)


@bp.get("/settings/workspaces/<workspace_id>/keys/<key_id>")
@requires("keys:manage")
def key(workspace_id: str, key_id: str) -> Answer:
    found = management.get_key(current_principal(), id_in_path(key_id))
    limit = "" if found.rate_limit_per_min is None else str(found.rate_limit_per_min)
    values = {"name": found.name, "scopes": ",".join(found.scopes), "rate_limit_per_min": limit}
    return _one(found, Form(values))


@bp.post("/settings/workspaces/<workspace_id>/keys/<key_id>")
@requires("keys:manage")
def change_key(workspace_id: str, key_id: str) -> Answer:
    found = management.get_key(current_principal(), id_in_path(key_id))
    wanted = _wanted(request.form) | {"active": "active" in request.form}
    try:
        management.change_key(current_principal(), str(found.id), wanted, moments.now())
    except InvalidQuery as refusal:
        return _one(found, _filled(request.form, refusal), status=422)
    return redirect(url_for(".key", workspace_id=workspace_id, key_id=found.id), code=303)


@bp.get("/settings/workspaces/<workspace_id>/keys/<key_id>/rotate")
@requires("keys:manage")
def confirm_rotation(workspace_id: str, key_id: str) -> str:
    found = management.get_key(current_principal(), id_in_path(key_id))
    return _confirm(
        found,
        f"Rotate the key {found.name}?",
        "A new key with the same scopes is created. The current one stops working at once.",
        "Rotate key",
    )


@bp.post("/settings/workspaces/<workspace_id>/keys/<key_id>/rotate")
@requires("keys:manage")
def rotate_key(workspace_id: str, key_id: str) -> Response:
    _, new = management.rotate_key(current_principal(), id_in_path(key_id), moments.now())
    one_time_secrets.store(str(new.row.id), new.plain)
    return redirect(url_for(".key", workspace_id=workspace_id, key_id=new.row.id), code=303)


@bp.get("/settings/workspaces/<workspace_id>/keys/<key_id>/revoke")
@requires("keys:manage")
def confirm_revocation(workspace_id: str, key_id: str) -> str:
    found = management.get_key(current_principal(), id_in_path(key_id))
    return _confirm(
        found,
        f"Revoke the key {found.name}?",
        "Whatever uses it stops working at once. A revoked key cannot be taken back.",
        "Revoke key",
    )


@bp.post("/settings/workspaces/<workspace_id>/keys/<key_id>/revoke")
@requires("keys:manage")
def revoke_key(workspace_id: str, key_id: str) -> Response:
    management.revoke_key(current_principal(), id_in_path(key_id), moments.now())
    return redirect(url_for(".keys_page", workspace_id=workspace_id), code=303)


def _list(form: Form, status: int = 200) -> Answer:
    query = KeyQuery.parse(single(request.args))
    page = management.list_keys(current_principal(), query, moments.now())
    found = KeysPage(page=page, pager=Pager(page), query=query, form=form)
    return render("settings/keys.html", found), status


def _one(found: ApiKey, form: Form, status: int = 200) -> Answer:
    secret = one_time_secrets.take(str(found.id))
    page = KeyPage(key=found, form=form, secret=secret, usable=authentication.is_usable(found, moments.now()))
    return one_time_secrets.uncached(render("settings/key.html", page), status)


def _confirm(found: ApiKey, question: str, consequence: str, button: str) -> str:
    back = url_for(".key", workspace_id=found.workspace_id, key_id=found.id)
    return confirm(question, consequence, button, back)


def _wanted(form: MultiDict[str, str]) -> dict[str, object]:
    """The fields of the form as the service takes them, empty ones as None."""
    return {
        "name": form.get("name", ""),
        "scopes": form.getlist("scopes"),
        "expires_at": moment_of_day(form.get("expires_at", ""), last=True) or None,
        "rate_limit_per_min": whole_or_text(form.get("rate_limit_per_min", "")),
    }


def _filled(form: MultiDict[str, str], refusal: InvalidQuery) -> Form:
    values: Mapping[str, str] = {**single(form), "scopes": ",".join(form.getlist("scopes"))}
    return Form(values, {error.field: error.message for error in refusal.errors})
