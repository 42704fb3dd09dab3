"""Filters beyond those of the contract give what a naive list in memory gives: rows, counts, neighbours."""

import json
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.database.models import Person, Run, RunStatus, Workflow, Workspace
from portal.database.transactions import writing
from portal.moments import format_moment
from portal.runs.listing import list_runs
from portal.runs.listing.neighbours import find_neighbours
from portal.runs.query import ORDERS, SORTS, RunQuery
from portal.runs.recording import recorder, workflow_rows
from portal.runs.statuses import STATUSES
from tests.factories import (
    NOON,
    make_person,
    make_runs,
    make_workflow,
    make_workspace,
    seen,
    seen_workspace,
)

PEOPLE = ("Ada Lovelace", "Alan Turing")
LABELS: list[dict[str, Any]] = [
    {},
    {"env": "prod"},
    {"env": "prod", "tier": 1},
    {"env": "Prod", "tier": 1.5, "ok": True},
    {"a": "b=c", "a=b": "c"},
    {"env": ["no", "label"], "": "x"},
]
BRANCHES = [None, "main", "Main", "feature/ä%_", ""]
LATER = NOON + timedelta(minutes=12)
"""When the lists are asked for, up to some seconds."""
MINUTES = {"10m": timedelta(minutes=10), "11m": timedelta(minutes=11), "1h": timedelta(hours=1)}
TITLES = [
    None,
    "Nightly DUB",
    "100%_sure\\",
    "ÉCOLE Straße",
    "e\u0301te\u0301 ﬁrm",
    "김민수의 날",
    'say "hi" AND',
]
ERRORS = [
    None,
    "Timeout: nightly",
    "x" * 1999 + "end",
    "100% sure",
    "line\nbreak\ttab\x1edub",
    "#12 of 12",
    "'; --",
]
TEXTS = [
    *(
        "nightly",
        "DUB",
        "%_s",
        "100%",
        "\\",
        "sure\\",
        "STRASSE",
        "ß",
        "straß",
        "ÉTÉ",
        "e\u0301te",
        "firm",
        "ﬁrm",
        "민수의",
    ),
    *(
        '"hi"',
        '" AND',
        "AND",
        "xxx",
        "xend",
        "xen",
        "e\nb",
        "k\tt",
        "b\x1ed",
        "b d",
        "#12",
        "012",
        "123",
        "12 of",
        "'; --",
    ),
    *(
        "main",
        "prod",
        "1.5",
        "rod\x1e1",
        "cafe",
        "maindead",
        "nothing here",
        "x" * 100,
        "true",
        "dub nightly",
    ),
]
NODES = ["build", "test", "ü ber"]


