"""Histograms hold every run where its key lies, divided where many are, and pages are found by them."""

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import Run, RunBucket, Workflow
from portal.database.transactions import writing
from portal.paging import Slice
from portal.runs import counts
from portal.runs.counts.histograms import DAY, HISTOGRAMS, HOUR, PERIOD, SECOND
from portal.runs.listing import list_runs
from portal.runs.query import ORDERS, SORTS, RunQuery
from portal.runs.recording import recorder, workflow_rows
from tests.factories import NOON, make_run, make_runs, make_workflow, make_workspace, seen, uuid_of
from tests.thresholds import SMALL, divide_small_buckets

YEAR_1, YEAR_9999 = datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    divide_small_buckets(monkeypatch)


@pytest.fixture
def workflow(app: Flask) -> Workflow:
    return make_workflow(make_workspace())


def rows(moments: Iterable[datetime | None], first_id: int = 1) -> list[dict[str, Any]]:
    """Runs whose three moments are these; without one they were created at noon."""
    return [
        {"id": uuid_of(first_id + n), "created_at": at or NOON, "started_at": at, "completed_at": at}
        for n, at in enumerate(moments)
    ]


def delete(workflow: Workflow, ids: Sequence[UUID]) -> None:
    with writing() as session:
        workflow_rows.lock_workflows(session, [workflow.id])
        recorder.delete_runs(session, workflow.id, ids)


def buckets(workflow: Workflow, histogram: str, width: int) -> dict[int, int]:
    """How many runs each bucket of a width holds."""
    db.session.rollback()
    select = sa.select(RunBucket.number, RunBucket.of()).where(RunBucket.workflow_id == workflow.id)
    of_width = select.where(RunBucket.histogram == histogram, RunBucket.width == width)
    return {number: held for number, held in db.session.execute(of_width) if held}


def drift() -> dict[UUID, list[str]]:
    db.session.rollback()
    return counts.find_drift(db.session(), thresholds=SMALL)


def check_all_pages(workflow: Workflow) -> None:
    """Every page of every order is that of a list sorted in memory."""
    assert drift() == {}
    stored = db.session.scalars(sa.select(Run).where(Run.workflow_id == workflow.id).order_by(Run.id)).all()
    for sort, order in product(SORTS, ORDERS):
        key = RunQuery(sort=sort).sort_column
        keyed = [run for run in stored if getattr(run, key) is not None]
        keyed.sort(key=lambda run, key=key: getattr(run, key), reverse=order == "desc")  # type: ignore[misc]
        expected = [run.id for run in (*keyed, *(run for run in stored if getattr(run, key) is None))]
        for offset in range(0, len(expected), 3):
            query = RunQuery(workflow_id=workflow.id, slice=Slice(offset, 4), sort=sort, order=order)
            page = list_runs(seen(workflow), query, thresholds=SMALL)
            assert [row.id for row in page.rows] == expected[offset : offset + 4], (sort, order, offset)


