"""A wall clock that jumps, as after a wrong time server: nothing that lasts goes by it but what is stored."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from portal import create_app
from portal.auth import signin
from portal.auth.api_keys import authentication
from portal.auth.audit import trail
from portal.auth.openid import code_flow
from portal.database.engine import db
from portal.database.models import ApiKey, AuditEntry, BrowserSession, User
from tests.auth.provider_keys import KeyServer, key_server
from tests.auth.stopwatch import Stopwatch
from tests.conftest import settings_for
from tests.factories import NOON, make_key, make_member, make_user, make_workspace

AN_HOUR = timedelta(hours=1)
JUMPS = (AN_HOUR, -AN_HOUR)


@pytest.fixture
def user(app: Flask) -> User:
    user = make_user()
    make_member(make_workspace(), user)
    return user


def stored(column: Any) -> datetime | None:
    db.session.rollback()
    return db.session.scalar(sa.select(column))


@pytest.mark.parametrize("jump", JUMPS)
def test_the_last_use_of_a_key_is_told_by_the_clock_that_there_is(app: Flask, jump: timedelta) -> None:
    workspace, user = make_workspace(), make_user()
    make_member(workspace, user)
    key = make_key(workspace, user)
    for now in (NOON, NOON + jump, NOON):
        authentication.principal_of_key(key, now)
        assert stored(ApiKey.last_used_at) == now
        authentication.principal_of_key(key, now + timedelta(seconds=59))
        authentication.principal_of_key(key, now - timedelta(seconds=59))  # another server's clock
        assert stored(ApiKey.last_used_at) == now


@pytest.mark.parametrize("jump", JUMPS)
def test_a_session_outlasts_a_jump_and_ends_when_it_would_have(user: User, jump: timedelta) -> None:
    token = signin.use_link(signin.make_link_token(user.email, NOON), NOON)
    assert token is not None
    for now in (NOON + jump, NOON):
        assert signin.principal_of_session(token, now) is not None
        assert stored(BrowserSession.seen_at) == now
    assert signin.principal_of_session(token, NOON + timedelta(hours=8)) is None


def test_refusals_that_were_written_by_a_clock_ahead_do_not_silence_later_ones(app: Flask) -> None:
    def refuse(now: datetime) -> int:
        assert signin.use_link("wrong", now) is None
        db.session.rollback()
        return db.session.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) or 0

    for _ in range(trail.MAX_REFUSALS + 1):
        written = refuse(NOON + AN_HOUR)
    assert written == trail.MAX_REFUSALS
    assert refuse(NOON) == trail.MAX_REFUSALS + 1


@pytest.fixture
def provider() -> Iterator[tuple[KeyServer, list[str]]]:
    """A provider that only describes itself, and what it was asked."""
    with key_server() as server:
        root, asked = server.url.removesuffix("/jwks"), []
        endpoints = {name: f"{root}/{name}" for name in ("authorization_endpoint", "token_endpoint")}

        def answer(request: Any) -> None:
            asked.append(request.path)
            request.send_response(200)
            request.end_headers()
            request.wfile.write(json.dumps(endpoints | {"issuer": root, "jwks_uri": server.url}).encode())

        server.answer = answer
        yield server, asked


@pytest.mark.slow
@pytest.mark.parametrize("jump", JUMPS)
def test_what_a_provider_says_of_itself_grows_old_whatever_the_wall_clock_says(
    provider: tuple[KeyServer, list[str]], tmp_path: Path, jump: timedelta
) -> None:
    (server, asked), stopwatch = provider, Stopwatch()
    settings = {
        "PORTAL_OIDC_DISCOVERY_URL": server.url.removesuffix("/jwks") + code_flow.DISCOVERY,
        "PORTAL_OIDC_CLIENT_ID": "portal",
    }
    app = create_app(settings_for(f"sqlite:///{tmp_path / 'portal.sqlite3'}") | settings, instance=tmp_path)
    with app.app_context(), time_machine.travel(NOON, tick=False) as clock:
        client = code_flow.provider()[2]
        client.clock = stopwatch
        for times, passed in ((1, 0), (1, code_flow.METADATA_LIFE - 1), (2, 1), (2, 1)):
            stopwatch.now += passed
            clock.shift(jump)
            client.load_server_metadata()
            assert len(asked) == times
        db.engine.dispose()