def fold(text: str) -> str:
    """Written apart from the portal's own: no case, all of Unicode."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).replace("\x1e", " ")


@dataclass(frozen=True)
class Step:
    node: str
    status: str
    name: str | None
    iteration: int
    map_index: int | None


@dataclass(frozen=True)
class Told:
    """One run as the naive list knows it."""

    id: UUID
    status: str
    created_at: datetime
    started_at: datetime | None
    person: int | None
    trigger: str | None
    source_system: str | None
    branch: str | None
    labels: dict[str, Any] = field(hash=False)
    steps: tuple[Step, ...] = ()
    completed_at: datetime | None = None
    duration: int | None = None
    title: str | None = None
    commit: str | None = None
    error: str | None = None
    number: int = 1


few_moments = st.sampled_from([NOON + timedelta(minutes=number) for number in range(4)])
steps = st.builds(
    Step,
    node=st.sampled_from(NODES),
    status=st.sampled_from(["failed", "completed", "cancelled"]),
    name=st.sampled_from([None, "Build it", "test"]),
    iteration=st.integers(1, 2),
    map_index=st.sampled_from([None, 0, 1]),
)
runs = st.lists(
    st.builds(
        Told,
        id=st.integers(1, 10**6).map(lambda number: UUID(int=number * 2**100 + number)),
        status=st.sampled_from([status.value for status in RunStatus]),
        created_at=few_moments,
        started_at=st.none() | few_moments,
        person=st.none() | st.integers(0, len(PEOPLE) - 1),
        trigger=st.sampled_from([None, "schedule", "event"]),
        source_system=st.sampled_from([None, "github:acme/web", "airflow:prod"]),
        branch=st.sampled_from(BRANCHES),
        labels=st.sampled_from(LABELS),
        steps=st.lists(steps, max_size=4).map(tuple),
        title=st.sampled_from(TITLES),
        commit=st.sampled_from([None, "deadbeef", "CAFE12"]),
        error=st.sampled_from(ERRORS),
        number=st.sampled_from([1, 12, 123]),
    ),
    max_size=20,
    unique_by=lambda run: run.id,
)
asked_for = st.fixed_dictionaries(
    {
        "sort": st.sampled_from(SORTS),
        "order": st.sampled_from(ORDERS),
        "limit": st.integers(1, 9).map(str),
        "offset": st.integers(0, 12).map(str),
    },
    optional={
        "status": st.sampled_from(["failed", "completed,failed,running"]),
        "search": st.sampled_from(["ada", "a"]),
        "within": st.sampled_from(["10m", "11m", "1h"]),
        "from": few_moments.map(format_moment),
        "to": few_moments.map(format_moment),
        "trigger": st.sampled_from(["schedule", "event,unknown", "unknown", "person", "event,schedule"]),
        "source": st.sampled_from(["github:acme/web", "GitHub:acme/web"]),
        "branch": st.sampled_from(["main", "MAIN", "feature/ä%_"]),
        "label": st.lists(
            st.sampled_from(["env=prod", "tier=1", "tier=1.5", "ok=true", "a=b=c", "env=", "x=y"]),
            min_size=1,
            max_size=2,
        ),
        "text": st.sampled_from([text for text in TEXTS if len(fold(text)) >= 3]),
        "step_failed": st.sampled_from([*NODES, "Build it", "nothing"]),
    },
)


def _labels(run: Told) -> set[str]:
    return {
        f"{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in run.labels.items()
        if not isinstance(value, list)
    }


def _failed(run: Told) -> set[str | None]:
    found: set[str | None] = set()
    for number, step in enumerate(run.steps):
        made_good = any(
            (later.node, later.map_index, later.status) == (step.node, step.map_index, "completed")
            and (later.iteration, position) > (step.iteration, number)
            for position, later in enumerate(run.steps)
        )
        if step.status == "failed" and not made_good:
            found |= {step.node, step.name}
    return found


def _is_found(run: Told, text: str) -> bool:
    labels = [
        each if isinstance(each, str) else json.dumps(each)
        for each in run.labels.values()
        if not isinstance(each, list)
    ]
    parts = [run.title, run.branch, run.commit, run.error and run.error[:2000], *labels]
    digits = text.lstrip("#") if text.count("#") < 2 else ""
    return any(fold(text) in fold(part or "") for part in parts) or (
        digits.isdecimal() and int(digits) == run.number
    )


def matches(run: Told, asked: dict[str, Any]) -> bool:
    """Whether the run has everything that is asked for, but for its status."""
    person = "" if run.person is None else PEOPLE[run.person].lower()
    return (
        ("search" not in asked or asked["search"] in person)
        and ("from" not in asked or format_moment(run.created_at) >= asked["from"])
        and ("within" not in asked or run.created_at >= LATER - MINUTES[asked["within"]])
        and ("to" not in asked or format_moment(run.created_at) <= asked["to"])
        and ("trigger" not in asked or (run.trigger or "unknown") in asked["trigger"].split(","))
        and ("source" not in asked or run.source_system == asked["source"])
        and ("branch" not in asked or run.branch == asked["branch"])
        and ("label" not in asked or _labels(run) >= set(asked["label"]))
        and ("text" not in asked or _is_found(run, asked["text"]))
        and ("step_failed" not in asked or asked["step_failed"] in _failed(run))
    )


def naive(stored: list[Told], asked: dict[str, Any]) -> tuple[list[UUID], dict[str, int]]:
    """All matching ids in order, and the counts by status."""
    found = sorted((run for run in stored if matches(run, asked)), key=lambda run: str(run.id))
    counts = {status: sum(run.status == status for run in found) for status in STATUSES}
    found = [run for run in found if "status" not in asked or run.status in asked["status"].split(",")]
    with_key = [run for run in found if getattr(run, asked["sort"]) is not None]
    with_key.sort(key=lambda run: getattr(run, asked["sort"]), reverse=asked["order"] == "desc")
    without = [run for run in found if getattr(run, asked["sort"]) is None]
    return [run.id for run in with_key + without], counts


@dataclass(frozen=True)
class Shelf:
    """Two workflows whose runs each example replaces, and beside them one that no query may show."""

    workspace: Workspace
    workflows: tuple[Workflow, Workflow]
    people: list[Person]


@pytest.fixture
def shelf(app: Flask) -> Shelf:
    workspace = make_workspace()
    people = [make_person(workspace, name) for name in PEOPLE]
    everything = {
        "trigger": "schedule",
        "source_system": "github:acme/web",
        "branch": "main",
        "run_number": 12,
    }
    told = {"labels": {"env": "prod", "tier": 1}, "ref": {"branch": "main"}, "title": "Nightly DUB"}
    steps = [{"node_id": node, "status": "failed"} for node in NODES]
    make_runs(make_workflow(make_workspace("other")), [{**everything, "source": told, "steps": steps}])
    return Shelf(workspace, (make_workflow(workspace, "A"), make_workflow(workspace, "B")), people)


def of(number: int, stored: list[Told]) -> list[Told]:
    """The runs of one of the workflows."""
    return [run for run in stored if run.id.int % 2 == number]


def store(shelf: Shelf, stored: list[Told]) -> None:
    for number, workflow in enumerate(shelf.workflows):
        with writing() as session:
            workflow_rows.lock_workflows(session, [workflow.id])
            ids = session.scalars(sa.select(Run.id).where(Run.workflow_id == workflow.id)).all()
            recorder.delete_runs(session, workflow.id, ids)
        make_runs(workflow, [_row(run, shelf.people) for run in of(number, stored)])


def _row(run: Told, people: list[Person]) -> dict[str, Any]:
    columns = ("id", "status", "created_at", "started_at", "completed_at", "trigger", "source_system")
    source: dict[str, Any] = {"labels": run.labels} if run.labels else {}
    source |= {"title": run.title} if run.title else {}
    if run.branch or run.commit:
        source["ref"] = {"branch": run.branch, "commit": run.commit}
    steps = [
        {
            "node_id": step.node,
            "status": step.status,
            "name": step.name,
            "iteration": step.iteration,
            "source": None if step.map_index is None else {"map_index": step.map_index},
        }
        for step in run.steps
    ]
    return {
        **{name: getattr(run, name) for name in columns},
        "branch": run.branch or None,
        "run_number": run.number,
        "error": run.error,
        "person_id": None if run.person is None else people[run.person].id,
        "source": source or None,
        "steps": steps,
    }


@pytest.mark.slow
@settings(max_examples=60)
@given(stored=runs, asked=st.lists(asked_for, min_size=1, max_size=8))
def test_every_filter_gives_what_a_naive_list_gives(
    shelf: Shelf, stored: list[Told], asked: list[dict[str, Any]]
) -> None:
    store(shelf, stored)
    for number, wanted in enumerate(asked):
        if wanted.get("from", "") > wanted.get("to", "Z"):
            wanted["from"], wanted["to"] = wanted["to"], wanted["from"]
        if "within" in wanted:
            wanted = {name: each for name, each in wanted.items() if name not in ("from", "to")}
        check(shelf.workflows[0], of(0, stored), wanted)
        everywhere = wanted
        if number % 2:
            everywhere = wanted | {"workflow": ",".join(str(each.id) for each in shelf.workflows)}
        check(shelf.workspace, stored, everywhere)


def check(there: Workflow | Workspace, stored: list[Told], wanted: dict[str, Any]) -> None:
    of_workflow = isinstance(there, Workflow)
    with time_machine.travel(LATER + timedelta(seconds=59), tick=False):
        query = RunQuery.parse(wanted, workflow_id=str(there.id) if of_workflow else None)
    opened = seen(there) if isinstance(there, Workflow) else seen_workspace(there)
    page = list_runs(opened, query)
    everything, counts = naive(stored, wanted)
    offset, limit = int(wanted["offset"]), int(wanted["limit"])
    assert page.total == len(everything)
    assert page.counts == counts
    assert [row.id for row in page.rows] == everything[offset:][:limit]
    if everything:
        found = find_neighbours(opened, query, everything[0])
        assert found.previous is None
        assert (found.next and found.next.id) == next(iter(everything[1:]), None)
