"""What is exported as JSON Lines and imported into an installation without history is the same again."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.auth.access import operators_workspace
from portal.database.columns import Base
from portal.database.engine import db
from portal.database.models import User, Workflow, Workspace
from portal.database.transactions import writing
from portal.history import identity
from portal.history.demo.sample import USER_EMAIL, install_demo
from portal.history.export.export import Export, ExportFormat
from portal.history.importer import import_files
from portal.runs.query import RunQuery
from portal.runs.statuses import STATUSES
from tests.api.conftest import Api
from tests.api.running import to_state
from tests.factories import NOON, make_key, make_workspace
from tests.history.lines import WORKFLOW, an_id, empty, run_line, workflow_line, write
from tests.history.merging.lines import lines

Rows = dict[Any, dict[str, Any]]

KEYS = {
    "workflows": ("id",),
    "people": ("user_id",),
    "runs": ("id",),
    "run_details": ("run_id",),
    "run_results": ("run_id",),
    "steps": ("run_id", "position"),
    "step_results": ("run_id", "position"),
}
NOT_CARRIED = {
    "workflows": "user_id name_source version change_stamp updated_at next_run_number current_version",
    "people": "id",
    "runs": "person_id imported by_engine workflow_version said as_of import_digest arrived_in",
    "run_details": "provenance",
    "steps": "said provenance",
}
"""Columns that say how something came here, not what it is."""
FACTS = {
    "source": "github:acme/web",
    "external_id": "77",
    "attempt": 2,
    "title": "=Fix \u0131\u00df",
    "labels": {"os": "linux", "n": 2, "big": 2**70, "odd": [1]},
    "trigger": "event",
    "trigger_name": "push",
    "outcome": "timed_out",
    "source_status": "TIMED OUT",
    "url": "https://ci.example/77",
    "log_url": "https://ci.example/77/log",
    "ref": {"branch": "main", "commit": "abc", "odd": 1},
    "parent": {"external_id": "70", "step": "deploy"},
    "parameters": {"a": None},
    "environment": "production",
    "waiting_for": "a runner",
    "scheduled_for": "2026-03-01T13:00:00+01:00",
    "last_heard_at": "2026-03-01T12:30:00Z",
    "expires_after": 60,
    "duration_ms": 1234,
    "artifacts": [{"name": "report", "url": "https://ci.example/r", "expires_at": "2026-04-01T00:00:00Z"}],
    "triggered_by": {"id": 7, "name": "Ada", "email": "ada@x.example", "kind": "bot", "team": "web"},
    "usage_summary": {"cpu_seconds": 12.5},
    "error": "exit 1",
    "credits": 3,
    "token_cost": 9,
    "credits_absorbed": 0.5,
    "held_nodes": [{"node_id": "a", "locales": ["de-DE"]}],
    "paused_ms": 5,
    "pause_reason": "user",
    "definition_snapshot": {"graph": {"nodes": []}},
    "unknown": {"kept": [True, 1, 1.5]},
    "cleared": None,
    "steps": [
        {"node_id": "a", "status": "failed", "error": "boom", "exit_code": 1, "path": ["x"], "worker": "w"},
        {"node_id": "a", "status": "completed", "iteration": 2, "map_index": 3, "result": {"n": 1}},
        {"node_id": "b", "status": "completed", "name": "B", "result": "text", "active_ports": ["out"]},
    ],
}


def in_ci(external_id: str, **fields: Any) -> dict[str, Any]:
    """A run that its source names, with its workflow."""
    named = {"id": None, "workflow_id": None, "source": "ci", "external_id": external_id}
    return run_line("in ci", **(named | fields))


def stored() -> dict[str, Rows]:
    """What the format carries, by table and key; an empty row beside another is none."""
    found: dict[str, Rows] = {}
    with db.engine.connect() as connection:
        for name, keys in KEYS.items():
            table, left_out = Base.metadata.tables[name], NOT_CARRIED.get(name, "").split()
            columns = [column for column in table.columns if column.name not in left_out]
            rows = [dict(row) for row in connection.execute(sa.select(*columns)).mappings()]
            found[name] = {tuple(row[key] for key in keys): _comparable(row) for row in rows}
        people = sa.text("SELECT runs.id, user_id FROM runs LEFT JOIN people ON people.id = runs.person_id")
        found["triggered_by"] = {row[0]: {"user_id": row[1]} for row in connection.execute(people)}
    named = {row["user_id"] for row in found["triggered_by"].values()}  # an export speaks of runs
    found["people"] = {key: row for key, row in found["people"].items() if key[0] in named}
    for name in ("run_details", "run_results", "step_results"):
        found[name] = {key: row for key, row in found[name].items() if len(row) > len(KEYS[name])}
    return found


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    if row.get("source_id") == str(row.get("user_id")):
        row["source_id"] = None  # a user of this portal, whom lines name by id
    source = dict(row.get("source") or {})
    source.pop("run_number", None)  # another one than the run has
    if isinstance(given := source.pop("triggered_by", None), dict) and given.keys() - {
        "id",
        "name",
        "email",
        "kind",
    }:
        source["triggered_by"] = given
    known = {name: value for name, value in row.items() if value is not None and name != "source"}
    return known | ({"source": source} if source else {})


def exported(workspace: Workspace, *, steps: bool = True, emails: bool = True) -> bytes:
    export = Export(
        seen=operators_workspace(workspace.id),
        query=RunQuery(),
        format=ExportFormat(format="jsonl", steps=steps, emails=emails),
    )
    return b"".join(export.pieces())


def brought_in(workspace: Workspace, content: bytes, tmp_path: Path) -> None:
    file = write(tmp_path / "exported.jsonl", content.rstrip(b"\n"))
    summary = import_files(workspace.id, [file], now=NOON)
    assert summary.ok, summary.to_text()


def answers(api: Api, most: int = 100) -> dict[str, Any]:
    """What the API says of workflows, and of the first runs of each with their steps."""
    found: dict[str, Any] = {}
    for workflow in api.get("/workflows?limit=100").get_json()["data"]:
        path = f"/workflows/{workflow['id']}"
        found[path] = api.get(path).get_json()["data"]
        for run in api.get(f"{path}/runs?limit={most}").get_json()["data"]:
            its_path = f"{path}/runs/{run['id']}"
            found[its_path] = run, api.get(its_path).get_json()["data"]
            found[f"{its_path}/steps"] = api.get(f"{its_path}/steps?include_result=true").get_json()["data"]
    return found


def without_arrival(said: dict[str, Any]) -> dict[str, Any]:
    """Without when a workflow came here, and who made it."""
    of_arrival = {"updated_at", "user_id"}
    return {
        path: each if "/runs/" in path else {name: each[name] for name in each.keys() - of_arrival}
        for path, each in said.items()
    }


def test_facts_of_every_kind_come_back(api: Api, tmp_path: Path) -> None:
    write_in = write(
        tmp_path / "runs.jsonl",
        workflow_line(description="Nightly", expected={"cron": "0 2 * * *", "zone": "UTC"}, team="web"),
        run_line("plain"),
        run_line("facts", id=None, **FACTS),
        in_ci("1", workflow={"name": "Made by name"}, triggered_by={"email": "bob@x.example"}),
        {"type": "workflow", "source": "ci", "external_id": "w7", "name": "W", "url": "https://ci.example"},
        in_ci("2", workflow={"name": "W", "external_id": "w7"}, triggered_by={"name": "Cy"}, status="paused"),
    )  # fmt: skip
    assert import_files(api.workspace.id, [write_in], now=NOON).ok
    before, said = stored(), answers(api)
    content = exported(api.workspace)
    empty()
    brought_in(api.workspace, content, tmp_path)
    assert stored() == before
    assert without_arrival(answers(api)) == without_arrival(said)
    assert exported(api.workspace) == content


@pytest.mark.slow
def test_the_demo_comes_back(app: Flask, tmp_path: Path) -> None:
    install_demo(NOON)
    workspace = db.session.scalars(sa.select(Workspace)).one()
    user = db.session.scalars(sa.select(User).where(User.email == USER_EMAIL)).one()
    api = Api(app, workspace, user, make_key(workspace, user))
    before, said = stored(), answers(api, most=5)
    content = exported(workspace)
    empty()
    brought_in(workspace, content, tmp_path)
    assert stored() == before
    assert without_files(answers(api, most=5)) == without_files(said)


def without_files(said: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on stored files and output lines, which an export leaves out."""
    found = without_arrival(said)
    for path, each in found.items():
        if "/runs/" in path and not path.endswith("/steps"):
            row, run = each
            found[path] = (row, {name: value for name, value in run.items() if name != "has_export"})
    return found


