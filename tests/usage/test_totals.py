"""Usage of a workspace: added up from counts, in any time zone the same as from the runs one by one."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade

from portal.database.engine import db
from portal.database.models import RunLanguage, Workflow, Workspace
from portal.database.transactions import writing
from portal.history.importer import import_lines
from portal.runs.filters.status import STATUSES
from portal.runs.recording import recorder
from portal.usage.languages import read_languages
from portal.usage.period import UsageQuery
from portal.usage.totals import Totals, add_up, totals_by_bucket
from tests.factories import make_run, make_runs, make_workflow, make_workspace
from tests.history.lines import WORKFLOW, encode, run_line, workflow_line

NOW = datetime(2026, 3, 30, 9, 17, tzinfo=UTC)
"""A day after clocks in Europe went forward."""
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Auckland", "America/St_Johns")


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


def expected(runs: Sequence[dict[str, Any]], start: datetime, end: datetime) -> dict[str, Any]:
    """Counted one by one."""
    within = [run for run in runs if start <= run["created_at"] < end]
    return {
        "runs": {status: sum(run["status"] == status for run in within) for status in STATUSES},
        "credits": sum(run["credits"] or 0 for run in within),
        "output_lines": sum(run["output_line_count"] or 0 for run in within),
        "delivered_audio_ms": sum(
            run["delivered_audio_ms"] for run in within if run["status"] == "completed"
        ),
    }


def said(totals: Totals) -> dict[str, Any]:
    return {
        "runs": dict(totals.runs),
        "credits": totals.credits,
        "output_lines": totals.output_lines,
        "delivered_audio_ms": totals.delivered_audio_ms,
    }


@pytest.mark.slow
def test_each_bucket_of_each_calendar_holds_exactly_its_runs(workspace: Workspace) -> None:
    chance = random.Random(7)
    made: list[dict[str, Any]] = []
    for workflow in (make_workflow(workspace), make_workflow(workspace, "Other")):
        rows = []
        for zone in ZONES:  # at the very edges of days, and anywhere
            for back in range(0, 400, 13):
                day = (NOW - timedelta(days=back)).astimezone(ZoneInfo(zone)).date()
                edge = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
                rows += [{"created_at": edge - timedelta(microseconds=early)} for early in (0, 1)]
        rows += [{"created_at": NOW - timedelta(minutes=chance.randrange(400 * 1440))} for _ in range(300)]
        rows = [
            row
            | {
                "status": chance.choice(STATUSES),
                "credits": chance.choice((None, 0, 3, 2**53 - 1)),
                "output_line_count": chance.choice((None, 2, 2**53 - 1)),
                "delivered_audio_ms": chance.randrange(10_000),
            }
            for row in rows
        ]
        make_runs(workflow, rows)
        made += rows
    make_run(make_workflow(make_workspace("other")), created_at=NOW)
    for zone in ZONES:
        for view, range_ in (("daily", "30d"), ("weekly", "60d"), ("monthly", "90d")):
            query = UsageQuery(range_, view, zone)
            for chart in (query.days(NOW), query.view_of(NOW)):
                found = totals_by_bucket(workspace.id, chart.buckets)
                wanted = [expected(made, bucket.start, bucket.end) for bucket in chart.buckets]
                assert [said(each) for each in found] == wanted, (zone, view)


def test_deleted_workflows_and_runs_in_progress_count(workspace: Workspace) -> None:
    workflow = make_workflow(workspace)
    make_run(workflow, created_at=NOW, credits=4, output_line_count=2)
    recorder.start_run(workflow.id, now=NOW)
    with writing() as session:
        session.get_one(Workflow, workflow.id).deleted_at = NOW
    found = add_up(totals_by_bucket(workspace.id, UsageQuery("30d", None, "UTC").days(NOW).buckets))
    assert (found.total, found.runs["pending"], found.credits, found.output_lines) == (2, 1, 4, 2)


def spoken(text: str | None, *takes: dict[str, Any]) -> dict[str, Any]:
    return {"script": text, "takes": list(takes)}


def brought_in(workspace: Workspace, *lines: dict[str, Any]) -> None:
    assert import_lines(workspace.id, [encode(line) for line in lines], now=NOW).ok
    db.session.rollback()


SPOKEN = [
    spoken("Hello", {"locale": "en-US"}, {"locale": "en_us", "script": "Hello!"}, {"locale": "de-DE"}),
    spoken("Bye", {"locale": "en-US"}, {"script": "Tschüss 👋"}),
    spoken(None, {"locale": "fr-fr"}),
]


def test_languages_add_up_the_texts_of_takes_and_share_the_credits(workspace: Workspace) -> None:
    at = "2026-03-29T22:30:00Z"
    brought_in(
        workspace,
        workflow_line(),
        run_line("a", created_at=at, credits=28, output_lines=SPOKEN),
        run_line("b", created_at=at, credits=5),
    )
    period = UsageQuery("30d", None, "UTC").days(NOW)
    found = read_languages(workspace.id, period)
    # 14 characters of English, 5 of German, none of French, 9 of no language
    assert [(each.locale_code, each.lines, each.characters, each.credits) for each in found.languages] == [
        ("en-us", 2, 14, 14),
        ("de-de", 1, 5, 5),
        ("fr-fr", 1, 0, 0),
    ]
    assert [round(each.share, 3) for each in found.languages] == [0.737, 0.263, 0]
    assert (found.total_credits, found.untagged_credits) == (33, 14)
    days = totals_by_bucket(workspace.id, period.buckets)
    assert [(day.characters, day.spoken_lines) for day in days if day.total] == [(28, 5)]
    yesterday, today = totals_by_bucket(
        workspace.id, UsageQuery("30d", None, "Asia/Kolkata").days(NOW).buckets
    )[-2:]
    assert (yesterday.characters, today.characters) == (0, 28)


def test_history_that_comes_again_changes_what_was_spoken(workspace: Workspace) -> None:
    at = "2026-03-29T22:30:00Z"
    brought_in(workspace, workflow_line(), run_line("a", created_at=at, credits=28, output_lines=SPOKEN))
    moved = "2026-03-01T00:00:00Z"
    later = {"created_at": moved, "updated_at": "2026-03-30T00:00:00Z", "output_lines": SPOKEN[:1]}
    brought_in(workspace, run_line("a", **later))
    rows = db.session.query(RunLanguage).order_by(RunLanguage.locale_code).all()
    assert [(row.locale_code, row.characters, row.credits) for row in rows] == [
        ("de-de", 5, 8.75),
        ("en-us", 11, 19.25),
    ]
    places = {(row.workflow_id, row.created_at.isoformat()) for row in rows}
    assert places == {(UUID(WORKFLOW), "2026-03-01T00:00:00+00:00")}
    silent = {"created_at": moved, "updated_at": "2026-03-30T01:00:00Z"}
    brought_in(workspace, run_line("a", **silent))
    assert db.session.query(RunLanguage).count() == 2
    brought_in(workspace, run_line("a", **silent, replace=True))
    assert db.session.query(RunLanguage).count() == 0


@pytest.mark.slow
def test_the_migration_summarises_takes_as_the_import_does(workspace: Workspace) -> None:
    at = "2026-03-29T22:30:00Z"
    runs = [
        run_line("a", created_at=at, credits=28, output_lines=SPOKEN),
        run_line("b", output_lines=SPOKEN[2:]),
    ]
    brought_in(workspace, workflow_line(), *runs)

    def rows() -> list[tuple[Any, ...]]:
        columns = [getattr(RunLanguage, column.name) for column in RunLanguage.__table__.columns]
        found = [tuple(row) for row in db.session.query(*columns).order_by(*columns[:2])]
        db.session.remove()
        return found

    before = rows()
    assert len(before) == 5
    downgrade(revision="0013")
    upgrade()
    assert rows() == before
