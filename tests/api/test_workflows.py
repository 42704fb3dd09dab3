"""List and get workflows (contract 3.13)."""

from datetime import timedelta

import pytest

from portal import moments
from tests.api.conftest import Api
from tests.factories import EMPTY_DEFINITION, NOON, make_run, make_workflow, uuid_of

FIELDS = {
    "id", "user_id", "name", "name_source", "description", "created_at", "updated_at", "runs_count",
    "last_run_at", "last_run_status", "run_status_counts", "definition",
}  # fmt: skip
STATUSES = {"pending", "running", "paused", "completed", "failed", "cancelled"}


def names(api: Api, query: str = "") -> list[str]:
    return [row["name"] for row in api.get(f"/workflows?{query}").get_json()["data"]]


@pytest.fixture
def shelf(api: Api) -> Api:
    """Four workflows: never run, running, failed, and completed after a failure."""
    for number, (name, statuses) in enumerate(
        {
            "draft": [],
            "Active": ["completed", "paused"],
            "broken": ["failed"],
            "Good": ["failed", "completed"],
        }.items()
    ):
        at = NOON + timedelta(days=number)
        workflow = make_workflow(
            api.workspace, name, id=uuid_of(number + 1), updated_at=at, description=f"No. {number}"
        )
        for minute, status in enumerate(statuses):
            make_run(workflow, status=status, created_at=at + timedelta(minutes=minute))
    return api


def test_a_row_has_every_field_and_counts_for_all_six_statuses(shelf: Api) -> None:
    rows = {row["name"]: row for row in shelf.get("/workflows").get_json()["data"]}
    assert all(set(row) == FIELDS and set(row["run_status_counts"]) == STATUSES for row in rows.values())
    assert all(sum(row["run_status_counts"].values()) == row["runs_count"] for row in rows.values())
    assert (rows["Good"]["runs_count"], rows["Good"]["last_run_status"]) == (2, "completed")
    assert rows["Good"]["last_run_at"] == "2026-03-04T12:01:00Z"
    assert (rows["draft"]["runs_count"], rows["draft"]["last_run_at"]) == (0, None)
    assert rows["draft"]["definition"] is None


def test_one_workflow_comes_with_its_definition(shelf: Api) -> None:
    row = shelf.get(f"/workflows/{uuid_of(1)}").get_json()["data"]
    assert set(row) == FIELDS
    assert row["definition"] == EMPTY_DEFINITION
    assert (
        shelf.get("/workflows?include_definition=true").get_json()["data"][0]["definition"]
        == EMPTY_DEFINITION
    )


def test_an_id_that_is_no_uuid_is_422_and_an_unknown_one_404(api: Api) -> None:
    answer = api.get("/workflows/x")
    assert answer.status_code == 422
    assert [detail["field"] for detail in answer.get_json()["error"]["details"]] == ["workflow_id"]
    assert api.get(f"/workflows/{uuid_of(9)}").status_code == 404


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("draft", ["draft"]),
        ("running", ["Active"]),
        ("failed", ["broken"]),
        ("completed", ["Good"]),
        ("paused", []),
    ],
)
def test_status_is_that_of_the_latest_run(shelf: Api, status: str, found: list[str]) -> None:
    assert names(shelf, f"status={status}") == found


def test_workflows_changed_at_one_moment_stand_by_their_last_run_unless_sorted(api: Api) -> None:
    for number, hour in enumerate((1, None, 3, 2)):
        workflow = make_workflow(api.workspace, str(hour), id=uuid_of(number + 1), updated_at=NOON)
        if hour:
            make_run(workflow, created_at=NOON + timedelta(hours=hour))
    assert names(api) == ["3", "2", "1", "None"]
    assert names(api, "sort=updated_at") == ["1", "None", "3", "2"]


@pytest.mark.slow
def test_sorting_pairs_sorts_and_orders_by_position(shelf: Api) -> None:
    assert names(shelf) == ["Good", "broken", "Active", "draft"]
    assert names(shelf, "sort=name") == ["Active", "broken", "draft", "Good"]
    assert names(shelf, "sort=name&order=desc") == ["Good", "draft", "broken", "Active"]
    assert names(shelf, "sort=updated_at&order=asc") == ["draft", "Active", "broken", "Good"]
    assert names(shelf, "sort=runs_count") == ["Active", "Good", "broken", "draft"]
    assert names(shelf, "sort=runs_count&sort=name&order=desc&order=desc") == [
        "Good",
        "Active",
        "broken",
        "draft",
    ]


