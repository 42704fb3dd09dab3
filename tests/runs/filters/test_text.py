"""Searching the texts of runs: kept by whatever writes them, the same with an index and without one."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.checks import database_check, doctor
from portal.database.engine import db
from portal.database.models import RunText, Workflow, Workspace
from portal.database.sql import text_index
from portal.database.transactions import writing
from portal.runs.listing import list_runs
from portal.runs.query import RunQuery
from portal.runs.recording import recorder
from portal.runs.recording.found_by import drift
from portal.runs.recording.state_machine import Event
from tests.factories import NOON, make_run, make_runs, make_workflow, make_workspace, seen
from tests.history.conftest import Import, load
from tests.history.lines import run_line, workflow_line
from tests.pages.conftest import Browser, browser, numbers, one, parsed
from tests.statements import statements

__all__ = ["browser", "load"]


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def workflow(workspace: Workspace) -> Workflow:
    return make_workflow(workspace)


def listed(workflow: Workflow, text: str) -> list[int]:
    query = RunQuery.parse({"text": text}, workflow_id=str(workflow.id))
    page = list_runs(seen(workflow), query)
    assert page.total == len(page.rows)
    return sorted(row.run_number for row in page.rows)


def texts() -> list[str]:
    db.session.rollback()
    return sorted(db.session.scalars(sa.select(RunText.text)))


def titled(*titles: str) -> list[dict[str, object]]:
    return [{"run_number": n, "source": {"title": title}} for n, title in enumerate(titles, start=1)]


def lose_the_index() -> None:
    """As where there is neither FTS5 with trigrams nor the extension."""
    with writing() as session:
        if db.engine.dialect.name == "sqlite":
            for name in ("inserted", "deleted"):
                session.execute(sa.text(f"DROP TRIGGER run_texts_{name}"))
            session.execute(sa.text(f"DROP TABLE {text_index.TABLE}"))
        else:
            session.execute(sa.text(f"DROP INDEX {text_index.POSTGRES_INDEX}"))
    text_index.look_again(db.engine)


@pytest.fixture
def without_index(app: Flask) -> Iterator[None]:
    lose_the_index()
    yield
    with writing() as session:
        assert text_index.create(session.connection())


def test_a_failure_is_found_by_its_error_as_soon_as_it_is_recorded(workflow: Workflow) -> None:
    run = recorder.start_run(workflow.id, now=NOON)
    recorder.apply_event(run.id, Event.PICK_UP, NOON)
    assert texts() == []
    recorder.apply_event(run.id, Event.FAIL, NOON, error="Connection TIMEOUT")
    assert texts() == ["connection timeout"]
    assert listed(workflow, "Timeout") == [1]
    assert not drift.find_drift(db.session())


def test_lines_that_meet_change_the_text(load: Import, workspace: Workspace) -> None:
    load(workflow_line(), run_line(at="2026-03-01T12:00:00Z", title="First", error="Timeout"))
    assert texts() == ["first\x1etimeout"]
    load(run_line(at="2026-03-01T13:00:00Z", title="Second", ref={"branch": "main", "commit": "CAFE"}))
    assert texts() == ["second\x1emain\x1ecafe\x1etimeout"]
    load(run_line(at="2026-03-01T14:00:00Z") | {"title": None, "ref": None, "error": None})
    assert texts() == []
    assert not drift.find_drift(db.session())


def test_texts_and_their_index_go_with_the_run(workflow: Workflow) -> None:
    gone, _ = make_runs(workflow, titled("nightly one", "nightly two"))
    with writing() as session:
        recorder.delete_runs(session, workflow.id, [gone.id])
        assert text_index.is_whole(session.connection())
    assert texts() == ["nightly two"]
    assert listed(workflow, "nightly") == [2]


def test_a_run_without_any_text_has_no_row(workflow: Workflow) -> None:
    make_runs(workflow, [{"source": {"title": "", "labels": {"a": "", "b": []}, "ref": {}}}, {}])
    assert texts() == []


def test_other_workflows_are_not_found(workspace: Workspace, workflow: Workflow) -> None:
    make_runs(make_workflow(workspace, "Other"), [{"run_number": 123, "source": {"title": "nightly"}}])
    assert listed(workflow, "nightly") == listed(workflow, "123") == []


def test_a_number_is_found_with_its_sign_and_without(workflow: Workflow) -> None:
    make_run(workflow, run_number=1199)
    make_runs(workflow, [{"run_number": 5, "source": {"title": "like 1199"}}])
    assert listed(workflow, "1199") == [5, 1199]
    assert listed(workflow, "#1199") == [1199]
    assert listed(workflow, "119") == [5]
    assert listed(workflow, "0" * 3 + "5") == [5]
    assert listed(workflow, "9" * 40) == listed(workflow, "١١٩٩") == listed(workflow, "##5") == []


def test_a_text_of_many_trigrams_is_found_whole_only(workflow: Workflow) -> None:
    long = "".join(chr(ord("a") + number * 7 % 26) + str(number) for number in range(40))[:100]
    make_runs(workflow, titled(f"x{long}y", f"{long[:50]} {long[50:]}"))
    assert listed(workflow, long) == [1]
    assert listed(workflow, long[:50]) == [1, 2]


@pytest.mark.usefixtures("without_index")
def test_without_an_index_the_answers_are_the_same(workflow: Workflow) -> None:
    make_runs(workflow, titled("Nightly ÉCOLE", "100%_\\", "daily"))
    assert listed(workflow, "école") == [1]
    assert listed(workflow, "0%_\\") == [2]
    assert listed(workflow, "ly ") == [1]
    [found] = [each for each in doctor.examine() if each.check == "text search"]
    assert found.level == "note"
    assert found.detail.startswith("slow: every text is read.")
    assert found.detail.endswith("run: flask check --repair")


def test_a_repair_makes_an_index_that_is_missing(workflow: Workflow) -> None:
    make_runs(workflow, titled("nightly"))
    lose_the_index()
    make_runs(workflow, [{"run_number": 2, "source": {"title": "nightly too"}}])
    assert database_check.repair_counts() == []
    text_index.look_again(db.engine)
    assert listed(workflow, "nightly") == [1, 2]
    [found] = [each for each in doctor.examine() if each.check == "text search"]
    assert (found.level, found.detail) == ("ok", "indexed")
    with statements() as asked:
        listed(workflow, "nightly")
    if db.engine.dialect.name == "sqlite":
        assert any("MATCH" in statement for statement, _ in asked)


def test_a_check_finds_wrong_texts_and_repairs_them(workspace: Workspace, workflow: Workflow) -> None:
    wrong, gone, _ = make_runs(workflow, titled("nightly one", "nightly two", "nightly three"))
    [right] = make_runs(make_workflow(workspace, "Right"), titled("nightly"))
    with writing() as session:
        session.execute(sa.delete(RunText).where(RunText.run_id.in_([wrong.id, gone.id, right.id])))
        session.add(RunText(run_id=wrong.id, workflow_id=workflow.id, text="other"))
        session.add(RunText(run_id=right.id, workflow_id=right.workflow_id, text="nightly"))
    counts = [each for each in database_check.check_database() if each.check == "counts"]
    assert counts[0].detail == "wrong in Nightly dub: run_texts. Run: flask check --repair"
    assert database_check.repair_counts() == ["Nightly dub"]
    assert listed(workflow, "nightly") == [1, 2, 3]
    assert listed(workflow, "other") == []


def test_a_check_finds_a_damaged_index(workflow: Workflow) -> None:
    make_runs(workflow, titled("nightly"))
    if db.engine.dialect.name != "sqlite":
        return  # PostgreSQL keeps its own
    with writing() as session:
        session.execute(sa.text("INSERT INTO run_texts_index(rowid, text) VALUES (77, 'not there')"))
    [index] = [each for each in database_check.check_database() if each.check == "text index"]
    assert (index.ok, index.detail) == (False, "damaged. Run: flask check --repair")
    database_check.repair_counts()
    [index] = [each for each in database_check.check_database() if each.check == "text index"]
    assert index.ok


def test_the_field_keeps_the_text_and_says_what_is_too_short(browser: Browser) -> None:
    make_runs(browser.workflow, titled("Nightly dub", "daily"))
    page = browser.runs("text=NIGHTLY")
    assert numbers(page) == ["#1"]
    assert one(parsed(page), "#text")["value"] == "NIGHTLY"
    assert "open" not in one(parsed(page), "#more-filters").attrs
    refused = browser.runs("text=ab")
    assert refused.status_code == 422
    assert one(parsed(refused), "#text-error").text == "Text must be 3 to 100 characters."
    assert "“nothing”" in one(parsed(browser.runs("text=nothing")), ".facets").text
