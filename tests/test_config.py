"""Settings: what is refused, and what the README says of them."""

import json
import logging
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from portal.config import read_settings
from portal.input.setting_values import BadSetting
from portal.web.logs import JsonFormatter, redact

ROOT = Path(__file__).parents[1]
GOOD = {"PORTAL_SECRET_KEY": "5f0c3e9a7b1d4862" * 4}


def test_only_a_strong_secret_key_is_taken(tmp_path: Path) -> None:
    weak = [
        "",
        "short",
        "a" * 64,
        "0123456789" * 2,
        "change-me-to-something-long-and-random",
        "this is my SECRET key, forty characters!",
    ]
    for key in weak:
        with pytest.raises(BadSetting, match="PORTAL_SECRET_KEY"):
            read_settings({"PORTAL_SECRET_KEY": key}, tmp_path)
    strong = secrets.token_hex(32)
    assert read_settings({"PORTAL_SECRET_KEY": strong}, tmp_path).secret_key == strong


def test_a_refusal_never_shows_the_key(tmp_path: Path) -> None:
    with pytest.raises(BadSetting) as refusal:
        read_settings({"PORTAL_SECRET_KEY": "hunter2-hunter2"}, tmp_path)
    assert "hunter2" not in str(refusal.value)


def test_secrets_come_from_files_too_and_the_kept_key_is_found(tmp_path: Path) -> None:
    kept = tmp_path / "secret-key"
    kept.write_text(GOOD["PORTAL_SECRET_KEY"] + "\n")
    assert read_settings({}, tmp_path).secret_key == GOOD["PORTAL_SECRET_KEY"]
    assert read_settings({"PORTAL_SECRET_KEY_FILE": str(kept)}, tmp_path / "x").secret_key
    with pytest.raises(BadSetting, match="PORTAL_SECRET_KEY_FILE"):
        read_settings({"PORTAL_SECRET_KEY_FILE": str(tmp_path / "absent")}, tmp_path / "x")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTAL_DATABASE_URL", "mysql://x/y"),
        ("PORTAL_DATABASE_URL", "not a url"),
        ("PORTAL_DATABASE_URL", "sqlite://"),
        ("PORTAL_BASE_URL", "portal.example"),
        ("PORTAL_BASE_URL", "ftp://portal.example"),
        ("PORTAL_BASE_URL", "http://[::1"),
        ("PORTAL_BASE_URL", "https://user@portal.example"),
        ("PORTAL_BASE_URL", "https://portal.example/?x"),
        ("PORTAL_PROXY_HOPS", "-1"),
        ("PORTAL_PROXY_HOPS", "many"),
        ("PORTAL_SECRET_KEY_FALLBACKS", "short"),
        ("PORTAL_HANDLER_PLUGINS", "../handlers"),
        ("PORTAL_HANDLER_PLUGINS", "good, -bad"),
        ("PORTAL_HANDLER_PLUGINS", "handlers==1.0"),
        ("PORTAL_PROVIDER_URL", "provider.example/v1"),
        ("PORTAL_PROVIDER_URL", "https://key@provider.example/v1"),
        ("PORTAL_PROVIDER_KEY", "a-key-without-an-address"),
        ("PORTAL_PROVIDER_TTS_MODEL", "a-model-without-an-address"),
        ("PORTAL_PROVIDER_STT_MODEL", "a-model-without-an-address"),
        ("PORTAL_PROVIDER_CHAT_MODEL", "a-model-without-an-address"),
        ("PORTAL_AUDIO_FORMAT", "mp3"),
        ("PORTAL_NODE_SECONDS", "0"),
        ("PORTAL_NODE_SECONDS", "90000"),
        ("PORTAL_NORMALIZE_WITH_PROVIDER", "yes"),
        ("PORTAL_NORMALIZE_WITH_PROVIDER", "true"),
        ("PORTAL_ENGINE", "true"),
        ("PORTAL_RUNS_PER_PERSON", "-1"),
        ("PORTAL_RUNS_PER_WORKSPACE", "1000001"),
        ("PORTAL_ENGINE_LEASE", "1"),
        ("PORTAL_ENGINE_LEASE", "601"),
        ("PORTAL_ENGINE_POLL", "0.04"),
        ("PORTAL_ENGINE_POLL", "10.1"),
        ("PORTAL_ENGINE_POLL", "nan"),
        ("PORTAL_ENGINE_POLL", "1e-1"),
        ("PORTAL_ENGINE_PER_WORKSPACE", "0"),
        ("PORTAL_ENGINE_MAX_QUEUED", "0"),
        ("PORTAL_ENGINE_AUTO_RESUMES", "101"),
        ("PORTAL_METRICS_TOKEN", "short"),
        ("PORTAL_METRICS_TOKEN", "5f0c3e9a7b1d4862 5f0c3e9a7b1d4862"),
    ],
)
def test_a_bad_setting_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        read_settings(GOOD | {name: value}, tmp_path)


