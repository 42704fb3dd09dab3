"""Two workspaces with the same things in each, and everybody who may come to a door."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from portal import moments
from portal.auth import signin
from portal.auth.principals import SCOPES, Membership, Principal, PrincipalUser
from portal.database.columns import Base
from portal.database.engine import db
from portal.database.models import ApiKey, IngestKey, Upload, User, Workspace
from portal.workspaces import invitations
from portal.workspaces.members import roster_id
from tests.authorization.table import EVERYBODY
from tests.definitions.graphs import smallest
from tests.factories import (
    CAN_ALL,
    EMPTY_DEFINITION,
    make_detail,
    make_entry,
    make_ingest_key,
    make_key,
    make_log,
    make_member,
    make_output,
    make_person,
    make_run,
    make_schedule,
    make_template,
    make_upload,
    make_user,
    make_versions,
    make_view,
    make_worker,
    make_workflow,
    make_workspace,
)
from tests.provider_voices import voice_with_clip, voices_file
from tests.session_tokens import TokenCaller, let_in, portal_with_tokens

SAME = {"Sec-Fetch-Site": "same-origin"}
OURS, THEIRS = "okapi", "zebra"
"""Words that stand in the names of everything in our workspace and in theirs."""


@dataclass(frozen=True)
class Caller:
    """Somebody at the door: a browser's cookie or a bearer token."""

    name: str
    kind: str
    """nobody, session, token, key, history or ping (ingest keys), or bad (a key that opens nothing)."""
    headers: dict[str, str] = field(default_factory=dict)
    browser: FlaskClient | None = None
    role: str | None = None
    """In our workspace; None for a stranger."""
    scopes: tuple[str, ...] = ()
    theirs: bool = False
    """Whether it belongs to the other workspace."""


@dataclass
class World:
    app: Flask
    objects: dict[str, dict[str, Any]]
    """Ids by what they are of, of ours and of theirs."""
    callers: list[Caller]

    @contextmanager
    def remembered(self) -> Iterator[None]:
        """Keep a copy of every table, so that whatever a request does can be undone."""
        with self._writing() as connection:
            for name in _TABLES:
                connection.exec_driver_sql(f"CREATE TABLE kept_{name} AS SELECT * FROM {name}")
        try:
            yield
        finally:
            with self._writing() as connection:
                for name in _TABLES:
                    connection.exec_driver_sql(f"DROP TABLE kept_{name}")

    def restore(self) -> None:
        """Bring every row back; on PostgreSQL as one message, since each takes its time."""
        deleted = [f"DELETE FROM {name}" for name in reversed(_TABLES)]
        filled = [f"INSERT INTO {name} SELECT * FROM kept_{name}" for name in _TABLES]
        with self._writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("; ".join(deleted + filled))
            else:
                for statement in deleted + filled:
                    connection.exec_driver_sql(statement)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with db.engine.connect().execution_options(portal_writes=True) as connection, connection.begin():
            yield connection


_TABLES = [table.name for table in Base.metadata.sorted_tables]


@contextmanager
def built_world(
    environment: dict[str, str], folder: Path, base_url: str = "http://localhost"
) -> Iterator[World]:
    """`base_url` is how its browsers reach the portal."""
    no_limits = {"PORTAL_RATE_LIMIT_PER_MIN": "0", "PORTAL_RATE_LIMIT_ATTEMPTS_PER_MIN": "0"}
    voices = {"PORTAL_PROVIDER_VOICES": str(voices_file(folder))}
    with portal_with_tokens(environment | no_limits | voices, folder) as app:
        make_worker(abilities=CAN_ALL)
        ours, theirs = _workspace(OURS), _workspace(THEIRS)
        world = World(app, {"ours": _fill(ours, OURS), "theirs": _fill(theirs, THEIRS)}, [])
        world.callers = list(_callers(app, ours, theirs, base_url))
        with world.remembered():
            yield world


def _workspace(word: str) -> Workspace:
    return make_workspace(word, f"The {word}")


def _fill(workspace: Workspace, word: str) -> dict[str, Any]:
    admin, member = make_user(f"owner@{word}.example"), make_user(f"member@{word}.example", word)
    if word == THEIRS:
        make_member(workspace, admin)
    make_member(workspace, member, "viewer")
    workflow = make_workflow(workspace, f"Dub of {word}", description=word, definition=smallest())
    run = make_run(workflow, make_person(workspace, f"Ada {word}"))
    make_detail(run, definition_snapshot={"graph": {"nodes": [{"id": "out", "type": "sink_preview"}]}})
    make_log(run, word)
    make_output(run, workspace, {"script": word, "takes": [{"audio": b"RIFF"}]})
    make_schedule(workflow, admin.id)
    make_versions(workflow, EMPTY_DEFINITION, smallest(), user_name=word)
    upload_id = make_upload(workflow, workspace, f"{word}.txt", b"Hello").id
    make_key(workspace, member)
    who = Principal(
        kind="session",
        user=PrincipalUser(member.id, member.email, word),
        workspaces=(Membership(workspace.id, workspace.name, workspace.slug, "admin"),),
        chosen=workspace.id,
    )
    invited, token = invitations.invite(who, f"guest@{word}.example", "viewer", moments.now())
    here = ApiKey.workspace_id == workspace.id
    make_ingest_key(workspace, name=word)
    ways_in = sa.select(IngestKey.id).where(IngestKey.workspace_id == workspace.id)
    failed = make_run(workflow, status="failed", error="no voice")
    return {
        "workspace_id": workspace.id,
        "cause_id": failed.cause_id,
        "workflow_id": workflow.id,
        "run_id": run.id,
        "upload_id": upload_id,
        "subject_id": run.id,
        "kind": "run",
        "node_id": "out",
        "node_type": "sink_preview",
        "audio_id": "0" * 16,
        "name": "lines/0/script",
        "position": 0,
        "number": 1,
        "user_id": member.id,
        "key_id": db.session.scalar(sa.select(ApiKey.id).where(here)),
        "ping_key": make_ingest_key(workspace, "ping"),
        "slug": f"job-of-{word}",
        "what": "0",
        "ingest_key_id": db.session.scalar(ways_in),
        "invitation_id": invited.id,
        "invite_id": invited.id,
        "member_id": roster_id(workspace.id, member.id),
        "token": token,
        "voice_id": voice_with_clip(),
        "provider_name": "acme",
        "model_name": "org/large",
        "entry_id": make_entry(workspace, word).id,
        "view_id": make_view(workflow, f"View of {word}").id,
        "template_id": make_template(workspace, f"Template of {word}", definition=smallest()).id,
    }


