"""Signing in by a one-time link, staying signed in, signing out."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from portal import create_app, moments
from portal.auth import signin
from portal.auth.origin import SAFE_METHODS
from portal.database.engine import db
from portal.database.models import BrowserSession, User
from portal.errors import is_api, is_ping
from tests.factories import NOON, make_member, make_user, make_workspace

SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def user(app: Flask) -> User:
    user = make_user(first_name="Ada")
    make_member(make_workspace(), user)
    return user


def test_a_link_signs_in_once(client: FlaskClient, user: User) -> None:
    path = f"/signin/{signin.make_link_token(user.email, moments.now())}"
    assert client.post(path, headers=SAME).headers["Location"] == "/"
    assert client.get("/").status_code == 200
    assert client.post(path, headers=SAME).status_code == 404


def test_opening_the_link_changes_nothing_so_mail_scanners_do_no_harm(
    client: FlaskClient, user: User
) -> None:
    path = f"/signin/{signin.make_link_token(user.email, moments.now())}"
    for _ in range(3):
        assert user.email in client.get(path).text
    assert client.get("/").status_code == 302
    assert client.post(path, headers=SAME).status_code == 303


def test_a_link_lives_for_15_minutes(user: User) -> None:
    token = signin.make_link_token(user.email, NOON)
    assert signin.link_email(token, NOON + timedelta(minutes=14, seconds=59)) == user.email
    assert signin.link_email(token, NOON + timedelta(minutes=15)) is None
    assert signin.use_link(token, NOON + timedelta(minutes=15)) is None


def test_a_session_ends_after_8_idle_hours_and_after_7_days_at_most(user: User) -> None:
    token = signin.use_link(signin.make_link_token(user.email, NOON), NOON)
    assert token is not None
    at = NOON
    for _ in range(23):
        at += timedelta(hours=7)
        assert signin.principal_of_session(token, at) is not None
        db.session.rollback()
    assert signin.principal_of_session(token, at + timedelta(hours=8)) is None
    assert signin.principal_of_session(token, NOON + timedelta(days=7)) is None


def test_signing_out_ends_the_session_on_the_server(
    sign_in: Callable[[User], FlaskClient], user: User, app: Flask
) -> None:
    browser = sign_in(user)
    stolen = browser.get_cookie("portal")
    assert stolen is not None
    assert browser.post("/logout", headers=SAME).headers["Location"] == "/login"
    thief = app.test_client()
    thief.set_cookie("portal", stolen.value)
    assert thief.get("/").status_code == 302
    assert db.session.scalar(sa.select(sa.func.count()).select_from(BrowserSession)) == 0


def test_tokens_are_stored_as_hashes_only(user: User) -> None:
    token = signin.make_link_token(user.email, NOON)
    session_token = signin.use_link(token, NOON)
    stored = str(db.session.execute(sa.text("SELECT * FROM sessions")).all())
    stored += str(db.session.execute(sa.text("SELECT * FROM signin_links")).all())
    assert token not in stored
    assert str(session_token) not in stored


FORGERIES = [
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "SAME-ORIGIN"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://evil.example"},
    {"Origin": "https://localhost"},
    {"Origin": "http://localhost:81"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": ""},
    {"Referer": "http://localhost/"},
]


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.slow
def test_a_form_from_elsewhere_is_refused_before_it_does_anything(
    sign_in: Callable[[User], FlaskClient], user: User, app: Flask, forgery: dict[str, str]
) -> None:
    browser = sign_in(user)
    token = signin.make_link_token(user.email, moments.now())
    for rule in app.url_map.iter_rules():
        path = rule.build(dict.fromkeys(rule.arguments, token))[1]  # type: ignore[index]
        for method in (rule.methods or set()) - SAFE_METHODS:
            # To the API, pings and hooks a cookie is nothing, wherever the request comes from.
            secret = is_ping(path) or path.startswith("/hooks/")
            refused = 404 if secret else 401 if is_api(path) else 403
            assert browser.open(path, method=method, headers=forgery).status_code == refused, rule
    assert browser.get("/").status_code == 200
    assert signin.link_email(token, moments.now()) == user.email


def test_a_form_from_our_own_page_is_taken_by_its_origin_too(client: FlaskClient, user: User) -> None:
    path = f"/signin/{signin.make_link_token(user.email, moments.now())}"
    assert client.post(path, headers={"Origin": "http://localhost"}).status_code == 303


@pytest.mark.slow
def test_cookies_are_locked_down_and_host_bound_unless_on_plain_loopback(
    environment: dict[str, str], app: Flask, tmp_path: Path
) -> None:
    def cookie(base_url: str) -> str:
        portal = create_app(environment | {"PORTAL_BASE_URL": base_url}, instance=tmp_path)
        host = urlsplit(base_url).netloc or "portal.example"
        answer = portal.test_client().get("/", base_url=f"https://{host}")
        with portal.app_context():
            db.engine.dispose()
        return answer.headers["Set-Cookie"]

    for url in ("https://portal.example", "http://portal.example", ""):
        text = cookie(url)
        assert text.startswith("__Host-portal=")
        assert "Secure" in text
    loopback = cookie("http://127.0.0.1:8000")
    assert loopback.startswith("portal=")
    assert "Secure" not in loopback
    for text in (loopback, cookie("https://portal.example")):
        assert "HttpOnly" in text
        assert "SameSite=Lax" in text
        assert "Path=/" in text
        assert "Domain" not in text


def test_a_page_ignores_the_session_when_a_bearer_token_comes_with_it(
    sign_in: Callable[[User], FlaskClient], user: User
) -> None:
    browser = sign_in(user)
    assert browser.get("/", headers={"Authorization": "Bearer x"}).status_code == 302
    assert browser.get("/").status_code == 200
