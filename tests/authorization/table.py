"""Who may do what: one row for every method of every address. The matrix tries each against everybody.

A row says what the caller needs; what follows for strangers, foreign objects and bad ids holds for all rows
alike and stands in `test_matrix.py`. A route without a row fails the build.
"""

from dataclasses import dataclass, field
from typing import Any

VIEWER, EDITOR, ADMIN, OWNER = "viewer", "editor", "admin", "owner"
EVERYBODY = (VIEWER, EDITOR, ADMIN)
EDITORS = (EDITOR, ADMIN)
ADMINS = (ADMIN,)
NOBODY: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Api:
    """A view of the API."""

    ok: int = 200
    scope: str | None = ""
    """What a key needs; "" is any key, None is that no key will do."""
    roles: tuple[str, ...] = EVERYBODY
    """Whose session token will do."""
    hidden: bool = False
    """Whether it is not there (404), rather than forbidden (403), to other roles."""
    own_only: bool = False
    """Whether it is there only for whom it belongs to, here the admin who made the keys."""
    anywhere: bool = False
    """Whether a token need not name a workspace."""
    query: str = ""
    body: dict[str, Any] | None = None
    shared: bool = False
    """Whether what it is about is everybody's: a voice of the installation."""
    harmless: bool = False
    """Whether it is answered alike for what is absent and what is somebody else's."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page for who is signed in."""

    ok: int = 200
    roles: tuple[str, ...] = EVERYBODY
    personal: bool = False
    """Whether strangers to the workspace may have it too: it is about themselves."""
    form: dict[str, Any] = field(default_factory=dict)
    fragment: bool = False
    query: str = ""
    found_first: bool = False
    """Whether the object decides whose role counts, so that it must be there before a role is refused."""
    own: dict[str, int] = field(default_factory=dict)
    """Where the outcome for the caller's own object is another one for a role."""


@dataclass(frozen=True, kw_only=True)
class Open:
    """A view for everybody: the outcome without any session, and with one."""

    ok: int
    signed_in: int | None = None
    form: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """A view for ingest keys, of its own workspace each, and for nothing else."""

    ok: int = 200
    kind: str = "history"
    """Of the keys that open it."""
    refused: int = 401
    query: str = ""
    body: dict[str, Any] | None = None


Row = Api | Page | Open | Ingest

_WORKSPACE = "/settings/workspaces/<workspace_id>"
_KEY = f"{_WORKSPACE}/keys/<key_id>"
_MEMBER = f"{_WORKSPACE}/members/<user_id>"
_PLACE = "/api/v1/workspaces/<workspace_id>"
_RUNS = "/workflows/<workflow_id>/runs"
_VERSION = "/workflows/<workflow_id>/versions/<number>"
_DRAFT = {"draft": "{}", "do": "check"}
_WORKFLOW_LINE = {"type": "workflow", "id": "8a1b54f3-6f0c-4b7e-9d4e-0a6a52c1c9f1", "name": "Pushed"}
_LINEAGE_EVENT = {
    "eventType": "START",
    "eventTime": "2026-03-01T12:00:00Z",
    "run": {"runId": "3f1f0f5e-7a0e-4a58-9a51-3a3f8f3f6b10"},
    "job": {"namespace": "etl", "name": "load"},
}
_MODEL = "/providers/<provider_name>/models/<path:model_name>"

