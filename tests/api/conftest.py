"""A workspace with a key, and a client that sends it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.auth.principals import SCOPES
from portal.database.models import User, Workflow, Workspace
from tests.factories import (
    CAN_ALL,
    make_key,
    make_member,
    make_user,
    make_worker,
    make_workflow,
    make_workspace,
)


@dataclass
class Api:
    """The API as one key's script sees it."""

    app: Flask
    workspace: Workspace
    user: User
    key: str

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.request("GET", path, **options)

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> TestResponse:
        bearer = {"Authorization": f"Bearer {self.key}"}
        sent = bearer | (headers or {})
        return self.app.test_client().open(f"/api/v1{path}", method=method, headers=sent, **options)

    def with_key(self, key: str) -> "Api":
        return Api(self.app, self.workspace, self.user, key)


@pytest.fixture
def api(app: Flask) -> Api:
    workspace, user = make_workspace(), make_user(first_name="Ada", last_name="Lovelace")
    make_member(workspace, user)
    return Api(app, workspace, user, make_key(workspace, user))


@pytest.fixture
def workflow(api: Api) -> Workflow:
    return make_workflow(api.workspace)


@pytest.fixture
def other_workflow(app: Flask) -> Workflow:
    """A workflow in a workspace that the key does not reach."""
    return make_workflow(make_workspace("other", "Other"), "Theirs")


MakeKey = Callable[..., str]


@pytest.fixture
def runner(api: Api) -> Api:
    """Somebody who may do everything, in a portal whose worker says that it can do everything."""
    make_worker(abilities=CAN_ALL)
    return api.with_key(make_key(api.workspace, api.user, SCOPES))
