"""The runs of all workflows over HTTP, an addition of the portal to the contract."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from portal.database.models import Workflow
from tests.api.conftest import Api
from tests.factories import (
    NOON,
    delete_from_workspace,
    make_person,
    make_run,
    make_workflow,
    make_workspace,
    restore_to_workspace,
)


def ids(api: Api, path: str = "/runs") -> list[str]:
    return [row["id"] for row in api.get(path).get_json()["data"]]


def test_rows_are_those_of_list_runs_and_name_their_workflow(api: Api, workflow: Workflow) -> None:
    make_run(workflow, make_person(api.workspace, "Ada Lovelace"), error="It broke", status="failed")
    [row] = api.get("/runs").get_json()["data"]
    [own] = api.get(f"/workflows/{workflow.id}/runs").get_json()["data"]
    assert row == own | {"workflow_id": str(workflow.id), "workflow_name": workflow.name}


def test_the_newest_run_comes_first_whatever_its_workflow(api: Api, workflow: Workflow) -> None:
    other = make_workflow(api.workspace, "Other")
    runs = [
        make_run((workflow, other)[number % 2], created_at=NOON + timedelta(hours=number))
        for number in range(5)
    ]
    make_run(make_workflow(make_workspace("theirs"), "Theirs"))
    newest_first = [str(run.id) for run in reversed(runs)]
    assert ids(api) == newest_first
    assert ids(api, f"/runs?workflow={other.id}") == [str(runs[3].id), str(runs[1].id)]
    assert ids(api, f"/runs?workflow={other.id},{workflow.id}") == newest_first
    body = api.get("/runs?limit=2&order=asc&sort=started_at").get_json()
    assert body["pagination"]["total"] == 5


def test_links_keep_the_workflows(api: Api, workflow: Workflow) -> None:
    other = make_workflow(api.workspace, "Other")
    for number in range(3):
        make_run((workflow, other)[number % 2])
    chosen = f"{workflow.id},{other.id}"
    link = urlsplit(api.get(f"/runs?limit=2&workflow={chosen}").get_json()["pagination"]["next"])
    assert link.path == "/api/v1/runs"
    assert parse_qs(link.query) == {"offset": ["2"], "limit": ["2"], "workflow": [chosen]}


def test_unknown_and_foreign_workflows_match_nothing_and_garbled_ids_are_refused(
    api: Api, workflow: Workflow
) -> None:
    make_run(workflow)
    theirs = make_workflow(make_workspace("theirs"))
    make_run(theirs)
    for stranger in (theirs.id, uuid4()):
        body = api.get(f"/runs?workflow={stranger}").get_json()
        assert (body["data"], body["pagination"]["total"]) == ([], 0)
        assert len(ids(api, f"/runs?workflow={stranger},{workflow.id}")) == 1
    for garbled in ("x", f"{workflow.id},", f"{workflow.id}, {workflow.id}", ""):
        answer = api.get("/runs", query_string={"workflow": garbled})
        assert answer.status_code == 422
        assert [each["field"] for each in answer.get_json()["error"]["details"]] == ["workflow"]


def test_a_workflow_of_the_list_of_one_workflow_is_no_filter(api: Api, workflow: Workflow) -> None:
    make_run(workflow)
    assert len(ids(api, f"/workflows/{workflow.id}/runs?workflow=x")) == 1


def test_runs_of_a_deleted_workflow_leave_and_come_back_with_it(api: Api, workflow: Workflow) -> None:
    run = make_run(workflow)
    delete_from_workspace(workflow)
    body = api.get("/runs").get_json()
    assert (body["data"], body["pagination"]["total"]) == ([], 0)
    assert ids(api, f"/runs?workflow={workflow.id}") == []
    restore_to_workspace(workflow)
    assert ids(api) == [str(run.id)]


@pytest.mark.parametrize("asked", ["status=odd", "limit=0", "from=yesterday", "sort=name"])
def test_other_parameters_are_refused_as_by_list_runs(api: Api, workflow: Workflow, asked: str) -> None:
    ours, theirs = (api.get(f"{path}?{asked}") for path in ("/runs", f"/workflows/{workflow.id}/runs"))
    assert (ours.status_code, ours.get_json()["error"]["details"]) == (
        422,
        theirs.get_json()["error"]["details"],
    )