@pytest.mark.slow
def test_filters_narrow_the_list_and_the_total(shelf: Api) -> None:
    assert names(shelf, "search=GOO") == ["Good"]
    assert names(shelf, "search=no.%202") == ["broken"]
    assert names(shelf, "search=%25") == []
    assert names(shelf, "has_failed_run=true") == ["Good", "broken"]
    assert names(shelf, "has_failed_run=0") == ["Active", "draft"]
    assert names(shelf, "last_run_after=2026-03-03T12:00:00Z") == ["Good", "broken"]
    assert names(shelf, "last_run_before=2026-03-03T12:00:00Z") == ["broken", "Active"]
    assert shelf.get("/workflows?has_failed_run=1&limit=1").get_json()["pagination"]["total"] == 2


def test_links_repeat_the_sorts(shelf: Api) -> None:
    pagination = shelf.get("/workflows?sort=runs_count&sort=name&order=asc&limit=1").get_json()["pagination"]
    assert pagination["next"].endswith(
        "/workflows?offset=1&limit=1&sort=runs_count&sort=name&order=asc&order=asc"
    )


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=cancelled", "status"),
        ("status=", "status"),
        ("sort=created_at", "sort"),
        ("sort=name&order=up", "order"),
        ("order=asc", "order"),
        ("sort=name&order=asc&order=asc", "order"),
        ("limit=0", "limit"),
        ("offset=-1", "offset"),
        ("has_failed_run=yes", "has_failed_run"),
        ("include_definition=", "include_definition"),
        ("last_run_after=2026-01-01T00:00:00", "last_run_after"),
        ("last_run_after=2026-01-02T00:00:00Z&last_run_before=2026-01-01T00:00:00Z", "last_run_after"),
        ("search=" + "x" * 101, "search"),
    ],
)
def test_a_bad_value_is_refused_by_name(api: Api, query: str, field: str) -> None:
    answer = api.get(f"/workflows?{query}")
    assert answer.status_code == 422
    assert [detail["field"] for detail in answer.get_json()["error"]["details"]] == [field]


def test_deleted_workflows_and_those_of_others_are_not_listed(api: Api, other_workflow: object) -> None:
    make_workflow(api.workspace, "gone", deleted_at=moments.now())
    assert api.get("/workflows").get_json()["pagination"]["total"] == 0


def test_a_workflow_reads_as_markdown(api: Api) -> None:
    nodes = [
        {"id": "a", "type": "source_script", "config": {"source_language": "de-DE"}},
        {
            "id": "b",
            "type": "operator_generator",
            "name": "Speak | loud",
            "config": {"target_locale": "tlh", "speed": 2},
        },
        "no node",
    ]
    definition = {"graph": {"nodes": nodes, "edges": [{"source": "a", "target": "b"}, {"source": "a"}]}}
    workflow = make_workflow(api.workspace, "Dub *all*", description="Line\nby line", definition=definition)
    found = api.get(f"/workflows/{workflow.id}/markdown").get_json()["data"]
    assert (found["workflow_id"], found["name"]) == (str(workflow.id), "Dub *all*")
    lines = found["markdown"].splitlines()
    assert lines[0] == r"# Dub \*all\*"
    assert "2 nodes, languages: de-de, tlh" in lines
    assert r"1. Script → Speak \| loud" in lines
    assert r"| Speak \| loud | Generator | target\_locale: tlh; speed: 2 |" in lines


def test_a_workflow_without_a_graph_reads_as_markdown_too(api: Api) -> None:
    for definition in ({}, {"graph": 1}, {"graph": {"nodes": {}}}, EMPTY_DEFINITION):
        workflow = make_workflow(api.workspace, definition=definition)
        found = api.get(f"/workflows/{workflow.id}/markdown").get_json()["data"]
        assert found["markdown"] == "# Nightly dub\n\n0 nodes\n"


def test_every_name_is_available_if_it_is_one(api: Api) -> None:
    found = api.get("/workflows/name-availability?name=%20Nightly%20").get_json()["data"]
    assert found == {"name": "Nightly", "available": True}
    for query in ("", "?name=", "?name=%20", f"?name={'x' * 201}", "?name=%00"):
        answer = api.get(f"/workflows/name-availability{query}")
        assert answer.status_code == 422
        assert [detail["field"] for detail in answer.get_json()["error"]["details"]] == ["name"]
