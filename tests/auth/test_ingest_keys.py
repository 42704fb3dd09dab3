"""Ingest keys: who is let in by one, and what it opens."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask, request

from portal import moments
from portal.auth import ingest_keys
from portal.auth.api_keys import ingest_management
from portal.auth.ingest_keys import IngestCaller
from portal.database.engine import db
from portal.database.models import AuditEntry, IngestKey, IngestKeyKind, Workspace
from portal.errors import (
    Forbidden,
    InvalidApiKey,
    InvalidQuery,
    NotFound,
    PortalError,
    TooManyRequests,
    Unauthorized,
)
from portal.web.logs import redact
from tests.factories import make_ingest_key, make_key, make_member, make_user, make_workspace

HISTORY, PING = IngestKeyKind.HISTORY, IngestKeyKind.PING


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


def authenticate(app: Flask, key: str, kind: IngestKeyKind = HISTORY, **headers: str) -> IngestCaller:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind is HISTORY:
        named |= {"Authorization": f"Bearer {key}"}
    with app.test_request_context("/", headers=named):
        request.view_args = {"ping_key": key}
        return ingest_keys.authenticate(request, kind, moments.now())


def the_key() -> IngestKey:
    db.session.rollback()
    return db.session.scalars(sa.select(IngestKey)).one()


def revoke() -> None:
    ingest_management.revoke_key_as_operator(the_key().id, moments.now())


def test_a_key_says_which_workspace_and_source_it_is_for(app: Flask, workspace: Workspace) -> None:
    caller = authenticate(app, make_ingest_key(workspace, source="github:acme/"))
    assert (caller.workspace_id, caller.source, caller.kind) == (workspace.id, "github:acme/", "history")
    assert caller.key_id == the_key().id


def test_a_ping_key_stands_in_the_address(app: Flask, workspace: Workspace) -> None:
    caller = authenticate(app, make_ingest_key(workspace, "ping", slug="db-backup"), PING)
    assert (caller.workspace_id, caller.slug, caller.kind) == (workspace.id, "db-backup", "ping")


@pytest.mark.parametrize("kind", ["history", "ping"])
def test_a_key_of_one_kind_does_not_open_the_other(app: Flask, workspace: Workspace, kind: str) -> None:
    key = make_ingest_key(workspace, kind)
    other, refusal = (PING, NotFound) if kind == "history" else (HISTORY, InvalidApiKey)
    with pytest.raises(refusal):
        authenticate(app, key, other)
    swapped = key.replace("op_ing_", "op_ping_") if kind == "history" else key.replace("op_ping_", "op_ing_")
    with pytest.raises(refusal):
        authenticate(app, swapped, other)


@pytest.mark.parametrize("kind", ["history", "ping"])
def test_ingest_keys_open_nothing_else_of_the_api(app: Flask, workspace: Workspace, kind: str) -> None:
    headers = {"Authorization": f"Bearer {make_ingest_key(workspace, kind)}"}
    for path in ("/auth/whoami", "/workflows", "/api-keys", "/nodes/sink_preview"):
        answer = app.test_client().get(f"/api/v1{path}", headers=headers)
        assert answer.status_code == 401
        assert answer.get_json()["error"]["code"] == "INVALID_API_KEY"


@pytest.mark.parametrize("kind", [HISTORY, PING])
@pytest.mark.parametrize(
    "key", ["", "op_ing_", "op_ping_x", "x.y.z", "op_ing_" + "0" * 32, "op_ping_" + "é" * 32]
)
def test_what_is_no_key_is_refused(app: Flask, kind: IngestKeyKind, key: str) -> None:
    with pytest.raises(NotFound if kind is PING else Unauthorized):
        authenticate(app, key, kind)


def test_an_api_key_is_no_ingest_key(app: Flask, workspace: Workspace) -> None:
    user = make_user()
    make_member(workspace, user)
    with pytest.raises(InvalidApiKey):
        authenticate(app, make_key(workspace, user))


@pytest.mark.parametrize("kind", [HISTORY, PING])
def test_a_revoked_key_is_refused_at_once_and_so_is_one_of_a_deleted_workspace(
    app: Flask, workspace: Workspace, kind: IngestKeyKind
) -> None:
    key = make_ingest_key(workspace, kind)
    assert authenticate(app, key, kind)
    revoke()
    with pytest.raises(PortalError):
        authenticate(app, key, kind)
    gone = make_workspace("gone")
    another = make_ingest_key(gone, kind)
    with db.engine.begin() as connection:
        connection.execute(
            sa.update(Workspace).where(Workspace.id == gone.id).values(deleted_at=moments.now())
        )
    with pytest.raises(PortalError):
        authenticate(app, another, kind)


def test_a_key_is_bound_to_its_workspace(app: Flask, workspace: Workspace) -> None:
    key = make_ingest_key(workspace)
    assert authenticate(app, key, X_Workspace_Id=str(workspace.id))
    for other in (str(uuid4()), "acme"):
        with pytest.raises(Forbidden):
            authenticate(app, key, X_Workspace_Id=other)


def test_a_key_has_a_limit_of_its_own(app: Flask, workspace: Workspace) -> None:
    limited, free = make_ingest_key(workspace, rate_limit_per_min=2), make_ingest_key(workspace)
    for _ in range(2):
        authenticate(app, limited)
    with pytest.raises(TooManyRequests) as refusal:
        authenticate(app, limited)
    assert refusal.value.retry_after >= 1
    assert authenticate(app, free)


def test_pings_are_limited_unless_nothing_is(
    app: Flask, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_keys, "PINGS_PER_MIN", 2)
    key = make_ingest_key(workspace, "ping")
    for _ in range(2):
        authenticate(app, key, PING)
    with pytest.raises(TooManyRequests):
        authenticate(app, key, PING)
    assert authenticate(app, make_ingest_key(workspace, "ping", rate_limit_per_min=9), PING)
    limiter = app.extensions["portal.limits"]
    monkeypatch.setattr(limiter, "settings", replace(limiter.settings, per_min=0))
    assert authenticate(app, key, PING)


def test_it_is_noted_when_a_key_was_last_heard(app: Flask, workspace: Workspace) -> None:
    key = make_ingest_key(workspace)
    assert the_key().last_heard_at is None
    authenticate(app, key)
    heard = the_key().last_heard_at
    assert heard is not None
    assert moments.now() - heard < timedelta(minutes=1)
    authenticate(app, key)
    assert the_key().last_heard_at == heard


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"kind": "other"}, "kind"),
        ({"name": " "}, "name"),
        ({"source": "x" * 201}, "source"),
        ({"source": ""}, "source"),
        ({"slug": "backup"}, "slug"),
        ({"rate_limit_per_min": 0}, "rate_limit_per_min"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(app: Flask, fields: dict[str, object], bad: str) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        ingest_management.IngestKeySpec.parse({"kind": "history", "name": "test", **fields})
    assert [error.field for error in refusal.value.errors] == [bad]


def test_making_and_revoking_are_in_the_audit_log_and_secrets_are_not_stored(
    app: Flask, workspace: Workspace
) -> None:
    key = make_ingest_key(workspace, "ping", slug="backup")
    revoke()
    revoke()
    entries = db.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.at)).all()
    assert [entry.kind for entry in entries] == ["key.created", "key.revoked"]
    assert entries[0].details == {"key_id": str(the_key().id), "opens": "ping", "slug": "backup"}
    assert key.encode() not in the_key().key_hash
    assert ingest_management.preview(the_key()) == f"op_ping_…{key[-4:]}"


@pytest.mark.parametrize("prefix", ["op_ing_", "op_ping_", "op%5Fping%5F"])
def test_logs_mask_ingest_keys(prefix: str) -> None:
    key = prefix + "Ab1" * 10
    line = f'"GET /ping/{key}/backup/start?rid=1 HTTP/1.1" Bearer {key}'
    assert redact(line) == '"GET /ping/[redacted]/backup/start?rid=1 HTTP/1.1" Bearer [redacted]'
    assert redact("the key op_ping_Ab1.") == "the key op_ping_[redacted]."
