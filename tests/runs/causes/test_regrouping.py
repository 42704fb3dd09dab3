"""Grouping anew: after an upgrade, and with other rules than those that made the causes."""

import json

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import Cause, Run, Workflow
from portal.database.transactions import writing
from portal.runs.causes import drift
from portal.runs.causes.lasting import LastingFailures
from portal.runs.recording.causes import regrouping
from portal.runs.recording.causes.regrouping import Regrouped, regroup_all
from tests.factories import NOON, make_run, make_runs, make_steps, make_workflow, make_workspace


@pytest.fixture
def workflow(app: Flask) -> Workflow:
    return make_workflow(make_workspace())


def use_rules(patch: pytest.MonkeyPatch, words: int) -> None:
    """Rules by which only the first words of an error matter."""

    def first_words(error: str | None, failures: LastingFailures) -> str:
        return " ".join((error or "").split()[:words])

    patch.setattr(regrouping, "fingerprint", first_words)


def causes() -> dict[str, Cause]:
    db.session.rollback()
    return {cause.text: cause for cause in db.session.scalars(sa.select(Cause))}


def note(text: str, **columns: object) -> None:
    with writing() as session:
        session.execute(sa.update(Cause).where(Cause.text == text).values(**columns))


def test_runs_that_failed_before_the_upgrade_get_lines_and_causes(workflow: Workflow) -> None:
    make_runs(workflow, [{"status": "failed", "error": f"take {n} is silent"} for n in range(3)])
    make_steps(make_run(workflow, status="failed"), {"name": "Lint", "status": "failed"})
    make_run(workflow)
    with writing() as session:
        session.execute(sa.update(Run).values(cause_id=None, why=None))
        session.execute(sa.delete(Cause))
    assert regroup_all() == Regrouped(runs=4, changed=4, causes=2)
    assert {text: cause.failed for text, cause in causes().items()} == {
        "take … is silent": 3,
        "Failed steps: Lint": 1,
    }
    assert db.session.scalars(sa.select(Run.why).where(Run.why.is_not(None))).all() == ["1 step failed: Lint"]
    assert drift.find_drift(db.session()) == []
    assert regroup_all() == Regrouped(runs=4, changed=0, causes=2)


def test_many_runs_are_read_a_few_at_a_time(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    make_runs(workflow, [{"status": "failed", "error": f"e{n % 3}x"} for n in range(11)])
    monkeypatch.setattr(regrouping, "RUNS_AT_ONCE", 2)
    assert regroup_all().runs == 11


def test_what_was_noted_goes_where_most_runs_go(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = ["no voice here"] * 3 + ["no voice there"] * 2 + ["no network"]
    make_runs(workflow, [{"status": "failed", "error": error} for error in errors])
    note("no voice here", note="ask Grace", noted_at=NOON, muted_at=NOON)
    note("no voice there", note="ask Ada", noted_at=NOON)
    use_rules(monkeypatch, 2)
    assert regroup_all() == Regrouped(runs=6, changed=5, causes=2, merged=2)
    found = causes()
    merged = found["no voice"]
    assert (merged.failed, merged.note, merged.muted_at) == (5, "ask Grace", NOON)
    assert {found[f"no voice {each}"].merged_into for each in ("here", "there")} == {merged.id}
    assert found["no network"].merged_into is None
    use_rules(monkeypatch, 1)
    regroup_all()
    found = causes()
    assert {cause.merged_into for cause in found.values()} == {None, found["no"].id}
    assert (found["no"].failed, found["no"].note) == (6, "ask Grace")
    assert drift.find_drift(db.session()) == []


def test_a_cause_that_rules_divide_leads_to_its_larger_part(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_rules(monkeypatch, 1)
    make_runs(workflow, [{"status": "failed", "error": error} for error in ("no a", "no b", "no b")])
    regroup_all()
    monkeypatch.undo()
    regroup_all()
    found = causes()
    assert found["no"].merged_into == found["no b"].id
    assert (found["no"].failed, found["no"].last_at) == (0, None)
    use_rules(monkeypatch, 1)
    regroup_all()
    assert causes()["no"].merged_into is None


def test_older_rules_are_drift_until_the_command_has_run(app: Flask, workflow: Workflow) -> None:
    make_run(workflow, status="failed", error="no voice")
    note("no voice", version=0)
    assert drift.find_drift(db.session()) == ["1 cause of other rules than those of this release"]
    answer = app.test_cli_runner().invoke(args=["failures", "regroup", "--json"])
    assert json.loads(answer.output) == {"runs": 1, "changed": 0, "causes": 1, "merged": 0}
    assert drift.find_drift(db.session()) == []
    answer = app.test_cli_runner().invoke(args=["failures", "regroup"])
    assert answer.output == "Grouped 1 failed runs by 1 causes; 0 runs changed.\n"


def test_a_repair_groups_anew_where_something_is_wrong(app: Flask, workflow: Workflow) -> None:
    make_run(workflow, status="failed", error="no voice")
    check = app.test_cli_runner().invoke(args=["check", "--repair"])
    assert "Grouped" not in check.output
    with writing() as session:
        session.execute(sa.update(Run).values(cause_id=None))
    check = app.test_cli_runner().invoke(args=["check", "--repair"])
    assert "ok  causes of failures: as recounted\n" in check.output
    assert "Grouped the failed runs anew.\n" in check.output
