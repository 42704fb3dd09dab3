"""The order of the page of workflows, compared with one worked out from what is said of each."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
import time_machine
from flask import Flask

from portal.database.models import Workspace
from portal.workflows.attention.home import Entry, Home, read_home
from portal.workflows.attention.home_query import HomeQuery
from portal.workflows.attention.verdicts import Look
from tests.factories import NOON, make_runs, make_workflow, make_workspace

NOW = NOON + timedelta(days=30)


@pytest.fixture
def workspace(app: Flask) -> Iterator[Workspace]:
    """Workflows of all kinds, some of the same name, some without runs."""
    chance = Random(18)
    workspace = make_workspace()
    with time_machine.travel(NOW, tick=False):
        for number in range(24):
            workflow = make_workflow(workspace, f"Workflow {number % 9}", updated_at=NOON)
            gap, silence = (
                timedelta(hours=chance.choice((1, 10))),
                timedelta(days=chance.choice((0, 0, 2, 20))),
            )
            begun = [NOW - silence - gap * place for place in range(chance.choice((0, 1, 5, 130)))]
            make_runs(
                workflow,
                [
                    {
                        "status": chance.choice(("completed",) * 30 + ("failed", "cancelled")),
                        "created_at": at,
                        "started_at": at,
                        "completed_at": at + timedelta(seconds=chance.choice((10, 90)) if place < 20 else 10),
                    }
                    for place, at in enumerate(begun)
                ],
            )
        yield workspace


def home(workspace: Workspace, **args: Any) -> Home:
    query = HomeQuery.parse(
        {name: value if isinstance(value, list) else [value] for name, value in args.items()}
    )
    return read_home(workspace.id, query, lambda workflow, last_at: False, NOW)


def last_run(entry: Entry) -> datetime | None:
    return entry.figures.last and entry.figures.last.created_at


KEYS: Mapping[str, Callable[[Entry], Any]] = {
    "name": lambda entry: entry.workflow.name_folded,
    "last_run": last_run,
    "failures": lambda entry: entry.failures,
    "runs_count": lambda entry: entry.workflow.runs_count,
    "updated_at": lambda entry: entry.workflow.updated_at,
}


def precedes(first: Entry, second: Entry, key: Callable[[Entry], Any], order: str) -> bool:
    """Whether the first stands before the second: those without a value last, then by id."""
    a, b = key(first), key(second)
    if a == b:
        return bool(first.workflow.id < second.workflow.id)
    if a is None or b is None:
        return b is None
    return bool(a < b) if order == "asc" else bool(a > b)


@pytest.mark.slow
def test_every_sort_orders_all_workflows_and_pages_cut_it(workspace: Workspace) -> None:
    for key, value in KEYS.items():
        for order in ("asc", "desc"):
            rows = home(workspace, sort=key, order=order, limit="100").page.rows
            assert len(rows) == 24
            for position, first in enumerate(rows):
                assert all(precedes(first, second, value, order) for second in rows[position + 1 :])
            pages = [
                home(workspace, sort=key, order=order, limit="7", offset=str(at)) for at in range(0, 24, 7)
            ]
            assert [entry for page in pages for entry in page.page.rows] == list(rows)


@pytest.mark.slow
def test_the_default_order_is_by_look_and_then_by_last_run(workspace: Workspace) -> None:
    found = home(workspace, limit="100")
    looks = [*Look, None]
    for position, first in enumerate(found.page.rows):
        for second in found.page.rows[position + 1 :]:
            places = [looks.index(entry.verdict.look) for entry in (first, second)]
            assert places[0] < places[1] or (
                places[0] == places[1] and precedes(first, second, last_run, "desc")
            )
    assert {look for look, count in found.looks.items() if count} >= {Look.FAILING, Look.SLOW, Look.QUIET}
    for look in Look:
        chosen = [entry for entry in found.page.rows if entry.verdict.look == look]
        assert found.looks.get(look, 0) == len(chosen)
        assert list(home(workspace, look=look.value, limit="100").page.rows) == chosen


def test_filters_narrow_what_is_counted(workspace: Workspace) -> None:
    found = home(workspace, search="workflow 3", limit="100")
    assert (found.in_all, found.page.total) == (3, 3)
    assert set(found.rows) == {entry.workflow.id for entry in found.page.rows}
    assert home(workspace, search="nothing").page.rows == []
