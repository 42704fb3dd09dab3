"""A real OpenID provider of its own process, and people with accounts at it who sign in to the portal."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import BASE_URL

FOLDER = Path(__file__).parents[1] / "oidc"
CALLBACK = f"{BASE_URL}/auth/callback"
CLIENT_ID, CLIENT_SECRET = "portal", "s3cr3t-of-the-portal"
_VERIFIED = {"email_verified": True}
ACCOUNTS: dict[str, dict[str, Any]] = {
    "ada": {"email": "Ada@acme.example", "given_name": "Ada", "family_name": "Lovelace", **_VERIFIED},
    "ada-again": {"email": "ada@acme.example", **_VERIFIED},
    "grace": {"email": "grace@other.example", "groups": ["ops", "voice"], **_VERIFIED},
    "mallory": {"email": "ada@acme.example", "email_verified": False},
    "nobody": {"given_name": "No", "family_name": "Mail"},
}


@dataclass(frozen=True)
class Provider:
    issuer: str
    granted: Path
    """A file: what it answered to each code, one JSON object a line."""

    @property
    def settings(self) -> dict[str, str]:
        """What the portal is told of it."""
        return {
            "PORTAL_OIDC_DISCOVERY_URL": f"{self.issuer}/.well-known/openid-configuration",
            "PORTAL_OIDC_CLIENT_ID": CLIENT_ID,
            "PORTAL_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        }

    def tokens(self) -> set[str]:
        """Every token that it issued."""
        grants = [json.loads(line) for line in self.granted.read_text().splitlines()]
        return {grant[name] for grant in grants for name in ("access_token", "id_token")}


@contextmanager
def running_provider(folder: Path, callback: str = CALLBACK, port: int = 0) -> Iterator[Provider]:
    """A provider that sends people back to this address; skips the test where it cannot run. Port 0: any."""
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "oidc-provider").exists():
        pytest.skip("Node.js or the provider's packages are absent (npm ci --prefix tests/oidc)")
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uris": [callback]}
    granted = folder / "granted.jsonl"
    asked = json.dumps({"accounts": ACCOUNTS, "client": client, "granted": str(granted), "port": port})
    with subprocess.Popen(
        [node, "provider.mjs", asked],
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield Provider(process.stdout.readline().strip(), granted)
        finally:
            process.kill()


@dataclass
class Person:
    """Somebody with an account at the provider and a browser."""

    account: str
    browser: FlaskClient

    def begin(self, path: str = "/auth/start") -> str:
        """Press the button: the provider's address."""
        answer = self.browser.get(path, base_url=BASE_URL)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def approve(self, address: str) -> str:
        """Sign in at the provider and agree: the address that it sends the browser back to."""
        with requests.Session() as http:
            answer = http.get(address, allow_redirects=False, timeout=10)
            for _ in range(12):
                to = answer.headers.get("Location")
                if to is not None and to.startswith(CALLBACK):
                    return to
                if to is not None:
                    answer = http.get(urljoin(answer.url, to), allow_redirects=False, timeout=10)
                    continue
                form = BeautifulSoup(answer.text, "html.parser").select_one("form")
                assert form is not None, answer.text
                sent = {
                    str(field["name"]): str(field.get("value", "")) for field in form.select("input[name]")
                }
                sent |= {name: self.account for name in ("login", "password") if name in sent}
                to = urljoin(answer.url, str(form["action"]))
                answer = http.post(to, sent, allow_redirects=False, timeout=10)
        raise AssertionError("the provider never sends the browser back")

    def arrive(self, address: str) -> TestResponse:
        return self.browser.get(address.removeprefix(BASE_URL), base_url=BASE_URL)

    def sign_in(self, path: str = "/auth/start") -> TestResponse:
        return self.arrive(self.approve(self.begin(path)))

    def is_signed_in(self) -> bool:
        return self.browser.get("/", base_url=BASE_URL).status_code == 200


def person(app: Flask, account: str = "ada") -> Person:
    return Person(account, app.test_client())
