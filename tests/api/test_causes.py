"""List Failures: what it answers, filters and refuses."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from portal import moments
from portal.database.models import Cause
from portal.database.transactions import writing
from tests.factories import make_key, make_member, make_runs, make_user, make_workflow, make_workspace

PATH = "/api/v1/failures"


@pytest.fixture
def get(app: Flask, client: FlaskClient) -> Any:
    workspace, ada = make_workspace(), make_user(first_name="Ada")
    make_member(workspace, ada)
    workflow, now = make_workflow(workspace), moments.now()
    errors = ("take 1 is silent", "take 2 is silent", "no voice")
    make_runs(
        workflow,
        [
            {
                "status": "failed",
                "error": error,
                "created_at": now - timedelta(days=number),
                "run_number": number + 1,
            }
            for number, error in enumerate(errors)
        ],
    )
    headers = {"Authorization": f"Bearer {make_key(workspace, ada)}"}
    with writing() as session:
        noted = {"note": "ask Grace", "noted_at": now, "noted_by": ada.id}
        session.execute(sa.update(Cause).where(Cause.text == "no voice").values(**noted))
    return lambda query="": client.get(f"{PATH}?{query}", headers=headers)


def test_causes_have_their_counts_and_notes(get: Any) -> None:
    answer = get("days=3").json
    silent, voice = answer["data"]
    assert answer["pagination"]["total"] == 2
    assert (silent["text"], silent["count"], silent["total_count"]) == ("take … is silent", 2, 2)
    assert (silent["state"], silent["workflows"], silent["days"]) == ("new", 1, [0, 1, 1])
    assert silent["latest_run"]["run_number"] == 1
    assert "note" not in silent
    assert (voice["note"]["text"], voice["note"]["by"]) == ("ask Grace", "Ada")


def test_pages_and_states_are_asked_for(get: Any) -> None:
    page = get("limit=1&sort=count&order=asc").json
    assert [row["text"] for row in page["data"]] == ["no voice"]
    assert "offset=1" in page["pagination"]["next"]
    assert "sort=count" in page["pagination"]["next"]
    assert get("state=resolved,muted").json["data"] == []
    assert get("state=new").json["pagination"]["total"] == 2
    assert get("days=1").json["pagination"]["total"] == 1


@pytest.mark.parametrize(
    "query", ["days=0", "days=367", "days=x", "state=", "state=gone", "sort=id", "order=up"]
)
def test_bad_parameters_are_named(get: Any, query: str) -> None:
    answer = get(query)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json["error"]["details"]] == [query.partition("=")[0]]
