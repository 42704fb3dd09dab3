"""List Runs over HTTP (contract 3.1, 1.7)."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask

from portal import create_app
from portal.database.engine import db
from portal.database.models import Workflow
from tests.api.conftest import Api
from tests.factories import NOON, make_person, make_run, make_workflow, make_workspace, uuid_of

FIELDS = {
    "id", "status", "run_number", "created_at", "total_nodes", "total_steps", "finished_steps",
    "usage_summary", "started_at", "completed_at", "triggered_by", "credits", "pause_requested_at",
    "paused_at", "finished_nodes", "paused_ms", "pause_reason", "pause_error", "output_line_count",
    "delivered_audio_ms",
}  # fmt: skip


def test_a_row_has_every_documented_field_in_every_state_and_no_other(api: Api, workflow: Workflow) -> None:
    make_run(workflow, status="pending")
    person = make_person(api.workspace, "Ada Lovelace")
    make_run(workflow, person, usage_summary={"api_calls": 7}, credits=3, started_at=NOON, completed_at=NOON)
    rows = api.get(f"/workflows/{workflow.id}/runs").get_json()["data"]
    assert all(set(row) == FIELDS for row in rows)
    by_status = {row["status"]: row for row in rows}
    assert by_status["pending"]["triggered_by"] is None
    assert by_status["pending"]["started_at"] is None
    assert by_status["completed"]["triggered_by"] == {
        "user_id": str(person.user_id),
        "user_name": "Ada Lovelace",
    }
    assert by_status["completed"]["usage_summary"] == {"api_calls": 7}


def test_whole_numbers_come_back_whole_however_long(api: Api, workflow: Workflow) -> None:
    usage = {"api_calls": 2**70, "tokens": 2**63, "cost": 0.5}
    make_run(workflow, usage_summary=usage)
    [row] = api.get(f"/workflows/{workflow.id}/runs").get_json()["data"]
    assert row["usage_summary"] == usage


def test_an_empty_list_is_a_page_too(api: Api, workflow: Workflow) -> None:
    body = api.get(f"/workflows/{workflow.id}/runs").get_json()
    assert body["data"] == []
    assert body["pagination"] == {"limit": 20, "total": 0, "next": None, "prev": None}


def test_links_are_absolute_and_keep_every_parameter_that_the_request_had(
    api: Api, workflow: Workflow
) -> None:
    for number in range(5):
        make_run(workflow, make_person(api.workspace, f"Ada é&{number}"))
    path = f"/workflows/{workflow.id}/runs"
    asked = {
        "status": "completed,failed",
        "search": "é&",
        "sort": "created_at",
        "order": "desc",
        "limit": "2",
    }
    body = api.get(path, query_string=asked | {"offset": "2", "unknown": "x"}).get_json()
    for name, offset in (("next", "4"), ("prev", "0")):
        link = urlsplit(body["pagination"][name])
        assert f"{link.scheme}://{link.netloc}{link.path}" == f"http://127.0.0.1:8000/api/v1{path}"
        pairs = parse_qsl(link.query, strict_parsing=True)
        assert pairs[:2] == [("offset", offset), ("limit", "2")]
        assert dict(pairs) == asked | {"offset": offset}
    assert api.get(path).get_json()["pagination"]["next"] is None


def test_offset_and_limit_stand_in_links_even_if_the_request_had_neither(
    api: Api, workflow: Workflow
) -> None:
    for _ in range(21):
        make_run(workflow)
    link = api.get(f"/workflows/{workflow.id}/runs").get_json()["pagination"]["next"]
    assert link.endswith("/runs?offset=20&limit=20")


def test_without_a_base_url_links_follow_the_request(
    environment: dict[str, str], api: Api, workflow: Workflow, tmp_path: Path
) -> None:
    make_run(workflow)
    make_run(workflow)
    plain = create_app(environment | {"PORTAL_BASE_URL": ""}, instance=tmp_path)
    answer = plain.test_client().get(
        f"/api/v1/workflows/{workflow.id}/runs?limit=1",
        headers={"Authorization": f"Bearer {api.key}", "X-Forwarded-Host": "evil.example"},
        base_url="http://portal.example:81/prefix",
    )
    assert answer.get_json()["pagination"]["next"].startswith(
        "http://portal.example:81/prefix/api/v1/workflows/"
    )
    with plain.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("offset", ["3", "9223372036854775808", str(2**70)])
def test_past_the_end_is_an_empty_page_with_the_true_total_and_a_way_back(
    api: Api, workflow: Workflow, offset: str
) -> None:
    for _ in range(3):
        make_run(workflow)
    body = api.get(f"/workflows/{workflow.id}/runs?offset={offset}&limit=2").get_json()
    assert (body["data"], body["pagination"]["total"], body["pagination"]["next"]) == ([], 3, None)
    assert "offset=1&limit=2" in body["pagination"]["prev"]


def test_of_a_repeated_parameter_the_last_counts(api: Api, workflow: Workflow) -> None:
    path = f"/workflows/{workflow.id}/runs"
    assert api.get(f"{path}?limit=x&limit=7").get_json()["pagination"]["limit"] == 7
    assert api.get(f"{path}?limit=7&limit=x").status_code == 422


def test_a_plus_that_was_not_encoded_is_refused_and_one_that_was_is_read(
    api: Api, workflow: Workflow
) -> None:
    path = f"/workflows/{workflow.id}/runs"
    assert api.get(f"{path}?from=2026-01-01T00:00:00+02:00").status_code == 422
    assert api.get(f"{path}?from=2026-01-01T00:00:00%2B02:00").status_code == 200


def test_both_ends_of_a_window_are_inclusive(api: Api, workflow: Workflow) -> None:
    for seconds in range(3):
        make_run(workflow, id=uuid_of(seconds + 1), created_at=NOON + timedelta(seconds=seconds))
    window = "from=2026-03-01T12:00:00Z&to=2026-03-01T12:00:01Z"
    body = api.get(f"/workflows/{workflow.id}/runs?{window}").get_json()
    assert body["pagination"]["total"] == 2


@pytest.mark.parametrize(
    "query", ["search=%00", "search=%ff%fe", "search=%ed%a0%80", "status=%ff", "offset=%ff", "%ff=1"]
)
def test_broken_bytes_are_never_a_failure_of_ours(api: Api, workflow: Workflow, query: str) -> None:
    answer = api.get(f"/workflows/{workflow.id}/runs?{query}")
    assert answer.status_code in (200, 422)


def test_status_sorts_as_text_and_unfinished_runs_come_last_both_ways(api: Api, workflow: Workflow) -> None:
    for number, status in enumerate(("running", "cancelled", "pending", "paused", "failed", "completed")):
        ended = NOON + timedelta(seconds=number) if status in ("cancelled", "failed", "completed") else None
        make_run(workflow, id=uuid_of(number + 1), status=status, started_at=ended, completed_at=ended)
    path = f"/workflows/{workflow.id}/runs"

    def listed(query: str) -> list[str]:
        return [row["status"] for row in api.get(f"{path}?{query}").get_json()["data"]]

    in_text_order = ["cancelled", "completed", "failed", "paused", "pending", "running"]
    assert listed("sort=status&order=asc") == in_text_order
    assert listed("sort=status") == in_text_order[::-1]
    unfinished = ["running", "pending", "paused"]
    assert listed("sort=completed_at&order=asc") == ["cancelled", "failed", "completed", *unfinished]
    assert listed("sort=completed_at&order=desc") == ["completed", "failed", "cancelled", *unfinished]


def test_search_matches_name_or_mail_and_never_runs_without_a_person(api: Api, workflow: Workflow) -> None:
    make_run(workflow, make_person(api.workspace, "Åsa Öberg", "asa@acme.example"), id=uuid_of(1))
    make_run(workflow, make_person(api.workspace, source_id="lpc-u7"), id=uuid_of(2))
    make_run(workflow, id=uuid_of(3))

    def found(text: str) -> list[str]:
        rows = api.get(f"/workflows/{workflow.id}/runs", query_string={"search": text}).get_json()["data"]
        return [row["id"][-1] for row in rows]

    assert found("åsa ö") == found("ASA@") == ["1"]
    assert found("LPC-u") == ["2"]
    assert found("%") == found("_") == found("asaberg") == []
    assert found("") == ["1", "2", "3"]


def test_the_same_id_in_another_workspace_stays_there(app: Flask, api: Api, workflow: Workflow) -> None:
    make_run(make_workflow(make_workspace("b", "B")))
    assert api.get(f"/workflows/{workflow.id}/runs").get_json()["pagination"]["total"] == 0


@pytest.mark.parametrize(
    "query",
    ["", "search=a", "from=2026-03-01T11:00:00Z", "to=2026-03-09T00:00:00Z", "from=9999-01-01T00:00:00Z"],
)
def test_a_total_is_a_whole_number_in_json_whatever_it_was_counted_from(
    api: Api, workflow: Workflow, query: str
) -> None:
    make_run(workflow, make_person(api.workspace, "Ada"))
    total = api.get(f"/workflows/{workflow.id}/runs?{query}").get_json()["pagination"]["total"]
    assert type(total) is int
