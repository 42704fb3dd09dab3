"""Whatever a request says, the answer is never a failure of ours."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.database.models import User
from tests.factories import (
    make_key,
    make_member,
    make_person,
    make_run,
    make_user,
    make_workflow,
    make_workspace,
)

PARAMETERS = [
    "offset",
    "limit",
    "status",
    "search",
    "sort",
    "order",
    "from",
    "to",
    "last_run_after",
    "last_run_before",
    "has_failed_run",
    "include_definition",
    "page",
]
VALUES = [
    "",
    "0",
    "-1",
    "%00",
    "%ff",
    "%F0%9F%98%80",
    "%ED%A0%80",
    "9" * 30,
    "9" * 4001,
    "a" * 101,
    "%25",
    "%5C",
    "true",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "9999-12-31T23:59:59-23:59",
    "2026-01-01T00:00:00%2B99:99",
    "';drop table runs;--",
]
PATHS = [
    "/signin/%00",
    "/signin/%ff",
    "/runs/%00",
    "/workflows/%00/runs",
    "/workflows/%ff/runs/x",
    "/workflows/{id}/runs/%00",
    "/static/%00",
    "/static/%2e%2e/app.py",
    "/static/vendor?v=1",
    "/static/?v=x",
    "/%ff",
    "/api/v1/workflows/%00",
]


@pytest.fixture
def surfaces(app: Flask, sign_in: Callable[[User], FlaskClient]) -> Callable[[str, str], list[int]]:
    """Ask the lists of every surface and give their statuses."""
    workspace, user = make_workspace(), make_user()
    make_member(workspace, user)
    workflow = make_workflow(workspace)
    make_run(workflow, make_person(workspace, "Ada"))
    browser, script = sign_in(user), app.test_client()
    bearer = {"Authorization": f"Bearer {make_key(workspace, user)}"}
    runs = f"/workflows/{workflow.id}/runs"

    def ask(path: str, query: str) -> list[int]:
        if path:
            url = path.format(id=workflow.id)
            return [browser.get(url).status_code, script.get(url, headers=bearer).status_code]
        answers = [script.get(f"/api/v1{url}?{query}", headers=bearer) for url in ("/workflows", runs)]
        answers += [browser.get(f"{url}?{query}") for url in ("/", runs)]
        answers.append(browser.get(f"{runs}/table?{query}", headers={"HX-Request": "true"}))
        return [answer.status_code for answer in answers]

    return ask


@pytest.mark.slow
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_no_value_of_a_parameter_breaks_a_list(
    surfaces: Callable[[str, str], list[int]], parameter: str
) -> None:
    for value in VALUES:
        statuses = surfaces("", f"{parameter}={value}")
        assert set(statuses) <= {200, 303, 422}, (value[:40], statuses)


@pytest.mark.parametrize("path", PATHS)
def test_no_address_breaks_the_portal(surfaces: Callable[[str, str], list[int]], path: str) -> None:
    assert max(surfaces(path, "")) < 500