@pytest.mark.slow
def test_runs_of_the_engine_come_back_as_history(api: Api, tmp_path: Path) -> None:
    api = api.with_key(make_key(api.workspace, api.user, ("workflows:read", "workflows:run")))
    for status in STATUSES:
        to_state(api, status)
    before, said = stored(), answers(api)
    content = exported(api.workspace)
    remove_runs_of_the_engine()
    brought_in(api.workspace, content, tmp_path)
    assert stored() == before
    assert without_files(answers(api)) == without_files(said)


def remove_runs_of_the_engine() -> None:
    with writing() as session:
        for name in ("engine_claims", "engine_runs", "run_events", "credit_entries"):
            session.execute(Base.metadata.tables[name].delete())
    empty()


@pytest.mark.slow
@settings(max_examples=60)
@given(told=st.lists(lines(replacing=False), min_size=1, max_size=4))
def test_what_several_lines_said_comes_back_as_one_line(app: Flask, tmp_path: Path, told: list[Any]) -> None:
    workspace = db.session.scalars(sa.select(Workspace)).first() or make_workspace()
    file = write(tmp_path / "runs.jsonl", workflow_line(), *told)
    empty()
    import_files(workspace.id, [file], now=NOON)
    before = stored()
    content = exported(workspace)
    empty()
    brought_in(workspace, content, tmp_path)
    assert stored() == before


