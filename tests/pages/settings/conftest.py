"""A workspace with somebody in each role, as browsers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.database.models import User, Workspace
from tests.factories import make_member, make_user, make_workspace

SAME = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Visitor:
    """A signed-in person without JavaScript."""

    browser: FlaskClient
    user: User
    home: str = field(default="")

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.browser.get(self._at(path), **options)

    def send(self, path: str, **form: Any) -> TestResponse:
        return self.browser.post(self._at(path), data=form, headers=SAME)

    def soup(self, path: str) -> BeautifulSoup:
        answer = self.get(path)
        assert answer.status_code == 200, answer.status
        return BeautifulSoup(answer.text, "html.parser")

    def _at(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.home}/{path}".removesuffix("/")


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace(name="Acme Voice")


@pytest.fixture
def visit(app: Flask, workspace: Workspace, sign_in: Callable[[User], FlaskClient]) -> Callable[..., Visitor]:
    """Somebody signed in; with a role in the workspace, or `None` for a stranger."""

    def visit(role: str | None = "admin", email: str = "ada@acme.example") -> Visitor:
        user = make_user(email)
        if role is not None:
            make_member(workspace, user, role)
        return Visitor(sign_in(user), user, f"/settings/workspaces/{workspace.id}")

    return visit


@pytest.fixture
def admin(visit: Callable[..., Visitor]) -> Visitor:
    return visit()
