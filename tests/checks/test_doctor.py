"""What `flask doctor` says of settings that work, are worth a note, or are broken."""

import contextvars
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal import create_app
from portal.database.engine import db
from tests.auth.provider_keys import ISSUER, KeyServer, key_server, key_set, rsa_key
from tests.conftest import settings_for
from tests.engine.provider_server import KEY, provider_server, reply_json
from tests.factories import make_workspace
from tests.serving import served

Levels = dict[str, str]


def doctor(app: Flask) -> tuple[int, Levels, str]:
    """The exit status, the level of each check, and the plain text."""
    runner = app.test_cli_runner()
    done = contextvars.Context().run(runner.invoke, args=["doctor", "--json"])
    plain = contextvars.Context().run(runner.invoke, args=["doctor"])
    assert plain.exit_code == done.exit_code
    return done.exit_code, {one["check"]: one["level"] for one in json.loads(done.output)}, plain.output


@pytest.fixture
def provider() -> Iterator[KeyServer]:
    """An address that serves keys and, at the well-known path, a description of the provider."""
    with key_server() as server:
        root = server.url.removesuffix("/jwks")
        description = {
            "issuer": root,
            "authorization_endpoint": f"{root}/authorize",
            "token_endpoint": f"{root}/token",
            "jwks_uri": server.url,
        }
        keys = key_set(rsa_key("a"))

        def answer(request: Any) -> None:
            body = keys if request.path == "/jwks" else json.dumps(description).encode()
            request.send_response(200)
            request.end_headers()
            request.wfile.write(body)

        server.answer = answer
        yield server