def test_what_a_source_names_keeps_its_identity_in_another_workspace(app: Flask, tmp_path: Path) -> None:
    first, second = make_workspace("one"), make_workspace("two")
    ours, theirs = {"source": "ci", "external_id": "w"}, {"source": "other"}
    file = write(
        tmp_path / "runs.jsonl",
        {"type": "workflow", **ours, "name": "Nightly"},
        {"type": "workflow", **theirs, "name": "Known by name"},
        workflow_line(),
        in_ci("7", attempt=2, workflow={"name": "Nightly", "external_id": "w"}),
        in_ci("8", source="else", workflow={"name": "Known by name", "source": "other"}),
        run_line("c", parent={"external_id": "7", "source": "ci", "attempt": 2}),
    )  # fmt: skip
    assert import_files(first.id, [file], now=NOON).ok
    content = exported(first)
    empty()
    brought_in(second, content, tmp_path)
    w, n = (
        identity.workflow_id(second.id, "ci", "w"),
        identity.workflow_id(second.id, "other", "Known by name"),
    )
    a, b = identity.run_id(second.id, "ci", "7", 2), identity.run_id(second.id, "else", "8")
    found = stored()
    assert {key: row["workflow_id"] for (key,), row in found["runs"].items()} == {
        a: w,
        b: n,
        UUID(an_id("c")): UUID(WORKFLOW),
    }
    assert found["runs"][(UUID(an_id("c")),)]["parent_id"] == a
    assert {row["name"] for row in found["workflows"].values()} == {"Nightly", "Known by name", "Nightly dub"}


def test_a_workflow_that_was_renamed_here_stays_the_one_of_its_runs(app: Flask, tmp_path: Path) -> None:
    workspace = make_workspace()
    named = in_ci("7", workflow={"name": "Old"})
    assert import_files(workspace.id, [write(tmp_path / "runs.jsonl", named)], now=NOON).ok
    with writing() as session:
        session.execute(sa.update(Workflow).values(name="New", name_folded="new"))
    before = stored()
    content = exported(workspace)
    empty()
    brought_in(workspace, content, tmp_path)
    assert stored() == before


def test_without_addresses_the_same_people_have_triggered_the_runs(api: Api, tmp_path: Path) -> None:
    people = [
        {"id": "7", "name": "Ada", "email": "ada@x.example", "team": "web"},
        {"email": "bob@x.example", "name": "Bob"},
        {"name": "Cy"},
        {"id": an_id("dan"), "name": "Dan", "kind": "system"},
        {"id": "8"},
    ]
    made = [run_line(str(number), triggered_by=person) for number, person in enumerate(people)]
    assert import_files(api.workspace.id, [write(tmp_path / "r", workflow_line(), *made)], now=NOON).ok
    before, said = stored()["triggered_by"], answers(api)
    content = exported(api.workspace, emails=False)
    assert b"@x.example" not in content
    empty()
    brought_in(api.workspace, content, tmp_path)
    assert stored()["triggered_by"] == before
    assert without_arrival(answers(api)) == without_arrival(said)


def test_steps_and_definitions_are_left_out_unless_asked_for(api: Api, tmp_path: Path) -> None:
    file = write(tmp_path / "r", workflow_line(), run_line("facts", **FACTS, id=an_id("facts")))
    assert import_files(api.workspace.id, [file], now=NOON).ok
    content = exported(api.workspace, steps=False)
    assert b'"steps":[{' not in content
    assert b"definition_snapshot" not in content
    empty()
    brought_in(api.workspace, content, tmp_path)
    [run] = stored()["runs"].values()
    assert (run["total_steps"], run["finished_steps"]) == (3, 3)
