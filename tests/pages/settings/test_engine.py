"""The page of the engine: what admins learn of workers, runs that wait and node types."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from portal import moments
from portal.config import Settings, settings_of
from portal.database.models import Workspace
from tests.factories import make_engine_run, make_worker, make_workflow, make_workspace
from tests.pages.conftest import text_of
from tests.pages.settings.conftest import Visitor
from tests.statements import statements


def shown(admin: Visitor) -> str:
    return text_of(admin.soup("engine"))


def test_without_a_worker_the_page_says_how_to_start_one(admin: Visitor) -> None:
    text = shown(admin)
    assert "No worker is running" in text
    assert "flask worker" in text
    assert "Node types" not in text
    assert "Waiting runs of this workspace None." in text


@pytest.fixture
def off(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: Settings = settings_of(app)
    engine_off = replace(settings.engine, enabled=False)
    monkeypatch.setitem(app.extensions, "portal.settings", replace(settings, engine=engine_off))


def test_an_engine_that_is_off_says_so(admin: Visitor, off: None) -> None:
    text = shown(admin)
    assert "The engine is off" in text
    assert "No worker is running" not in text


def test_workers_are_listed_with_what_they_can_do(admin: Visitor) -> None:
    able = {"unavailable": None}
    abilities = {"sink_preview": able, "operator_translator": {"unavailable": "No provider is set up."}}
    make_worker("a", abilities=abilities)
    make_worker("b", host="host-b", draining=True, version="0001", abilities=abilities)
    make_worker("c", host="host-dead", silent=3600)
    page = admin.soup("engine")
    workers, types = page.select("table")
    rows = [text_of(row) for row in workers.select("tbody tr")]
    assert [row.split()[0] for row in rows] == ["host-a", "host-b"]
    assert rows[0].endswith("As this server Working")
    assert rows[1].endswith("Another: migration 0001 Stopping")
    said = [text_of(row) for row in types.select("tbody tr")]
    assert any(row.endswith("operator_translator No provider is set up.") for row in said)
    assert any(row.endswith("sink_preview Yes") for row in said)
    assert "No worker is running" not in page.text


def test_only_the_workspaces_own_runs_are_named(admin: Visitor, workspace: Workspace) -> None:
    ours = make_workflow(workspace, "Our dub")
    theirs = make_workflow(make_workspace("other", "Other"), "Their dub")
    long_ago = moments.now() - timedelta(hours=1)
    for workflow in (ours, theirs):
        make_engine_run(workflow, run_number=7, created_at=long_ago, updated_at=long_ago)
    page = admin.soup("engine")
    [waiting] = page.select("table")
    assert [text_of(row).split(" 1")[0] for row in waiting.select("tbody th")] == ["Our dub #7"]
    assert "Over ten minutes" in waiting.text
    assert "Their dub" not in page.text
    queue = [text_of(fact) for fact in page.select("section.facts dl div")]
    assert any(fact.replace(" ", "") == "Pendingruns2" for fact in queue)


def test_other_roles_do_not_see_it(visit: Callable[..., Visitor]) -> None:
    for role in ("editor", "viewer"):
        visitor = visit(role, f"{role}@acme.example")
        assert visitor.get("engine").status_code == 403
        assert "/engine" not in visitor.get("members").text


@pytest.mark.slow
def test_the_page_takes_the_same_statements_whatever_waits(admin: Visitor, workspace: Workspace) -> None:
    workflow = make_workflow(workspace)
    numbers = []
    for batch in range(2):
        admin.get("engine")
        with statements() as asked:
            admin.get("engine")
        numbers.append(len([each for each in asked if each.text.startswith("SELECT")]))
        for number in range(30):
            make_engine_run(workflow)
            make_worker(f"{batch}-{number}")
    assert numbers[0] == numbers[1]
    assert len(admin.soup("engine").select("table")[1].select("tbody tr")) == 20
