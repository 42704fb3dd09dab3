"""No page or fragment weighs more than 1.5 MB, or reads long texts, whatever is stored.

Every GET address of the URL map is asked, as a page and as a fragment, of a workspace in which everything
that may be long or many is. A new route is asked too: what its address needs must stand in `Extreme`.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import moments
from portal.database.engine import db
from portal.database.models import (
    ApiKey,
    AuditEntry,
    BrowserSession,
    Cause,
    CauseDay,
    CauseWorkflow,
    IngestKey,
    Invitation,
    Member,
    RunDetail,
    RunStatus,
    User,
    Workspace,
)
from portal.database.transactions import writing
from portal.ingest import ledger
from portal.ingest.ledger import KEPT_REFUSALS, IngestOutcome, Refusal
from portal.runs.counts.columns import day_of
from portal.runs.views.writing import MAX_OF_LIST
from portal.speech import catalog
from tests.definitions.graphs import SCRIPT, graph, node, smallest
from tests.factories import (
    NOON,
    make_detail,
    make_key,
    make_member,
    make_output,
    make_person,
    make_run,
    make_runs,
    make_steps,
    make_upload,
    make_user,
    make_versions,
    make_view,
    make_workflow,
    make_workspace,
)
from tests.pages.conftest import HTMX
from tests.statements import statements

MOST_BYTES = 1_500_000
MOST_READ = 5_000
"""Characters, or bytes, of the longest value that a statement of a page gives."""

OF_ONE_RUN = {"pages.run", "pages.run_view", "pages.follow_run", "pages.compare"}
"""What reads the definitions of a run or two; what they weigh at their worst: test_run_weight.py."""

OF_DEFINITIONS = {"pages.versions", "pages.version", "pages.restore_version"}
"""What reads definitions in order to compare them; those of a list at most 100,000 characters each."""

MEGABYTE = '"' * 1_000_000
"""One of these takes five bytes in HTML."""
WIDE = "\U0001f3a7" * 250_000
"""And one of these four everywhere."""
ROWS = 100
MANY = 300
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass
class Extreme:
    """A browser, and the objects that addresses name."""

    browser: FlaskClient
    objects: dict[str, str]
    runs: list[UUID]

    @property
    def queries(self) -> dict[str, list[str]]:
        """What to ask, as if of every address: what one has no use for it ignores."""
        search = "%22" * 100
        watched = ",".join(map(str, self.runs[:100]))
        return {
            "": ["", "limit=100", f"limit=100&search={search}", "days=all", _wrong()],
            "pages.find_anything": [f"q={self.runs[0]}", "q=1", f"q={str(self.runs[0])[:6]}", f"q={search}"],
            "pages.version": ["with=1", "with=41", "with=42"],
            "pages.runs_live": [f"limit=100&search={search}&rows={watched}"],
        }


def _wrong() -> str:
    """Every parameter wrong, and as long as an address may be."""
    names = ("limit", "offset", "status", "from", "to", "sort", "order", "page", "days", "kind", "rows")
    return "&".join(f"{name}={'%22' * 180}" for name in (*names, "search", "actor", "q"))


@pytest.fixture
def extreme(app: Flask, sign_in: Callable[[User], FlaskClient]) -> Extreme:
    name = '"' * 200
    workspace, user = make_workspace(name=name), make_user(first_name='"' * 100, last_name='"' * 100)
    make_member(workspace, user)
    browser = sign_in(user)
    workflow = make_workflow(workspace, name, description='"' * 5000)
    for number in range(ROWS):
        other = make_workflow(workspace, name, description=("\U0001f3a7" if number % 2 else '"') * 5000)
        strip = [{"run_number": 2**53 - 1 - n, "status": status} for n, status in enumerate(RunStatus)]
        make_runs(other, strip * 4)
    person = make_person(workspace, name, '"' * 254)
    runs = _runs(workflow, person.id)
    failed = make_run(workflow, person, status="failed", error=MEGABYTE, definition_snapshot=None)
    make_steps(failed, *({"name": f"{n}{MEGABYTE}", "status": "failed", "error": WIDE} for n in range(3)))
    snapshot = {"graph": {"nodes": [{"id": "out", "type": "sink_preview", "name": MEGABYTE}]}}
    make_detail(failed, definition_snapshot=snapshot, source={"title": MEGABYTE, "note": WIDE})
    make_output(failed, workspace, {"script": MEGABYTE, "takes": [{"audio": b"RIFF", "voice": WIDE}]})
    uploads = [make_upload(workflow, workspace, '"' * 255, b"Hello") for _ in range(25)]
    make_versions(workflow, *_definitions(), user_name='"' * 254)
    _accounts(workspace, user)
    here = sa.select(ApiKey.id).where(ApiKey.workspace_id == workspace.id).limit(1)
    ways_in = sa.select(IngestKey.id).where(IngestKey.last_heard_at.is_not(None))
    invited = sa.select(Invitation.id).where(Invitation.workspace_id == workspace.id).limit(1)
    objects = {
        "name": "error",
        "position": 0,
        "number": 2,
        "workspace_id": workspace.id,
        "workflow_id": workflow.id,
        "run_id": failed.id,
        "upload_id": uploads[0].id,
        "node_id": "out",
        "audio_id": "0" * 16,
        "user_id": user.id,
        "key_id": db.session.scalar(here),
        "ping_key": "op_ping_x",
        "slug": "x",
        "what": "start",
        "ingest_key_id": db.session.scalar(ways_in),
        "invitation_id": db.session.scalar(invited),
        "token": "unknown",
        "node_type": "source_script",
        "voice_id": next(iter(catalog().voices)),
        "provider_name": "espeak-ng",
        "model_name": "espeak-ng",
        "template_id": "ReadText",
        "view_id": _views(workflow, user.id),
        "cause_id": _causes(workspace, workflow, user.id),
        "filename": "portal.css",
        "kind": "run",
        "subject_id": failed.id,
    }
    return Extreme(browser, {key: str(value) for key, value in objects.items()}, runs)


def _runs(workflow: Any, person_id: int) -> list[UUID]:
    """A page of runs of which each has long texts, some of them very long."""
    usage = {"note": MEGABYTE[:20_000], **{f"{n}{'k' * 50}_calls": 2**53 - 1 for n in range(1000)}}
    rows = [
        {
            "id": uuid4(),
            "person_id": person_id,
            "status": "running" if number % 2 else "failed",
            "started_at": NOON,
            "error": MEGABYTE if number < 5 else WIDE[:50_000],
            "pause_error": MEGABYTE[:50_000],
            "usage_summary": {'"' * 1000: 1} if number == 1 else usage,
            "finished_steps": 2**53 - 1,
            "total_steps": 2**53 - 1,
            "created_at": NOON + timedelta(seconds=number),
        }
        for number in range(ROWS)
    ]
    runs = make_runs(workflow, rows)
    labels = {'"' * 900: "x", **{f"{n}{'b' * 900}": MEGABYTE[:1000] for n in range(20)}}
    titled = {"title": MEGABYTE[:50_000], "labels": labels}
    with writing() as session:
        session.add_all(RunDetail(run_id=run.id, source=titled) for run in runs)
    return [run.id for run in runs]


def _views(workflow: Any, user_id: UUID) -> UUID:
    """As many views of a list as there may be, with names and definitions as long as they may be."""
    for number in range(MAX_OF_LIST):
        name, long = f"{number}{chr(34) * 58}", {"search": '"' * 200, "status": "failed", "mood": '"' * 700}
        make_view(workflow, name, user_id=user_id, parameters=long)
        view = make_view(workflow, name, parameters=long, is_default=not number)
    return view.id


def _causes(workspace: Workspace, workflow: Any, user_id: UUID) -> UUID:
    """A hundred causes of failures as long as they may be, and one of the workflow's failed runs each day."""
    at = moments.now()
    with writing() as session:
        causes = [
            Cause(
                id=uuid4(), workspace_id=workspace.id, version=1, text=f"{number}{chr(34) * 990}", failed=90
            )
            for number in range(ROWS)
        ]
        for cause in causes:
            cause.first_at, cause.last_at = at - timedelta(days=90), at
            cause.note, cause.noted_at, cause.noted_by = '"' * 500, at, user_id
        session.add_all(causes)
        session.flush()
        session.add_all(
            CauseWorkflow(
                cause_id=cause.id, workflow_id=workflow.id, failed=90, first_at=cause.first_at, last_at=at
            )
            for cause in causes
        )
        today = day_of(at)
        session.add_all(
            CauseDay(cause_id=cause.id, day=today - day, failed=1) for cause in causes for day in range(90)
        )
    return causes[0].id