def _callers(app: Flask, ours: Workspace, theirs: Workspace, base_url: str) -> Iterator[Caller]:
    yield Caller("nobody", "nobody")
    admin: User | None = None
    for role in (*EVERYBODY, None):
        user = let_in(make_user(f"{role or 'stranger'}@{OURS}.example"))
        if role is not None:
            make_member(ours, user, role)
        admin = user if role == "admin" else admin
        token = TokenCaller(app, user, ours.id)
        name = role or "stranger"
        yield Caller(f"{name} (token)", "token", token.headers, role=role)
        yield Caller(f"{name} (session)", "session", browser=_browser(app, user, base_url), role=role)
    assert admin is not None
    for scope in SCOPES:
        yield _key(f"key {scope}", make_key(ours, admin, (scope,)), (scope,))
    every = make_key(ours, admin, SCOPES)
    yield _key("key with every scope", every, SCOPES)
    outsider = make_user(f"key-maker@{THEIRS}.example")
    make_member(theirs, outsider)
    _give_uploads(ours, admin)
    _give_uploads(theirs, outsider)
    yield _key("key of another workspace", make_key(theirs, outsider, SCOPES), SCOPES, theirs=True)
    yield from _bad_keys(ours, admin, every)
    for kind in ("history", "ping"):
        yield _key(f"{kind} key", make_ingest_key(ours, kind), (), kind=kind)
        theirs_too = make_ingest_key(theirs, kind)
        yield _key(f"{kind} key of another workspace", theirs_too, (), kind=kind, theirs=True)
    revoked = make_ingest_key(ours)
    with db.engine.begin() as connection:
        spoilt = sa.update(IngestKey).where(IngestKey.key_suffix == revoked[-4:])
        connection.execute(spoilt.values(revoked_at=moments.now()))
    yield _key("revoked history key", revoked, (), kind="bad")
    gone = make_workspace("gone")
    make_member(gone, admin)
    yield _key("key of a deleted workspace", make_key(gone, admin, SCOPES), SCOPES, kind="bad")
    yield _key("history key of a deleted workspace", make_ingest_key(gone), (), kind="bad")
    with db.engine.begin() as connection:
        connection.execute(
            sa.update(Workspace).where(Workspace.id == gone.id).values(deleted_at=moments.now())
        )


def _give_uploads(workspace: Workspace, user: User) -> None:
    """Let the uploads of a workspace be this user's, whose keys the callers have."""
    with db.engine.begin() as connection:
        mine = sa.update(Upload).where(Upload.workspace_id == workspace.id)
        connection.execute(mine.values(user_id=user.id))


def _bad_keys(workspace: Workspace, user: User, good: str) -> Iterator[Caller]:
    changes: dict[str, Callable[[], dict[str, Any]]] = {
        "revoked": lambda: {"revoked_at": moments.now(), "active": False},
        "switched off": lambda: {"active": False},
        "expired": lambda: {"expires_at": moments.now() - timedelta(seconds=1)},
    }
    for name, values in changes.items():
        plain = make_key(workspace, user, SCOPES)
        with db.engine.begin() as connection:
            spoilt = sa.update(ApiKey).where(ApiKey.key_suffix == plain[-4:])
            connection.execute(spoilt.values(**values()))
        yield _key(f"{name} key", plain, SCOPES, kind="bad")
    yield _key("reserved key", f"op_test_{good[8:]}", SCOPES, kind="bad")
    yield _key("public key", f"op_pub_{good[8:]}", SCOPES, kind="bad")
    yield _key("unknown key", f"op_live_{uuid4().hex}", SCOPES, kind="bad")


def _key(name: str, plain: str, scopes: tuple[str, ...], kind: str = "key", theirs: bool = False) -> Caller:
    return Caller(name, kind, {"Authorization": f"Bearer {plain}"}, scopes=scopes, theirs=theirs)


def _browser(app: Flask, user: User, base_url: str) -> FlaskClient:
    browser = app.test_client()
    token = signin.make_link_token(user.email, moments.now())
    assert browser.post(f"/signin/{token}", headers=SAME, base_url=base_url).status_code == 303
    return browser