TABLE: dict[str, Row] = {
    # The API: who am I?
    "GET /api/v1/auth/whoami": Api(anywhere=True),
    # The API: history
    "GET /api/v1/workflows": Api(scope="workflows:read"),
    "GET /api/v1/runs": Api(scope="workflows:read"),
    "GET /api/v1/failures": Api(scope="workflows:read"),
    "GET /api/v1/workflows/<workflow_id>": Api(scope="workflows:read"),
    "POST /api/v1/workflows": Api(scope="workflows:write", roles=EDITORS, ok=201, body={}),
    "POST /api/v1/workflows/validate": Api(scope="workflows:write", roles=EDITORS, body={"definition": {}}),
    "PUT /api/v1/workflows/<workflow_id>": Api(
        scope="workflows:write", roles=EDITORS, body={"name": "New", "definition": {}}
    ),
    "PATCH /api/v1/workflows/<workflow_id>": Api(
        scope="workflows:write", roles=EDITORS, body={"name": "New"}
    ),
    "DELETE /api/v1/workflows/<workflow_id>": Api(scope="workflows:write", roles=EDITORS),
    "POST /api/v1/workflows/<workflow_id>/runs/preview": Api(scope="workflows:read"),
    "POST /api/v1/workflows/<workflow_id>/estimate": Api(scope="workflows:read"),
    "POST /api/v1/workflows/<workflow_id>/duplicate": Api(scope="workflows:write", roles=EDITORS, ok=201),
    "GET /api/v1/workflows/<workflow_id>/markdown": Api(scope="workflows:read"),
    "GET /api/v1/workflows/name-availability": Api(scope="workflows:read", query="?name=New"),
    f"GET /api/v1{_RUNS}": Api(scope="workflows:read"),
    f"GET /api/v1{_RUNS}/summary": Api(scope="workflows:read"),
    f"GET /api/v1{_RUNS}/export": Api(scope="workflows:read"),
    "GET /api/v1/runs/export": Api(scope="workflows:read"),
    f"GET /api/v1{_RUNS}/<run_id>": Api(scope="workflows:read"),
    f"POST /api/v1{_RUNS}": Api(scope="workflows:run", roles=EDITORS, ok=202),
    # The run of the matrix has ended.
    f"POST /api/v1{_RUNS}/<run_id>/cancel": Api(scope="workflows:run", roles=EDITORS),
    f"POST /api/v1{_RUNS}/<run_id>/pause": Api(scope="workflows:run", roles=EDITORS, ok=409),
    f"POST /api/v1{_RUNS}/<run_id>/resume": Api(scope="workflows:run", roles=EDITORS, ok=409),
    f"GET /api/v1{_RUNS}/<run_id>/status": Api(scope="workflows:read"),
    f"GET /api/v1{_RUNS}/<run_id>/steps": Api(scope="workflows:read"),
    f"GET /api/v1{_RUNS}/<run_id>/overview": Api(scope="workflows:read"),
    f"GET /api/v1{_RUNS}/<run_id>/data": Api(scope="workflows:read"),
    f"GET /api/v1{_RUNS}/<run_id>/outputs": Api(scope="workflows:read"),
    f"GET /api/v1{_RUNS}/<run_id>/analysis": Api(scope="workflows:read"),
    f"GET /api/v1{_RUNS}/<run_id>/download": Api(scope="workflows:read"),
    f"GET /api/v1{_RUNS}/<run_id>/nodes/<path:node_id>/download": Api(scope="workflows:read"),
    f"GET /api/v1{_RUNS}/<run_id>/audio/<audio_id>/url": Api(scope="workflows:read"),
    "GET /api/v1/workflows/<workflow_id>/uploads": Api(scope="workflows:read"),
    "POST /api/v1/history": Ingest(body=_WORKFLOW_LINE),
    "POST /api/v1/lineage": Ingest(ok=201, body=_LINEAGE_EVENT),
    # The API: the catalog of node types
    "GET /api/v1/nodes": Open(ok=200),
    "GET /api/v1/nodes/<node_type>": Api(scope="catalog:read"),
    "GET /api/v2/nodes/<node_type>": Api(scope="catalog:read"),
    # The API: uploads. What the matrix tries to confirm is confirmed already.
    "POST /api/v1/uploads": Api(
        scope="uploads:write", roles=EDITORS, ok=201, body={"filename": "a.txt", "category": "script"}
    ),
    "POST /api/v1/uploads/<upload_id>": Api(
        scope="uploads:write",
        roles=EDITORS,
        body={"context_type": "workflow", "context_id": "00000000-0000-0000-0000-000000000000"},
        own_only=True,
    ),
    "DELETE /api/v1/uploads/<upload_id>": Api(scope="uploads:write", roles=EDITORS, own_only=True),
    # The API: workspaces. To who may not change one it is not there (contract 2.7).
    "GET /api/v1/workspaces": Api(scope="workspace:read", anywhere=True),
    "POST /api/v1/workspaces": Api(scope=None, ok=201, anywhere=True, body={"name": "New"}),
    "GET /api/v1/workspaces/<workspace_id>": Api(scope="workspace:read", anywhere=True),
    "PATCH /api/v1/workspaces/<workspace_id>": Api(
        scope=None, roles=ADMINS, hidden=True, anywhere=True, body={"color_idx": 1}
    ),
    "DELETE /api/v1/workspaces/<workspace_id>": Api(scope=None, roles=ADMINS, hidden=True, anywhere=True),
    "GET /api/v1/workspaces/<workspace_id>/members": Api(scope="workspace:read", anywhere=True),
    "GET /api/v1/workspaces/<workspace_id>/settings": Api(scope="workspace:read", anywhere=True),
    "GET /api/v1/workspaces/<workspace_id>/plan": Api(anywhere=True),
    "GET /api/v1/workspaces/slug-available": Api(scope=None, roles=ADMINS, query="?slug=new"),
    # The API: members. No key invites anybody (contract part 2, 10).
    f"POST {_PLACE}/invites": Api(
        scope=None, roles=ADMINS, anywhere=True, body={"email": "new@example.com", "role": "viewer"}
    ),
    f"PATCH {_PLACE}/invites/<invite_id>": Api(
        scope=None, roles=ADMINS, anywhere=True, body={"role": "editor"}
    ),
    f"DELETE {_PLACE}/invites/<invite_id>": Api(scope=None, roles=ADMINS, anywhere=True),
    f"PATCH {_PLACE}/members/<member_id>": Api(
        scope=None, roles=ADMINS, anywhere=True, body={"role": "editor"}
    ),
    f"DELETE {_PLACE}/members/<member_id>": Api(scope=None, roles=ADMINS, anywhere=True),
    # It is for the guest, who is none of those who try.
    "POST /api/v1/workspaces/invites/<token>/accept": Api(scope=None, roles=NOBODY, anywhere=True),
    # The API: the caller's own account
    "GET /api/v1/users/me/credits": Api(anywhere=True),
    "GET /api/v1/users/me/limits": Api(anywhere=True),
    "GET /api/v1/users/me/notification-preferences": Api(anywhere=True),
    "PATCH /api/v1/users/me/notification-preferences": Api(
        scope=None, anywhere=True, body={"failed_generation_email": False}
    ),
    # The API: usage
    "GET /api/v1/usage/summary": Api(scope="workspace:read"),
    "GET /api/v1/usage/by-language": Api(scope="workspace:read"),
    "GET /api/v1/usage/activity": Api(scope="workspace:read", query="?user_id=<user_id>"),
    # The API: keys. No key makes keys (contract 2.6).
    "GET /api/v1/api-keys": Api(scope=None, roles=ADMINS),
    "POST /api/v1/api-keys": Api(scope=None, roles=ADMINS, ok=201, body={"name": "new"}),
    "GET /api/v1/api-keys/<key_id>": Api(scope=None, roles=ADMINS),
    "PATCH /api/v1/api-keys/<key_id>": Api(scope=None, roles=ADMINS, body={"name": "new"}),
    "DELETE /api/v1/api-keys/<key_id>": Api(scope=None, roles=ADMINS),
    "PATCH /api/v1/api-keys/<key_id>/rotate": Api(scope=None, roles=ADMINS),
    # The API: who can speak
    "GET /api/v1/voices": Api(scope="voices:read"),
    "GET /api/v1/voices/facets": Api(scope="voices:read"),
    "GET /api/v1/voices/<voice_id>": Api(scope="voices:read", shared=True),
    "GET /api/v1/voices/<voice_id>/preview": Api(scope="voices:read", shared=True, query="?language=de-de"),
    "GET /api/v1/voices/<voice_id>/similar": Api(scope="voices:read", shared=True),
    "POST /api/v1/voices/<voice_id>/favorite": Api(scope="voices:write", roles=EDITORS, shared=True),
    "DELETE /api/v1/voices/<voice_id>/favorite": Api(scope="voices:write", roles=EDITORS, shared=True),
    "GET /api/v1/providers": Api(scope="catalog:read"),
    "GET /api/v1/providers/<provider_name>": Api(scope="catalog:read"),
    "GET /api/v1/providers/<provider_name>/models": Api(scope="catalog:read"),
    f"GET /api/v1{_MODEL}": Api(scope="catalog:read"),
    f"GET /api/v1{_MODEL}/voices": Api(scope="catalog:read"),
    # The API: templates. To take one from one's favourites is harmless, whatever it is.
    "GET /api/v1/templates": Api(scope="templates:read", anywhere=True),
    "GET /api/v1/users/me/templates": Api(scope="templates:read"),
    "POST /api/v1/templates": Api(scope="workflows:write", ok=201, roles=EDITORS, body={"name": "New"}),
    "GET /api/v1/templates/<template_id>": Api(scope="templates:read", anywhere=True),
    "GET /api/v1/templates/<template_id>/estimate": Api(scope="templates:read"),
    "PATCH /api/v1/templates/<template_id>": Api(
        scope="workflows:write", roles=EDITORS, body={"name": "New"}
    ),
    "DELETE /api/v1/templates/<template_id>": Api(scope="workflows:write", roles=EDITORS),
    "POST /api/v1/templates/<template_id>/clone": Api(scope="workflows:write", ok=201, roles=EDITORS),
    "POST /api/v1/templates/<template_id>/favorite": Api(scope="templates:read", anywhere=True),
    "DELETE /api/v1/templates/<template_id>/favorite": Api(
        scope="templates:read", anywhere=True, harmless=True
    ),
    # The API: what words sound like
    "GET /api/v1/dictionary": Api(scope="dictionary:read", query="?language=de-de"),
    "GET /api/v1/dictionary/search": Api(scope="dictionary:read", query="?search=a"),
    "GET /api/v1/dictionary/languages": Api(scope="dictionary:read"),
    "POST /api/v1/dictionary/suggest-pronunciation": Api(
        scope="dictionary:read", body={"word": "Hello", "language": "en-us"}
    ),
    "POST /api/v1/dictionary": Api(
        scope="dictionary:write",
        ok=201,
        roles=EDITORS,
        body={"word": "New", "language": "de-de", "method": "spelled", "pronunciation": "nju"},
    ),
    "PUT /api/v1/dictionary/<entry_id>": Api(
        scope="dictionary:write", roles=EDITORS, body={"description": "New"}
    ),
    "DELETE /api/v1/dictionary/<entry_id>": Api(scope="dictionary:write", roles=EDITORS),
    # Pages: history
    "GET /": Page(personal=True),
    "GET /workspaces/<workspace_id>": Page(),
    "GET /workflows/table": Page(personal=True, fragment=True),
    "GET /workspaces/<workspace_id>/workflows/table": Page(fragment=True),
    "GET /runs": Page(),
    "GET /workspaces/<workspace_id>/runs": Page(),
    "GET /runs/table": Page(fragment=True),
    "GET /workspaces/<workspace_id>/runs/table": Page(fragment=True),
    "GET /runs/live": Page(fragment=True),
    "GET /workspaces/<workspace_id>/runs/live": Page(fragment=True),
    "GET /workflows/<workflow_id>/summary": Page(),
    "GET /workspaces/<workspace_id>/workflows/new": Page(roles=EDITORS),
    "POST /workspaces/<workspace_id>/workflows/new": Page(ok=303, roles=EDITORS, form={"name": "New"}),
    "GET /workflows/<workflow_id>/edit": Page(roles=EDITORS, found_first=True),
    "POST /workflows/<workflow_id>/edit": Page(
        ok=409, roles=EDITORS, found_first=True, form={"name": "New", "tag": "0"}
    ),
    "POST /workflows/<workflow_id>/duplicate": Page(ok=303, roles=EDITORS, found_first=True),
    "GET /workflows/<workflow_id>/delete": Page(roles=EDITORS, found_first=True),
    "POST /workflows/<workflow_id>/delete": Page(ok=303, roles=EDITORS, found_first=True),
    "GET /workflows/<workflow_id>/definition": Page(),
    "POST /workflows/<workflow_id>/definition": Page(roles=EDITORS, found_first=True, form=_DRAFT),
    "GET /workflows/<workflow_id>/definition/draft": Page(ok=303),
    "POST /workflows/<workflow_id>/definition/draft": Page(
        roles=EDITORS, found_first=True, form=_DRAFT, fragment=True
    ),
    "GET /workflows/<workflow_id>/versions": Page(),
    f"GET {_VERSION}": Page(),
    f"GET {_VERSION}/definition": Page(),
    f"POST {_VERSION}/restore": Page(ok=303, roles=EDITORS, found_first=True),
    "GET /workflows/<workflow_id>/schedule": Page(),
    "POST /workflows/<workflow_id>/schedule": Page(
        ok=303,
        roles=EDITORS,
        found_first=True,
        form={"cron": "0 6 * * *", "zone": "Europe/Berlin", "enabled": "on"},
    ),
    "GET /workflows/<workflow_id>/schedule/remove": Page(roles=EDITORS, found_first=True),
    "POST /workflows/<workflow_id>/schedule/remove": Page(ok=303, roles=EDITORS, found_first=True),
    "GET /workflows/<workflow_id>/expected": Page(),
    "POST /workflows/<workflow_id>/expected": Page(
        ok=303, roles=EDITORS, found_first=True, form={"cron": "0 6 * * *", "zone": "UTC", "grace": "5"}
    ),
    "GET /workflows/<workflow_id>/uploads/<upload_id>": Page(ok=302),
    "GET /workflows/<workflow_id>/views/new": Page(),
    "POST /workflows/<workflow_id>/views/new": Page(ok=303, form={"name": "New"}),
    "GET /workflows/<workflow_id>/views/counts": Page(fragment=True),
    "GET /workspaces/<workspace_id>/views/new": Page(),
    "POST /workspaces/<workspace_id>/views/new": Page(ok=303, form={"name": "New"}),
    "GET /workspaces/<workspace_id>/views/counts": Page(fragment=True),
    "GET /workspaces/<workspace_id>/runs/views/counts": Page(fragment=True),
    # The views of the matrix are those of teams.
    "GET /failures": Page(),
    "GET /workspaces/<workspace_id>/failures": Page(),
    "GET /failures/<cause_id>": Page(),
    "POST /failures/<cause_id>/note": Page(ok=303, roles=EDITORS, found_first=True, form={"note": "ours"}),
    "POST /failures/<cause_id>/resolve": Page(ok=303, roles=EDITORS, found_first=True),
    "POST /failures/<cause_id>/mute": Page(ok=303, roles=EDITORS, found_first=True),
    "GET /views/<view_id>": Page(ok=303),
    "GET /views/<view_id>/edit": Page(roles=EDITORS, found_first=True),
    "POST /views/<view_id>/edit": Page(ok=303, roles=EDITORS, found_first=True, form={"name": "New"}),
    "GET /views/<view_id>/delete": Page(roles=EDITORS, found_first=True),
    "POST /views/<view_id>/delete": Page(ok=303, roles=EDITORS, found_first=True),
    "POST /views/<view_id>/definition": Page(ok=303, roles=EDITORS, found_first=True),
    "GET /settings/views": Page(ok=303, personal=True),
    "GET /find": Page(personal=True, query="?q=<run_id>", own=dict.fromkeys(EVERYBODY, 303)),
    "GET /find/suggestions": Page(personal=True, fragment=True, query="?q=<run_id>"),
    "GET /workflows/<workflow_id>/run": Page(roles=EDITORS, found_first=True),
    "POST /workflows/<workflow_id>/run": Page(ok=303, roles=EDITORS, found_first=True),
    "GET /workflows/<workflow_id>/run/estimate": Page(ok=303, roles=EDITORS, found_first=True),
    "POST /workflows/<workflow_id>/run/estimate": Page(roles=EDITORS, found_first=True),
    f"GET {_RUNS}/<run_id>/again": Page(roles=EDITORS, found_first=True),
    f"POST {_RUNS}/<run_id>/again": Page(ok=422, roles=EDITORS, found_first=True),  # it ran what cannot run
    f"GET {_RUNS}/<run_id>/cancel": Page(ok=303, roles=EDITORS, found_first=True),  # it has ended
    f"POST {_RUNS}/<run_id>/cancel": Page(ok=303, roles=EDITORS, found_first=True),
    f"POST {_RUNS}/<run_id>/pause": Page(ok=409, roles=EDITORS, found_first=True),
    f"POST {_RUNS}/<run_id>/resume": Page(ok=409, roles=EDITORS, found_first=True),
    f"GET {_RUNS}": Page(),
    f"GET {_RUNS}/table": Page(fragment=True),
    f"GET {_RUNS}/live": Page(fragment=True),
    f"GET {_RUNS}/<run_id>": Page(),
    f"GET {_RUNS}/<run_id>.json": Page(),
    f"GET {_RUNS}/export": Page(),
    "GET /runs/export": Page(),
    "GET /workspaces/<workspace_id>/runs/export": Page(),
    f"GET {_RUNS}/<run_id>/view": Page(fragment=True),
    f"GET {_RUNS}/<run_id>/download": Page(ok=302),
    f"GET {_RUNS}/<run_id>/nodes/<path:node_id>/download": Page(ok=302),
    f"GET {_RUNS}/<run_id>/audio/<audio_id>": Page(ok=302),
    f"GET {_RUNS}/<run_id>/live": Page(fragment=True),
    f"GET {_RUNS}/<run_id>/texts/<path:name>": Page(),
    f"GET {_RUNS}/<run_id>/steps/<position>/log.txt": Page(),
    f"GET {_RUNS}/<run_id>/compare": Page(),
    "GET /runs/<run_id>": Page(ok=302),
    "GET /runs/<run_id>/compare": Page(ok=302),
    # Pages: my own settings
    "GET /settings": Page(ok=303, personal=True),
    "GET /history/bring-in": Page(personal=True),
    "GET /settings/sessions": Page(personal=True),
    "POST /settings/sessions/end-others": Page(ok=303, personal=True),
    "GET /settings/time-zone": Page(personal=True),
    "POST /settings/time-zone": Page(ok=303, personal=True, form={"zone": "Europe/Berlin"}),
    "POST /zone": Page(ok=204, personal=True, form={"zone": "Europe/Berlin"}),
    "POST /zone/shown": Page(ok=303, personal=True, form={"zone": "utc"}),
    "GET /settings/workspaces": Page(personal=True),
    "POST /settings/workspaces": Page(ok=303, personal=True, form={"name": "New"}),
    # Pages: settings of a workspace
    f"GET {_WORKSPACE}": Page(),
    f"POST {_WORKSPACE}": Page(ok=303, roles=ADMINS, form={"name": "New", "slug": "new"}),
    f"POST {_WORKSPACE}/choose": Page(ok=303),
    f"GET {_WORKSPACE}/delete": Page(roles=ADMINS),
    f"POST {_WORKSPACE}/delete": Page(ok=303, roles=ADMINS),
    f"GET {_WORKSPACE}/members": Page(),
    f"GET {_WORKSPACE}/leave": Page(),
    f"POST {_WORKSPACE}/leave": Page(ok=303, own={ADMIN: 409}),  # the last admin stays
    f"GET {_MEMBER}/remove": Page(roles=ADMINS),
    f"POST {_MEMBER}/remove": Page(ok=303, roles=ADMINS),
    f"POST {_MEMBER}/role": Page(ok=303, roles=ADMINS, form={"role": "editor"}),
    f"POST {_WORKSPACE}/invitations": Page(
        ok=303, roles=ADMINS, form={"email": "new@example.com", "role": "viewer"}
    ),
    f"POST {_WORKSPACE}/invitations/<invitation_id>/withdraw": Page(ok=303, roles=ADMINS),
    f"GET {_WORKSPACE}/keys": Page(roles=ADMINS),
    f"POST {_WORKSPACE}/keys": Page(ok=303, roles=ADMINS, form={"name": "new", "scopes": "workflows:read"}),
    f"GET {_KEY}": Page(roles=ADMINS),
    f"POST {_KEY}": Page(ok=303, roles=ADMINS, form={"name": "new", "scopes": "workflows:read"}),
    f"GET {_KEY}/rotate": Page(roles=ADMINS),
    f"POST {_KEY}/rotate": Page(ok=303, roles=ADMINS),
    f"GET {_KEY}/revoke": Page(roles=ADMINS),
    f"POST {_KEY}/revoke": Page(ok=303, roles=ADMINS),
    f"GET {_WORKSPACE}/ways-in": Page(roles=ADMINS),
    f"POST {_WORKSPACE}/ways-in": Page(ok=303, roles=ADMINS, form={"kind": "history", "name": "new"}),
    f"GET {_WORKSPACE}/ways-in/<ingest_key_id>": Page(roles=ADMINS),
    f"GET {_WORKSPACE}/ways-in/<ingest_key_id>/revoke": Page(roles=ADMINS),
    f"POST {_WORKSPACE}/ways-in/<ingest_key_id>/revoke": Page(ok=303, roles=ADMINS),
    f"GET {_WORKSPACE}/views": Page(),
    f"GET {_WORKSPACE}/audit": Page(roles=ADMINS),
    f"GET {_WORKSPACE}/engine": Page(roles=ADMINS),
    # Open to everybody. What a link's token opens is not tried here: these are links to nothing.
    "GET /files/<workspace_id>/<kind>/<subject_id>": Open(ok=403),  # without a signature
    "PUT /uploads/<upload_id>": Open(ok=403),  # without a signature
    # Pings: the only GET that changes something. A key for every workflow needs the name of one.
    **{
        f"{method} /ping/<ping_key>{rest}": Ingest(kind="ping", ok=ok, refused=404, query="?create=1")
        for method in ("GET", "POST")
        for rest, ok in (("", 404), ("/<slug>", 201), ("/<slug>/<what>", 201))
    },
    "POST /hooks/github/<hook_id>": Open(ok=404),
    "POST /hooks/gitlab/<hook_id>": Open(ok=404),
    "GET /login": Open(ok=200, signed_in=303),
    "POST /logout": Open(ok=303),
    "GET /auth/start": Open(ok=404),  # no provider is set up here
    "GET /auth/callback": Open(ok=404),
    "GET /signin/<token>": Open(ok=404),
    "POST /signin/<token>": Open(ok=404),
    "GET /invitations/<token>": Open(ok=404),
    "POST /invitations/<token>": Open(ok=404),
    "POST /theme": Open(ok=303, form={"theme": "dark"}),
    "GET /static/<path:filename>": Open(ok=404),
    "GET /healthz": Open(ok=200),
    "GET /readyz": Open(ok=200),
    "GET /metrics": Open(ok=404),  # no token for metrics is set here
    "GET /openapi.json": Open(ok=200),
    "GET /docs": Open(ok=200),
    "GET /llms.txt": Open(ok=200),
    "GET /run-portal": Open(ok=200),
}
