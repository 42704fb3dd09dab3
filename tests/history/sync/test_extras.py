"""What another portal says beyond the contract, and what is an event here."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Run, RunDetail, RunEvent
from portal.moments import format_moment
from tests.history.lines import an_id, workflow_line
from tests.history.sync.bad_network import BadNetwork
from tests.history.sync.conftest import Mirroring, Portal, run

SAID = {
    "source": "github:acme/web",
    "external_id": "77",
    "attempt": 2,
    "trigger": "schedule",
    "title": "Nightly",
    "labels": {"branch": "main"},
    "url": "https://github.example/acme/web/actions/runs/77",
    "unheard_of": 1,
}


def saying(network: BadNetwork, extra: Any) -> None:
    """Let each run of a list carry this."""

    def change(answer: Any) -> None:
        for row in answer["data"] if isinstance(answer["data"], list) else []:
            row["x_portal"] = extra

    network.change = change


def stored(here: Portal, number: int) -> tuple[Run, dict[str, Any]]:
    run_id = UUID(an_id(f"run {number}"))
    with here.app.app_context():
        found, detail = db.session.get_one(Run, run_id), db.session.get_one(RunDetail, run_id)
        return found, detail.source or {}


@pytest.mark.slow
def test_what_a_portal_says_beyond_the_contract_is_taken_along(
    far_mirror: Mirroring, network: BadNetwork, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), run(1))
    saying(network, SAID)
    far_mirror()
    found, facts = stored(here, 1)
    assert (found.source_system, found.trigger) == (far_mirror.row.source, "schedule")
    assert {name: facts[name] for name in ("title", "labels", "url")} == {
        name: SAID[name] for name in ("title", "labels", "url")
    }
    assert facts["origin"] == {"source": "github:acme/web", "external_id": "77", "attempt": 2}
    assert "unheard_of" not in facts
    assert here.runs() == there.runs()


@pytest.mark.parametrize("extra", [{"trigger": 5}, {"url": "javascript:alert(1)"}, [1], {"labels": "x"}])
@pytest.mark.slow
def test_a_run_is_copied_without_what_is_wrong_about_it(
    far_mirror: Mirroring, network: BadNetwork, here: Portal, there: Portal, extra: Any
) -> None:
    there.take(workflow_line(), run(1))
    saying(network, extra)
    summary = far_mirror()
    assert (summary.new, summary.refused.total()) == (1, 0)
    assert here.runs() == there.runs()


@pytest.mark.slow
def test_a_run_that_came_from_here_does_not_come_back(
    far_mirror: Mirroring, network: BadNetwork, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), run(1), run(2))
    saying(network, {"source": f"onepin:runs.example.com/{here.workspace_id}"})
    summary = far_mirror()
    assert summary.refused == {"It came from this workspace.": 2}
    assert here.runs() == {}


@pytest.mark.slow
def test_only_what_happens_now_is_an_event_here(mirror: Mirroring, here: Portal, there: Portal) -> None:
    now = format_moment(datetime.now(UTC))
    began = {"created_at": now, "started_at": now}
    there.take(workflow_line(), run(1), run(2, "running", **began))
    mirror()
    there.take(run(2, "failed", **began, completed_at=now))
    mirror()
    mirror()
    with here.app.app_context():
        events = db.session.execute(sa.select(RunEvent.run_id, RunEvent.to_status).order_by(RunEvent.id))
        told = [(str(run_id), status) for run_id, status in events]
    assert told == [(an_id("run 2"), "running"), (an_id("run 2"), "failed")]
