"""A workspace with a workflow, and a browser without JavaScript that looks at it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.database.engine import db
from portal.database.models import User, Workflow, Workspace
from tests.factories import make_member, make_user, make_workflow, make_workspace

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@dataclass
class Browser:
    """A signed-in person's browser."""

    client: FlaskClient
    workspace: Workspace
    workflow: Workflow
    user: User

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
    return Browser(sign_in(user), workspace, make_workflow(workspace), user)


@pytest.fixture
def count_queries(app: Flask) -> Callable[[], AbstractContextManager[list[str]]]:
    """Collects the statements that the portal sends to the database meanwhile."""

    @contextmanager
    def collecting() -> Iterator[list[str]]:
        statements: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith(("SELECT", "WITH")):
                statements.append(statement)

        sa.event.listen(db.engine, "before_cursor_execute", note)
        yield statements
        sa.event.remove(db.engine, "before_cursor_execute", note)

    return collecting


def parsed(answer: TestResponse) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html.parser")


def numbers(answer: TestResponse) -> list[str]:
    """The run numbers in the list, in order."""
    return [link.text for link in parsed(answer).select("#runs tbody .run")]


def text_of(element: Tag) -> str:
    """The text of an element as a browser shows it: each run of white space is one space."""
    return " ".join(element.get_text().split())


def one(soup: BeautifulSoup | Tag, selector: str) -> Tag:
    """The only element that matches."""
    [element] = soup.select(selector)
    return element
