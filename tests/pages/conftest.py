"""A workspace with a workflow, and a browser without JavaScript that looks at it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.models import User, Workflow, Workspace
from tests.factories import make_member, make_user, make_workflow, make_workspace

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@dataclass
class Browser:
    """A signed-in person's browser."""

    client: FlaskClient
    workspace: Workspace
    workflow: Workflow

    @property
    def list_path(self) -> str:
        return f"/workflows/{self.workflow.id}/runs"

    def open(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def runs(self, query: str = "") -> TestResponse:
        return self.open(f"{self.list_path}?{query}")

    def fragment(self, query: str = "", headers: Mapping[str, str] | None = None) -> TestResponse:
        return self.open(f"{self.list_path}/table?{query}", headers=HTMX | dict(headers or {}))


@pytest.fixture
def browser(app: Flask, sign_in: Callable[[User], FlaskClient]) -> Browser:
    workspace, user = make_workspace(), make_user(first_name="Ada", last_name="Lovelace")
    make_member(workspace, user)
    return Browser(sign_in(user), workspace, make_workflow(workspace))


def parsed(answer: TestResponse) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html.parser")


def numbers(answer: TestResponse) -> list[str]:
    """The run numbers in the list, in order."""
    return [link.text for link in parsed(answer).select("#runs tbody .run")]


def one(soup: BeautifulSoup | Tag, selector: str) -> Tag:
    """The only element that matches."""
    [element] = soup.select(selector)
    return element
