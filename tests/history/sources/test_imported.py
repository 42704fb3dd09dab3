"""Every sample goes in with no line lost, and API and page show what its source says."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from portal.database.engine import db
from portal.database.models import Run, User, Workflow, Workspace
from portal.history import identity
from portal.history.importer import import_files
from portal.history.summary import ImportSummary
from portal.runs.facts.outcomes import outcome_word
from tests.factories import NOON, make_key, make_member, make_user, make_workspace
from tests.history.sources.expected import RECORDINGS, SAMPLES
from tests.history.sources.expected import Run as Expected
from tests.history.sources.reading import HERE, reading
from tests.history.sources.test_github import a_run
from tests.history.sources.test_samples import files_of
from tests.pages.conftest import parsed

SignIn = Callable[[User], FlaskClient]
RUNNING = "running"
"""The status of a run that is known from its steps only."""


def bring_in(workspace: Workspace, system: str, files: Sequence[Path]) -> ImportSummary:
    return import_files(workspace.id, files, now=NOON, reading=reading(system))


def check(app: Flask, sign_in: SignIn, folder: Path, table: Mapping[str, Sequence[Expected]]) -> None:
    """Bring each sample into a workspace of its own, twice, and look at it as people and scripts do."""
    user = make_user()
    for number, (sample, expected) in enumerate(table.items()):
        system, files = files_of(folder, sample)
        workspace = make_workspace(f"team-{number}", sample)
        make_member(workspace, user)
        first, again = (bring_in(workspace, system, files) for _ in range(2))
        assert first.ok, (sample, first.to_json()["bad"])
        assert (first.total.bad_lines, first.total.runs_new) == (0, len(expected)), sample
        assert (again.total.runs_new, again.total.runs_updated) == (0, 0), sample
        assert shown(app, sign_in(user), workspace, make_key(workspace, user)) == sorted(
            ((run.workflow, run.status or RUNNING, run.outcome, run.steps) for run in expected), key=str
        ), sample


def shown(
    app: Flask, browser: FlaskClient, workspace: Workspace, key: str
) -> list[tuple[str, str, str | None, int]]:
    """Workflow, status, outcome and number of steps of every run by the API; each run has its page."""
    client, headers = app.test_client(), {"Authorization": f"Bearer {key}"}
    runs = sa.select(Run.id, Run.workflow_id, Workflow.name).join(Workflow)
    found = []
    for run_id, workflow_id, name in db.session.execute(runs.where(Workflow.workspace_id == workspace.id)):
        path = f"/workflows/{workflow_id}/runs/{run_id}"
        run = client.get(f"/api/v1{path}", headers=headers).get_json()["data"]
        steps = client.get(f"/api/v1{path}/steps", headers=headers).get_json()["data"]
        facts, status = run["x_portal"], run["status"]
        page = parsed(browser.get(path)).get_text(" ")
        told = [facts["source"], facts["external_id"], facts.get("source_status", "")]
        told.append(outcome_word(status, facts.get("outcome")) or status.capitalize())
        assert [each for each in told if each not in page] == []
        found.append((name, status, facts.get("outcome"), len(steps)))
    return sorted(found, key=str)


def test_every_sample_is_shown_as_its_source_says(app: Flask, sign_in: SignIn, history: Path) -> None:
    check(app, sign_in, history / "sources", SAMPLES)


@pytest.mark.slow
def test_every_recording_is_shown_as_it_was_run(app: Flask, sign_in: SignIn) -> None:
    check(app, sign_in, HERE, RECORDINGS)


def test_runs_by_two_ways_are_one_run(app: Flask, history: Path) -> None:
    """Events before and after the answer of the API, and jobs before their run."""
    folder, workspace = history / "sources" / "github", make_workspace()
    events = sorted(folder.glob("webhook-workflow_run.*"))
    assert bring_in(workspace, "github", [*events, *reversed(events)]).ok
    assert db.session.scalars(sa.select(Run.status)).all() == ["completed"]


def test_a_second_attempt_is_a_run_of_its_own_that_leads_to_the_first(app: Flask, tmp_path: Path) -> None:
    workspace, file = make_workspace(), tmp_path / "runs.json"
    file.write_text("\n".join(json.dumps(a_run(run_attempt=number)) for number in (2, 1)))
    assert bring_in(workspace, "github", [file]).ok
    first, second = (
        identity.run_id(workspace.id, "github:acme/web", "3770390952", number) for number in (1, 2)
    )
    found = db.session.execute(sa.select(Run.id, Run.rerun_of_id)).all()
    assert {(run, original) for run, original in found} == {(first, None), (second, first)}


def test_the_subflow_of_a_run_leads_to_its_parent(app: Flask) -> None:
    workspace = make_workspace()
    files = [HERE / "prefect" / f"{name}.json" for name in ("flows", "flow_runs", "task_runs")]
    assert bring_in(workspace, "prefect", files).ok
    parents: Sequence[UUID | None] = db.session.scalars(
        sa.select(Run.parent_id).join(Workflow).where(Workflow.name == "publish")
    ).all()
    assert parents == [
        identity.run_id(workspace.id, "prefect", "2a6bc02c-efda-4ffe-8b03-1e5e7a24f829"),
    ]
