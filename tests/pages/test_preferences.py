"""Light or dark: chosen without JavaScript, kept by the browser, in every page from its first byte."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import create_app
from tests.answer_rules import faults
from tests.conftest import settings_for
from tests.pages.conftest import Browser, one, parsed

FORM = {"Sec-Fetch-Site": "same-origin"}


def theme_of(client: FlaskClient, path: str = "/login") -> str | None:
    value = one(parsed(client.get(path)), "html").get("data-theme")
    return None if value is None else str(value)


@pytest.mark.parametrize(("theme", "marked"), [("dark", "dark"), ("light", "light"), ("system", None)])
def test_a_theme_is_kept_and_stands_in_the_page_itself(
    sqlite_app: Flask, theme: str, marked: str | None
) -> None:
    client = sqlite_app.test_client()
    answer = client.post("/theme", data={"theme": theme}, headers=FORM)
    assert answer.status_code == 303
    assert theme_of(client) == marked
    [pressed] = [
        button["value"] for button in parsed(client.get("/login")).select("#theme [aria-pressed=true]")
    ]
    assert pressed == theme


def test_choosing_a_theme_leads_back_to_the_page_one_was_on(browser: Browser) -> None:
    headers = FORM | {"Referer": f"http://localhost{browser.list_path}?status=failed"}
    answer = browser.client.post("/theme", data={"theme": "dark"}, headers=headers)
    assert answer.headers["Location"] == f"{browser.list_path}?status=failed"


def test_a_foreign_page_is_not_led_back_to(browser: Browser) -> None:
    headers = FORM | {"Referer": "http://evil.example/x"}
    answer = browser.client.post("/theme", data={"theme": "dark"}, headers=headers)
    assert answer.headers["Location"] == "/"


def test_the_cookie_is_as_bound_to_this_host_as_the_sessions_is(empty_sqlite: Path, tmp_path: Path) -> None:
    environment = settings_for(f"sqlite:///{empty_sqlite}") | {"PORTAL_BASE_URL": "https://portal.example"}
    client = create_app(environment, instance=tmp_path).test_client()
    options: dict[str, Any] = {"base_url": "https://portal.example", "headers": FORM}
    answer = client.post("/theme", data={"theme": "dark"}, **options)
    assert answer.headers["Set-Cookie"].startswith("__Host-portal-theme=dark; ")
    assert faults(answer, secure=True) == []
    assert 'data-theme="dark"' in client.get("/login", base_url="https://portal.example").text


def test_an_unknown_theme_is_refused_and_an_odd_cookie_ignored(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    assert client.post("/theme", data={"theme": "pink"}, headers=FORM).status_code == 422
    client.set_cookie("portal-theme", "pink")
    assert theme_of(client) is None
