"""What holds for every answer of the API (contract 1.1 to 1.5)."""

import json
import re
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.database.models import Workflow
from tests.api.conftest import Api
from tests.factories import make_run

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


def answers(api: Api, workflow: Workflow) -> list[TestResponse]:
    """An answer of every kind: good ones and every failure."""
    runs = f"/workflows/{workflow.id}/runs"
    return [
        api.get("/auth/whoami"),
        api.get("/workflows"),
        api.get(f"/workflows/{workflow.id}"),
        api.get(runs),
        api.get(runs, headers={"Authorization": ""}),
        api.get(runs, headers={"X-Workspace-Id": "x"}),
        api.get(f"{runs}?limit=0"),
        api.get("/workflows/67b83426-5797-57c9-9545-522b6cd26e1b"),
        api.get("/nowhere"),
        api.request("DELETE", runs),
    ]


def test_every_answer_is_json_that_nobody_may_store_with_its_request_id(api: Api, workflow: Workflow) -> None:
    ids = set()
    for answer in answers(api, workflow):
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        meta = answer.get_json()["meta"]
        assert UUID4.fullmatch(meta["request_id"])
        assert answer.headers["X-Request-Id"] == meta["request_id"]
        assert MOMENT.fullmatch(meta["timestamp"])
        assert abs(datetime.now(UTC) - datetime.fromisoformat(meta["timestamp"])).total_seconds() < 60
        assert "X-OnePin-Required-Version" not in answer.headers
        ids.add(meta["request_id"])
    assert len(ids) == len(answers(api, workflow))


def test_a_clients_request_id_does_not_become_ours(api: Api) -> None:
    answer = api.get("/auth/whoami", headers={"X-Request-Id": "mine"})
    assert answer.headers["X-Request-Id"] != "mine"


def test_every_failure_has_a_code_a_message_and_no_top_level_detail(api: Api, workflow: Workflow) -> None:
    failures = [answer for answer in answers(api, workflow) if answer.status_code >= 400]
    assert [(answer.status_code, answer.get_json()["error"]["code"]) for answer in failures] == [
        (401, "UNAUTHORIZED"),
        (403, "FORBIDDEN"),
        (422, "VALIDATION_ERROR"),
        (404, "NOT_FOUND"),
        (404, "NOT_FOUND"),
        (405, "METHOD_NOT_ALLOWED"),
    ]
    for answer in failures:
        assert set(answer.get_json()) == {"error", "meta"}
        assert answer.get_json()["error"]["message"]


def test_all_bad_parameters_are_named_in_details_and_in_the_message(api: Api) -> None:
    error = api.get("/workflows/x/runs?limit=0&status=,&sort=id").get_json()["error"]
    fields = [detail["field"] for detail in error["details"]]
    assert sorted(fields) == ["limit", "sort", "status", "workflow_id"]
    assert all(detail["message"] for detail in error["details"])
    assert all(field in error["message"] for field in fields)


@pytest.mark.parametrize("accept", ["text/html", "*/*", "application/xml"])
def test_json_comes_whatever_the_request_accepts(client: FlaskClient, accept: str) -> None:
    assert client.get("/api/v1/nowhere", headers={"Accept": accept}).content_type == "application/json"


@pytest.mark.parametrize("path", ["/workflows/", "//workflows", "/workflows//"])
def test_no_address_of_the_api_redirects(api: Api, path: str) -> None:
    assert api.get(path).status_code in (404, 422)


def test_a_method_that_a_route_lacks_is_405_and_says_which_it_has(api: Api, workflow: Workflow) -> None:
    answer = api.request("PATCH", f"/workflows/{workflow.id}/runs")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_head_has_no_body_and_options_no_rows(api: Api, workflow: Workflow) -> None:
    path = f"/workflows/{workflow.id}/runs"
    head = api.request("HEAD", path)
    assert (head.status_code, head.data) == (200, b"")
    assert api.request("OPTIONS", path).data == b""


def test_a_json_content_type_on_a_get_without_body_is_accepted(api: Api) -> None:
    assert api.get("/workflows", headers={"Content-Type": "application/json"}).status_code == 200


def test_times_are_utc_with_z_and_their_full_precision(api: Api, workflow: Workflow) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 120_000, tzinfo=UTC)
    make_run(workflow, created_at=at)
    [row] = api.get(f"/workflows/{workflow.id}/runs").get_json()["data"]
    assert row["created_at"] == "2026-03-01T12:00:00.12Z"


def test_text_beyond_ascii_survives(api: Api, workflow: Workflow) -> None:
    make_run(workflow, usage_summary={"注": "é\u0000"})
    answer = api.get(f"/workflows/{workflow.id}/runs")
    assert json.loads(answer.data.decode())["data"][0]["usage_summary"] == {"注": "é\u0000"}