def _definitions() -> list[Any]:
    """Versions of which each has as many nodes as may be saved, or long texts, and a short last one."""
    many = [
        graph([{**node(SCRIPT, f"{n}-{at}", text='"' * 60), "name": '"' * 200} for at in range(200)], [])
        for n in range(40)
    ]
    long = graph([{**node(SCRIPT, MEGABYTE, **{MEGABYTE: WIDE}, text=MEGABYTE), "name": MEGABYTE}], [])
    return [long, *many, long, smallest()]


def _accounts(workspace: Workspace, user: User) -> None:
    """Many members, keys, sessions, invitations, entries of the audit log and workspaces of one's own."""
    now, name = moments.now(), '"' * 100
    users = [
        User(id=uuid4(), email=f"{n}{chr(34) * 240}@a.b", first_name=name, last_name=name, created_at=now)
        for n in range(MANY)
    ]
    spaces = [Workspace(id=uuid4(), slug=f"w-{n}", name='"' * 200, created_at=now) for n in range(MANY)]
    make_key(workspace, user)
    with writing() as session:
        session.add_all([*users, *spaces])
        session.flush()
        for number, (member, space) in enumerate(zip(users, spaces, strict=True)):
            session.add(Member(workspace_id=workspace.id, user_id=member.id, role="admin", created_at=now))
            session.add(Member(workspace_id=space.id, user_id=user.id, role="admin", created_at=now))
            session.add_all(_belongings(workspace.id, user.id, number))
    refused = [Refusal(2**31 - 1, '"' * 200, '"' * 500)] * KEPT_REFUSALS
    ledger.record(_heard_key(workspace.id, now), IngestOutcome(2**53 - 1, 2**53 - 1, refused), now)