@pytest.fixture
def start(empty_sqlite: Path, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    apps: list[Flask] = []

    def start(**settings: str) -> Flask:
        (tmp_path / "portal.sqlite3").write_bytes(empty_sqlite.read_bytes())
        environment = settings_for(f"sqlite:///{tmp_path / 'portal.sqlite3'}") | settings
        apps.append(create_app(environment, instance=tmp_path))
        return apps[-1]

    yield start
    for app in apps:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.mark.slow
def test_a_plain_portal_is_fine_and_says_what_is_worth_knowing(
    start: Callable[..., Flask], empty_sqlite: Path, tmp_path: Path
) -> None:
    (tmp_path / "served").mkdir()
    with served(settings_for(f"sqlite:///{empty_sqlite}"), tmp_path / "served") as url:
        status, levels, text = doctor(start(PORTAL_BASE_URL=url))
    assert status == 0
    levels.pop("espeak-ng")  # which machines have or not
    assert levels == {
        "base URL": "ok",
        "reachable": "ok",
        "database": "ok",
        "migrations": "ok",
        "text search": "ok",
        "provider": "note",
        "rate limits": "note",
        "engine": "ok",
        "queue": "ok",
        "workers": "note",
        "waiting runs": "ok",
    }
    assert "each worker counts for itself" in text


@pytest.mark.slow
def test_a_provider_with_its_keys_and_rules_is_looked_at(
    start: Callable[..., Flask], provider: KeyServer
) -> None:
    root = provider.url.removesuffix("/jwks")
    settings = {
        "PORTAL_OIDC_DISCOVERY_URL": f"{root}/.well-known/openid-configuration",
        "PORTAL_OIDC_CLIENT_ID": "portal",
        "PORTAL_OIDC_JOIN": "anyone -> acme viewer",
        "PORTAL_JWT_ISSUER": root,
        "PORTAL_JWT_JWKS_URL": provider.url,
        "PORTAL_JWT_AUDIENCE": "portal",
    }
    app = start(**settings)
    status, levels, text = doctor(app)
    assert (status, levels["provider"], levels["rules"], levels["token keys"]) == (1, "ok", "bad", "ok")
    assert "do not exist: acme" in text
    assert "http://127.0.0.1:8000/auth/callback" in text
    with app.app_context():
        make_workspace()
    status, levels, _ = doctor(app)
    assert (status, levels["rules"]) == (0, "ok")
    assert "token issuer" not in levels


def test_what_does_not_answer_is_bad(start: Callable[..., Flask], provider: KeyServer) -> None:
    gone = "http://127.0.0.1:1"
    app = start(
        PORTAL_OIDC_DISCOVERY_URL=f"{gone}/.well-known/openid-configuration",
        PORTAL_OIDC_CLIENT_ID="portal",
        PORTAL_JWT_ISSUER=ISSUER,
        PORTAL_JWT_JWKS_URL=f"{gone}/jwks",
        PORTAL_JWT_AUDIENCE="portal",
        PORTAL_RATE_LIMIT_STORAGE_URL="redis://:s3cr3t@127.0.0.1:1/0",
    )
    status, levels, text = doctor(app)
    assert status == 1
    bad = {check for check, level in levels.items() if level == "bad"}
    assert bad == {"provider", "token keys", "rate limits"}
    assert levels["token issuer"] == "note"
    assert "s3cr3t" not in text


@pytest.mark.slow
def test_a_provider_that_describes_somebody_else_is_bad(
    start: Callable[..., Flask], provider: KeyServer
) -> None:
    other = provider.url.replace("127.0.0.1", "localhost").removesuffix("/jwks")
    app = start(
        PORTAL_OIDC_DISCOVERY_URL=f"{other}/.well-known/openid-configuration", PORTAL_OIDC_CLIENT_ID="portal"
    )
    status, levels, text = doctor(app)
    assert (status, levels["provider"]) == (1, "bad")
    assert "issuer" in text


@pytest.mark.parametrize(
    ("base_url", "said"), [("", "is not set"), ("http://runs.acme.example", "not https")]
)
def test_an_address_that_cannot_work_is_bad(start: Callable[..., Flask], base_url: str, said: str) -> None:
    status, levels, text = doctor(start(PORTAL_BASE_URL=base_url))
    assert (status, levels["base URL"]) == (1, "bad")
    assert said in text


def test_it_says_how_browsers_write_the_address(start: Callable[..., Flask]) -> None:
    _, _, text = doctor(start(PORTAL_BASE_URL="https://BÜCHER.example:443"))
    assert "https://xn--bcher-kva.example, as browsers write https://BÜCHER.example:443" in text
    assert "as browsers" not in doctor(start(PORTAL_BASE_URL="http://127.0.0.1:8000/"))[2]


def test_a_database_without_tables_or_out_of_reach_is_bad(tmp_path: Path) -> None:
    for url, check in (
        (f"sqlite:///{tmp_path / 'empty.sqlite3'}", "migrations"),
        ("postgresql://portal:s3cr3t@127.0.0.1:1/portal", "database"),
    ):
        app = create_app(settings_for(url), instance=tmp_path)
        status, levels, text = doctor(app)
        assert (status, levels[check]) == (1, "bad")
        assert "s3cr3t" not in text
        with app.app_context():
            db.engine.dispose()


@pytest.mark.slow
def test_the_provider_of_nodes_is_asked_for_its_models(start: Callable[..., Flask]) -> None:
    with provider_server() as server:
        settings = {
            "PORTAL_PROVIDER_URL": server.url.removesuffix("/v1"),
            "PORTAL_PROVIDER_KEY": KEY,
            "PORTAL_PROVIDER_TTS_MODEL": "speaks",
        }
        server.answer = reply_json({"data": [{"id": "speaks"}]})
        status, levels, said = doctor(start(**settings))
        assert (status, levels["speech provider"]) == (0, "ok")
        assert f"{server.url} answers" in said
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
        server.answer = reply_json({"data": [{"id": "other"}]})
        status, levels, said = doctor(start(**settings))
        assert (status, levels["speech provider"]) == (0, "note")
        assert "does not list speaks" in said
        server.answer = reply_json({"error": {"message": f"Incorrect key {KEY}"}}, 401)
        status, levels, said = doctor(start(**settings))
        assert (status, levels["speech provider"]) == (1, "bad")
        assert "The provider refused the request (401)" in said
        assert KEY not in said


def test_a_recogniser_without_a_model_is_bad(start: Callable[..., Flask], tmp_path: Path) -> None:
    status, levels, said = doctor(start(PORTAL_ASR_MODEL=str(tmp_path / "absent")))
    assert (status, levels["speech recognition"]) == (1, "bad")
    assert "PORTAL_ASR_MODEL" in said
