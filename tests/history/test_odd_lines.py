"""Lines that are JSON of a kind: a key twice, a leap second, numbers that are none, moments that are none."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from portal.database.engine import db
from portal.database.models import User, Workspace
from portal.history.importer import import_files
from portal.history.parsing.lines import WorkflowLine, parse_line
from portal.history.parsing.readers import BadField
from portal.history.parsing.runs import ParsedRun
from portal.history.parsing.uploads import UploadLine
from portal.runs.detail.timeline import TimelineQuery, read_timeline
from tests.factories import NOON, make_member, make_user
from tests.history.conftest import Import
from tests.history.lines import ARRIVAL, an_id, encode, run_line, upload_line, workflow_line

LONG_NUMBER = '"n": 12345678901234567890123'
"""Brings a line to the library's own reader, which knows long numbers."""
ZERO_TIMES = [
    "0001-01-01T00:00:00Z",
    "0001-01-01t00:00:00.000z",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00-12:00",
    "0000-12-31T16:07:02-07:52",
    "0001-12-31T23:59:59Z",
]
GH_WORKFLOW = "de000000-0000-4000-8000-000000000000"
GH_RUNNING = "de000000-0000-4000-8000-000000000101"
A_MINUTE_LATER = datetime(2026, 3, 1, 22, 22, 6, tzinfo=UTC)


def parsed(text: str) -> ParsedRun:
    line = parse_line(text.encode(), ARRIVAL)
    assert isinstance(line, ParsedRun)
    return line


@pytest.mark.parametrize("more", ['"n": 1', LONG_NUMBER], ids=["quick", "long numbers"])
@pytest.mark.parametrize(
    ("first", "last"), [("status", "status"), ("status", r"\u0073tatus"), (r"stat\u0075s", "status")]
)
def test_of_a_key_that_comes_twice_the_last_counts(more: str, first: str, last: str) -> None:
    begin = f'{{"type": "run", "id": "{an_id("run")}", "workflow_id": "{an_id("workflow")}", {more}, '
    begin += '"created_at": "2026-03-01T12:00:00Z", '
    deep = f'"deep": [{{"a": {{"{first}": 3}}, "a": {{"x": 4, "{first}": 5, "{last}": 6}}}}]}}'
    twice = parsed(f'{begin}"{first}": "failed", "{last}": "completed", {deep}')
    once = parsed(begin + '"status": "completed", "deep": [{"a": {"x": 4, "status": 6}}]}')
    assert (twice.columns["status"], twice.source["deep"]) == ("completed", [{"a": {"x": 4, "status": 6}}])
    assert twice._replace(text=b"") == once._replace(text=b"")


def test_odd_lines_are_refused_with_field_and_reason_or_read_by_the_rule(
    workspace: Workspace, history: Path
) -> None:
    summary = import_files(workspace.id, [history / "cases" / "odd-lines.jsonl"], now=NOON)
    assert [(bad.line_number, bad.field, bad.reason.split(",")[0]) for bad in summary.bad] == [
        (2, "credits", "must be a whole number from 0 to 9007199254740991."),
        (3, "created_at", "must be a date and time with Z or an offset"),
        (4, "created_at", "is missing"),
        (5, "usage_summary", "must not be NaN or infinite."),
    ]
    assert "leap second" in summary.bad[1].reason
    assert summary.files[0].counts.workflows_new == 1
    assert summary.files[0].counts.runs_new == 2


@pytest.mark.parametrize("moment", ZERO_TIMES)
def test_a_zero_time_is_none_wherever_a_moment_may_stand(moment: str) -> None:
    step = {"node_id": "a", "status": "pending", "created_at": moment, "started_at": moment}
    run = parse_line(
        encode(
            run_line(
                created_at=moment,
                completed_at=moment,
                updated_at=moment,
                paused_at=moment,
                pause_requested_at=moment,
                steps=[step | {"completed_at": moment}],
            )
        ),
        ARRIVAL,
    )
    assert isinstance(run, ParsedRun)
    assert run.columns["created_at"] == run.columns["started_at"] == run.columns["updated_at"]
    assert run.source == {"created_at_from": "started_at"}
    for name in ("completed_at", "paused_at", "pause_requested_at"):
        assert run.columns[name] is None
    assert [run.steps[0][name] for name in ("created_at", "started_at", "completed_at")] == [None] * 3
    workflow = parse_line(encode(workflow_line(created_at=moment)), ARRIVAL)
    assert isinstance(workflow, WorkflowLine)
    assert workflow.created_at is None
    upload = parse_line(encode(upload_line(created_at=moment, updated_at=moment)), ARRIVAL)
    assert isinstance(upload, UploadLine)
    assert (upload.columns["created_at"], upload.columns["updated_at"]) == (None, None)


@pytest.mark.parametrize("moment", ZERO_TIMES)
def test_a_run_whose_only_moments_are_zero_times_is_a_bad_line(moment: str) -> None:
    with pytest.raises(BadField) as refused:
        parse_line(encode(run_line(created_at=moment, started_at=moment, completed_at=None)), ARRIVAL)
    assert (refused.value.field, str(refused.value).split(",")[0]) == ("created_at", "is missing")


@pytest.mark.parametrize(
    "moment",
    [
        "0000-12-30T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01",
        "0001-01-01T00:00:00",
        "0001-13-01T00:00:00Z",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_in_no_calendar_or_no_moment_stays_refused(moment: str) -> None:
    with pytest.raises(BadField) as refused:
        parse_line(encode(run_line(completed_at=moment)), ARRIVAL)
    assert refused.value.field == "completed_at"


def test_history_with_zero_times_reads_as_history_that_is_not_over(
    workspace: Workspace, load: Import, history: Path, sign_in: Callable[[User], FlaskClient]
) -> None:
    lines = (history / "cases" / "zero-times.jsonl").read_bytes().replace(b"2026-11-27", b"2026-03-01")
    assert load(*lines.splitlines()).ok
    db.session.rollback()
    user = make_user()
    make_member(workspace, user)
    browser = sign_in(user)
    runs = f"/workflows/{GH_WORKFLOW}/runs"
    [row] = read(browser, runs).select(f'tr:has(a[href*="{GH_RUNNING}"])')
    assert row.select_one("[data-ticks]") is not None
    page = read(browser, f"{runs}/{GH_RUNNING}")
    assert page.select_one("#run [data-ticks]") is not None
    assert not page.select('time[datetime^="000"]')
    timeline = read_timeline(UUID(GH_RUNNING), TimelineQuery(), A_MINUTE_LATER)
    spans = {lane.label: lane.spans for lane in timeline.lanes.rows}
    assert [(span.begin, span.end, span.ended) for span in spans["setup"]] == [(0, 1000, True)]
    assert [(span.begin, span.end, span.ended) for span in spans["build"]] == [(0, 60_000, False)]
    assert "test" not in spans
    assert timeline.length == 60_000


def read(browser: FlaskClient, path: str) -> BeautifulSoup:
    answer = browser.get(path)
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")