@pytest.mark.slow
def test_hours_are_counted_within_a_day_of_many_runs_alone(workflow: Workflow) -> None:
    make_runs(workflow, rows(NOON + timedelta(hours=n) for n in (0, 1, 2, 48, 49)))
    noon = int(NOON.timestamp() * SECOND)
    assert buckets(workflow, "started_at", DAY) == {noon // DAY: 3, noon // DAY + 2: 2}
    assert buckets(workflow, "started_at", HOUR) == {noon // HOUR + n: 1 for n in range(3)}
    assert len(buckets(workflow, "created_at", HOUR)) == 5  # charts need them all
    check_all_pages(workflow)


@pytest.mark.slow
def test_an_hour_and_a_second_of_many_runs_are_divided_as_far_as_may_be(workflow: Workflow) -> None:
    dense = [NOON + timedelta(microseconds=n % 3) for n in range(12)]
    make_runs(workflow, rows([*dense, *(NOON + timedelta(seconds=n) for n in range(1, 9))]))
    assert len(buckets(workflow, "completed_at", SECOND)) == 9
    check_all_pages(workflow)


@pytest.mark.slow
def test_years_with_few_runs_and_the_ends_of_time(workflow: Workflow) -> None:
    years = [datetime(year, 7, 1, tzinfo=UTC) for year in range(1960, 2040, 3)]
    make_runs(workflow, rows([YEAR_1, YEAR_1, *years, YEAR_9999, YEAR_9999, YEAR_9999]))
    assert len(buckets(workflow, "started_at", PERIOD)) == len(years) + 2
    check_all_pages(workflow)


@pytest.mark.slow
def test_many_runs_without_a_key_are_found_by_their_id(workflow: Workflow) -> None:
    spread = random.Random(1)
    keyless = [row | {"id": UUID(int=spread.getrandbits(128))} for row in rows([None] * 30)]
    make_runs(workflow, [*keyless, *rows(NOON + timedelta(days=n) for n in range(5))])
    assert sum(buckets(workflow, "not_started", 1 << 28).values()) == 30
    assert buckets(workflow, "not_started", 1 << 24)
    check_all_pages(workflow)


@pytest.mark.slow
def test_ids_in_the_order_of_time_share_their_leading_bits(workflow: Workflow) -> None:
    begin = 0x018D_0000_0000 << 80
    ids = [UUID(int=begin + (n * 3_600_000 << 80)) for n in range(40)]
    make_runs(workflow, [row | {"id": id_} for row, id_ in zip(rows([NOON] * 40), ids, strict=True)])
    check_all_pages(workflow)


def in_any_order(workflow: Workflow, all_rows: list[dict[str, Any]]) -> None:
    chance = random.Random(2)
    chance.shuffle(all_rows)
    for start in range(0, len(all_rows), 7):
        make_runs(workflow, all_rows[start : start + 7])


def one_by_one(workflow: Workflow, all_rows: list[dict[str, Any]]) -> None:
    for row in all_rows:
        make_run(workflow, **row)


def more_than_stay(workflow: Workflow, all_rows: list[dict[str, Any]]) -> None:
    others = rows((NOON + timedelta(minutes=n) for n in range(60)), first_id=1000)
    make_runs(workflow, others + all_rows)
    delete(workflow, [row["id"] for row in others])


@pytest.mark.parametrize("store", [in_any_order, one_by_one, more_than_stay])
@pytest.mark.slow
def test_what_is_kept_follows_from_the_runs_however_they_came(
    workflow: Workflow, store: Callable[[Workflow, list[dict[str, Any]]], None]
) -> None:
    moments = [NOON + timedelta(hours=n * n % 50, seconds=n) for n in range(30)]
    all_rows = rows([*moments, *([None] * 5)])
    at_once = make_workflow(make_workspace("other"))
    make_runs(at_once, [row | {"id": UUID(int=row["id"].int + 2**20)} for row in all_rows])
    store(workflow, all_rows)
    assert drift() == {}
    widths = {(histogram.name, level.width) for histogram in HISTOGRAMS for level in histogram.levels}
    for name, width in widths:
        assert buckets(workflow, name, width) == buckets(at_once, name, width), (name, width)


@pytest.mark.slow
def test_a_run_that_comes_back_is_counted_once(workflow: Workflow) -> None:
    def at(*hours: int) -> list[dict[str, Any]]:
        return [{"id": UUID(int=hour), "created_at": NOON + timedelta(hours=hour)} for hour in hours]

    make_runs(workflow, at(1, 2, 3, 4))
    delete(workflow, [UUID(int=3), UUID(int=4)])
    make_runs(workflow, at(3, 5, 6, 7))
    check_all_pages(workflow)


@pytest.mark.parametrize("change", ["lost", "left over", "wrong"])
@pytest.mark.slow
def test_a_narrow_bucket_that_is_wrong_is_found_and_mended(workflow: Workflow, change: str) -> None:
    make_runs(workflow, rows(NOON + timedelta(hours=n % 3) for n in range(9)))
    hours = sa.and_(RunBucket.histogram == "started_at", RunBucket.width == HOUR)
    statements: dict[str, Any] = {
        "lost": sa.delete(RunBucket).where(hours),
        "left over": sa.insert(RunBucket).values(
            workflow_id=workflow.id, histogram="started_at", width=HOUR, number=7, completed=1
        ),
        "wrong": sa.update(RunBucket).where(hours).values(failed=RunBucket.failed + 1),
    }
    with writing() as session:
        session.execute(statements[change])
    assert drift() == {workflow.id: ["run_buckets"]}
    with writing() as session:
        workflow_rows.lock_workflows(session, [workflow.id])
        counts.repair(session, [workflow.id], SMALL)
    check_all_pages(workflow)