def test_the_engine_is_on_and_its_settings_are_read(tmp_path: Path) -> None:
    default = read_settings(GOOD, tmp_path).engine
    assert (default.enabled, default.lease, default.poll) == (True, 30, 0.25)
    assert (default.runs_per_person, default.runs_per_workspace) == (20, 50)
    given = {"PORTAL_ENGINE": "off", "PORTAL_ENGINE_LEASE": "6", "PORTAL_ENGINE_POLL": "2"}
    changed = read_settings(GOOD | given, tmp_path).engine
    assert (changed.enabled, changed.lease, changed.poll) == (False, 6, 2.0)


def test_packages_are_named_in_any_spelling_with_commas_or_spaces(tmp_path: Path) -> None:
    named = read_settings(GOOD | {"PORTAL_HANDLER_PLUGINS": " Loud_Ones,other.x  loud-ones\n"}, tmp_path)
    assert named.handler_plugins == ("loud-ones", "other-x")
    assert read_settings(GOOD, tmp_path).handler_plugins == ()


def test_an_unknown_setting_is_warned_about(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="PORTAL_BASEURL"):
        read_settings(GOOD | {"PORTAL_BASEURL": "x"}, tmp_path)


def test_postgres_urls_of_every_spelling_use_the_same_driver(tmp_path: Path) -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        settings = read_settings(GOOD | {"PORTAL_DATABASE_URL": f"{scheme}://u:p@h/d"}, tmp_path)
        assert settings.database_url.drivername == "postgresql+psycopg"


def test_every_setting_stands_in_the_readme() -> None:
    source = (ROOT / "portal" / "config.py").read_text()
    named = {name for name in re.findall(r'"(PORTAL_[A-Z_]+)"', source) if "_TEST_" not in name} - {"PORTAL_"}
    readme = (ROOT / "README.md").read_text()
    assert named
    assert [name for name in sorted(named) if f"`{name}`" not in readme] == []


@pytest.mark.parametrize(
    "line",
    [
        "key op_live_abcDEF123",
        "Authorization: Bearer eyJhbGciOi.x.y",
        "GET /signin/s3cr3t-token HTTP/1.1",
        "/auth/callback?code=s3cr3t&state=s3cr3t",
        "Cookie: portal=s3cr3t",
        "Cookie: theme=dark; portal=s3cr3t; other=s3cr3t",
        "Set-Cookie:portal=s3cr3t; HttpOnly",
        "Authorization: Basic s3cr3t",
        "GET /invitations/s3cr3t HTTP/1.1",
        "code_verifier=s3cr3t&client_secret=s3cr3t",
        "Using code_verifier: 's3cr3t'",
        "redis://:s3cr3t@cache:6379/0",
        "postgresql://portal:s3cr3t@db/portal",
        "token was eyJhbGciOiJSUzI1NiJ9.s3cr3t.s3cr3t",
    ],
)
def test_logs_never_show_a_secret(line: str) -> None:
    clean = redact(line)
    assert "[redacted]" in clean
    assert not any(secret in clean for secret in ("abcDEF123", "eyJhbGciOi", "s3cr3t"))


@pytest.mark.slow
def test_a_refused_setting_ends_the_start_with_one_line_and_no_traceback(tmp_path: Path) -> None:
    started = subprocess.run(
        [sys.executable, "-m", "flask", "--app", str(ROOT / "app.py"), "check"],
        env={"PATH": os.environ["PATH"], "PORTAL_SECRET_KEY": "too-short"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert started.returncode == 1
    assert started.stderr.startswith("Run Portal does not start. PORTAL_SECRET_KEY is too weak")
    assert "Traceback" not in started.stderr
    assert "too-short" not in started.stderr


def test_nothing_that_is_logged_makes_a_line_of_its_own_or_reaches_a_terminal() -> None:
    said = 'x\r\n{"level": "error"}\x1b[2J\u2028\x85'
    record = logging.LogRecord("portal", logging.INFO, "", 0, "asked for %s", (said,), None)
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == f"asked for {said}"
