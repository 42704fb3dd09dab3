"""Steps and results: fetched behind a budget, failed runs first, and those that somebody opens before all."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from portal.database.engine import db
from portal.database.models import User
from portal.history.sync.state import DetailRank
from tests.history.lines import WORKFLOW, an_id, workflow_line
from tests.history.sync.conftest import Adding, Mirroring, Portal, run

STEPS = [
    {"node_id": "script", "node_type": "source_script", "status": "completed", "name": "Script"},
    {"node_id": "voice", "node_type": "operator_generator", "status": "failed", "error": "No voice."},
    {
        "node_id": "voice",
        "node_type": "operator_generator",
        "status": "completed",
        "iteration": 2,
        "result": {"lines": 3},
        "active_ports": ["out"],
        "locales": ["de-DE"],
    },
]
SNAPSHOT = {"graph": {"nodes": [], "edges": []}, "execution": {"steps": [], "params": {"a": 1}}}


def path(number: int, rest: str = "") -> str:
    return f"/workflows/{WORKFLOW}/runs/{an_id(f'run {number}')}{rest}"


def detailed(portal: Portal) -> set[int]:
    """The runs that have steps."""
    rows = portal.pages(f"/workflows/{WORKFLOW}/runs")
    return {row["run_number"] for row in rows if portal.ask(path(row["run_number"], "/steps"))["data"]}


@pytest.mark.slow
def test_details_are_those_of_the_source(adding: Adding, here: Portal, there: Portal) -> None:
    rich = {
        "definition_snapshot": SNAPSHOT,
        "token_cost": 9,
        "output_line_count": 3,
        "delivered_audio_ms": 1500,
    }
    there.take(workflow_line(), run(1, "failed", error="It broke.", steps=STEPS, **rich), run(2))
    summary = adding(details=10)()
    assert summary.details == 2
    ours, theirs = here.ask(path(1))["data"], there.ask(path(1))["data"]
    assert ours.pop("x_portal")["source"].startswith("onepin:")
    assert ours == theirs
    steps, expected = (
        [
            {name: value for name, value in step.items() if name != "id"}
            for step in portal.ask(path(1, "/steps?include_result=true"))["data"]
        ]
        for portal in (here, there)
    )
    assert steps == expected
    assert here.runs() == there.runs()


@pytest.mark.slow
def test_failed_runs_come_first_and_the_budget_is_for_an_hour(
    adding: Adding, here: Portal, there: Portal
) -> None:
    statuses = ("completed", "failed", "completed", "failed", "completed")
    there.take(
        workflow_line(), *(run(number, status, steps=STEPS) for number, status in enumerate(statuses, 1))
    )
    mirror: Mirroring = adding(details=3)
    assert mirror().details == 3
    assert detailed(here) == {2, 4, 5}
    assert mirror().details == 0


@pytest.mark.slow
def test_a_run_that_somebody_opens_is_next_and_no_page_waits(
    mirror: Mirroring, here: Portal, there: Portal, sign_in: Callable[[User], FlaskClient]
) -> None:
    there.take(workflow_line(), *(run(number, steps=STEPS) for number in range(1, 4)))
    asked = mirror().requests
    browser = sign_in(db.session.scalars(sa.select(User)).one())
    assert "have not been copied" in browser.get(path(2)).text
    assert here.rows()[an_id("run 2")].detail_rank == DetailRank.OPENED
    summary = mirror(only_opened=True)
    assert (summary.details, summary.requests) == (1, 2)
    assert asked > 2
    assert detailed(here) == {2}
    assert "have not been copied" not in browser.get(path(2)).text


@pytest.mark.slow
def test_the_page_of_a_run_says_that_it_is_gone_there(
    mirror: Mirroring, there: Portal, sign_in: Callable[[User], FlaskClient]
) -> None:
    there.take(workflow_line(), run(1), run(2))
    mirror()
    browser = sign_in(db.session.scalars(sa.select(User)).one())
    before = browser.get(path(1))
    there.delete(an_id("run 1"))
    mirror()
    after = browser.get(path(1), headers={"If-None-Match": before.headers["ETag"]})
    assert "was deleted at" in after.text


@pytest.mark.slow
def test_a_list_does_not_take_the_steps_away_again(adding: Adding, here: Portal, there: Portal) -> None:
    there.take(workflow_line(), run(1, "running", steps=STEPS[:1]))
    mirror = adding(details=5)
    mirror()
    there.take(run(1, "failed", steps=STEPS, error="It broke."))
    mirror()
    mirror(full=True)
    assert len(here.ask(path(1, "/steps"))["data"]) == 3
    assert here.ask(path(1))["data"]["error"] == "It broke."