def _heard_key(workspace_id: UUID, now: datetime) -> UUID:
    """The one ingest key of the workspace that was heard."""
    with writing() as session:
        mine = sa.select(IngestKey).where(IngestKey.workspace_id == workspace_id).limit(1)
        key = session.scalars(mine).one()
        key.last_heard_at = now
    return key.id


def _belongings(workspace_id: UUID, user_id: UUID, number: int) -> Iterator[Any]:
    now, digest = moments.now(), number.to_bytes(32)
    yield BrowserSession(
        token_hash=digest, user_id=user_id, created_at=now, seen_at=now, address="::1", browser='"' * 200
    )
    yield Invitation(
        id=uuid4(),
        token_hash=digest,
        workspace_id=workspace_id,
        email=f"{number}{chr(34) * 240}@a.b",
        role="viewer",
        created_at=now,
        expires_at=now + timedelta(days=1),
        closed_at=None if number < 200 else now,
    )
    yield ApiKey(
        id=uuid4(),
        workspace_id=workspace_id,
        created_by=user_id,
        name='"' * 120,
        key_hash=digest,
        key_suffix="abcd",
        scopes=["workflows:read"] * 11,
        rate_limit_per_min=None,
        created_at=now,
    )
    yield IngestKey(
        id=uuid4(),
        workspace_id=workspace_id,
        kind="ping",
        name='"' * 120,
        key_hash=digest,
        key_suffix="abcd",
        source='"' * 200,
        slug='"' * 200,
        created_by=user_id,
        created_at=now,
    )
    yield AuditEntry(
        id=uuid4(),
        at=now,
        kind="key.changed",
        workspace_id=workspace_id,
        actor_id=user_id,
        actor='"' * 254,
        subject='"' * 254,
        details={"reason": '"' * 50_000} if number % 2 else {f"k{n}": '"' * 500 for n in range(100)},
    )


@pytest.mark.slow
def test_no_page_or_fragment_is_heavy_or_reads_long_texts(app: Flask, extreme: Extreme) -> None:
    wrong, weighed = [], set()
    for endpoint, path in _addresses(app, extreme):
        for headers in ({}, HTMX):
            with statements() as found:
                answer = extreme.browser.get(path, headers=headers)
            if answer.status_code >= 500:
                wrong.append(f"{path[:200]}: {answer.status_code}")
            page = answer.mimetype == "text/html" and answer.status_code not in range(300, 400)
            if page:
                weighed.add(endpoint)
                read = () if endpoint in OF_ONE_RUN | OF_DEFINITIONS else found
                wrong += [f"{path[:200]}: {fault}" for fault in _faults(answer, read)]
    assert not wrong, "\n".join(wrong)
    assert {
        "pages.runs",
        "pages.runs_table",
        "pages.runs_live",
        "pages.workflows",
        "pages.summary",
    } <= weighed


def _addresses(app: Flask, extreme: Extreme) -> Iterator[tuple[str, str]]:
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()):
            continue
        missing = set(_ARGUMENT.findall(rule.rule)) - extreme.objects.keys()
        assert not missing, f"{rule.rule}: say in `extreme` what to put there"
        path = _ARGUMENT.sub(lambda found: extreme.objects[found[1]], rule.rule)
        queries = [*extreme.queries[""], *extreme.queries.get(rule.endpoint, ())]
        for query in queries:
            yield rule.endpoint, f"{path}?{query}".removesuffix("?")


def _faults(answer: TestResponse, found: Sequence[Any]) -> Iterator[str]:
    weight = len(answer.get_data())
    if weight > MOST_BYTES:
        yield f"weighs {weight:,} bytes"
    if answer.status_code not in (200, 422):
        return  # an address that leads to a file looks for it in all that the run has
    longest = max((_longest(*statement) for statement in found), default=0)
    if longest > MOST_READ:
        yield f"reads a value of {longest:,} characters"


def _longest(statement: str, bound: Any) -> int:
    """The longest value that the database gives for a statement that reads."""
    if not statement.startswith(("SELECT", "WITH", "(SELECT")):
        return 0
    with db.engine.connect() as connection:
        rows = connection.exec_driver_sql(statement, bound).all()
    return max((_length(value) for row in rows for value in row), default=0)


def _length(value: Any) -> int:
    if isinstance(value, dict | list):  # the driver has read the JSON
        return len(json.dumps(value))
    return len(value) if isinstance(value, str | bytes) else 0
