"""Whatever an import accepts, every address answers, in bounds, and the database keeps its rules.

`PORTAL_TEST_HISTORY_RUNS` says how many runs and `PORTAL_TEST_HISTORY_SEED` which ones; `make fuzz` makes
them many.
"""

import os
import random
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import moments
from portal.auth.principals import SCOPES
from portal.checks.database_check import check_database
from portal.database.engine import db
from portal.database.models import ApiKey, IngestKey, Run, Take, User, Workspace
from portal.history.importer import import_files
from portal.history.parsing import chunks
from portal.history.summary import ImportSummary
from portal.input.bounds import MAX_BIGINT
from portal.runs.query import ORDERS, SORTS
from tests.auth.provider_keys import claims, sign
from tests.conftest import sign_in_to
from tests.factories import make_ingest_key, make_key, make_member, make_user, make_workspace
from tests.fuzz.histories import History, Line, make_history, node_ids
from tests.fuzz.sweep import Callers, Subject, Sweep
from tests.history.lines import dump, empty
from tests.provider_voices import voice_with_clip, voices_file
from tests.session_tokens import KEY, let_in, portal_with_tokens

pytestmark = pytest.mark.slow

RUNS = int(os.environ.get("PORTAL_TEST_HISTORY_RUNS", "150"))
SEED = int(os.environ.get("PORTAL_TEST_HISTORY_SEED", "1"))
OF_A_KIND = 1 + RUNS // 5000
"""Runs of each kind that are asked about."""
LINKS = 4 * OF_A_KIND
"""Addresses that are asked for from a page on, itself included."""
AT_ONCE = OF_A_KIND
"""Queries with which one thing is asked about at one address."""

_LISTS = [
    *(f"?sort={sort}&order={order}&limit=100" for sort in SORTS for order in ORDERS),
    *("?search=%E2%80%AE", "?search=x&status=failed", "?from=0001-01-01T00:00:00Z&to=1970-01-01T00:00:00Z"),
    *("?to=9999-12-31T23:59:59.999999Z&offset=7", "?offset=999999999999999999999", "?status=running,pending"),
]
_WORKFLOWS = ["?limit=100", "?sort=name&limit=100", "?sort=runs_count&search=%26", "?has_failed_run=true"]
_DAYS = ["?days=all", "?days=7", "?from=1900-01-01&to=9000-12-31", "?from=2026-03-01&to=2026-03-01"]
_RUN = [
    *("?from_ms=0&to_ms=1", "?from_ms=999999999999&to_ms=1000000000000", "?lane_page=2&step_page=2"),
    *("?step_status=failed&step_result=0", "?language=de-DE&line_page=2", "?sort=completed_at&order=asc"),
]
_API = "GET /api/v1/workflows/<workflow_id>/runs"
QUERIES = {
    "GET /": _WORKFLOWS,
    "GET /workflows/table": _WORKFLOWS,
    "GET /api/v1/workflows": [*_WORKFLOWS, "?include_definition=true&limit=100"],
    "GET /api/v1/workflows/name-availability": ["?name=x"],
    "GET /workflows/<workflow_id>/runs": [*_LISTS, "?page=2&limit=10"],
    "GET /workflows/<workflow_id>/runs/table": _LISTS,
    "GET /workflows/<workflow_id>/runs/live": [
        "?since=0&limit=100&rows={some_runs}",
        f"?since={MAX_BIGINT}&rows={{some_runs}}&sort=status",
        "?since=1",
    ],
    "GET /workflows/<workflow_id>/summary": _DAYS,
    _API: _LISTS,
    f"{_API}/summary": ["?from=0001-01-01T00:00:00Z", "?from=2026-03-01T00:00:00Z&to=2026-03-01T23:59:59Z"],
    f"{_API}/<run_id>/steps": ["?include_result=true", "?node_id=n"],
    f"{_API}/<run_id>/data": ["?limit=100&include_dropped=true", "?language=de_DE&search=x"],
    "GET /workflows/<workflow_id>/runs/<run_id>": _RUN,
    "GET /workflows/<workflow_id>/runs/<run_id>/view": _RUN[:3],
    "GET /workflows/<workflow_id>/runs/<run_id>/compare": [
        "?with={other_run}",
        "?with={other_run}&all_steps=1&page=2",
    ],
    "GET /find": [
        f"?q={each}" for each in ("{run_id}", "00000000", "1", "9007199254740991", "%23{run_number}")
    ],
    "GET /api/v1/workflows/<workflow_id>/uploads": ["?limit=100"],
    "GET /api/v1/workspaces/slug-available": ["?slug=free"],
    "GET /api/v1/dictionary": ["?language=de-de"],
    "GET /api/v1/dictionary/search": ["?search=x"],
    "GET /api/v1/voices/<voice_id>/preview": ["?language=de-de"],
}
"""What is asked besides the plain address, with the names of a subject in braces."""
PAGES = ("GET /workflows/<workflow_id>/runs", "GET /workflows/<workflow_id>/runs/<run_id>")


@pytest.fixture
def portal(environment: dict[str, str], tmp_path: Path) -> Iterator[Flask]:
    no_limits = {"PORTAL_RATE_LIMIT_PER_MIN": "0", "PORTAL_RATE_LIMIT_ATTEMPTS_PER_MIN": "0"}
    voices = {"PORTAL_PROVIDER_VOICES": str(voices_file(tmp_path))}
    with portal_with_tokens(environment | no_limits | voices, tmp_path) as app:
        yield app


def test_every_address_answers_for_whatever_an_import_accepts(portal: Flask, tmp_path: Path) -> None:
    history = make_history(SEED, RUNS, moments.now())
    workspace, user = make_workspace(), let_in(make_user(first_name="Ada"))
    make_member(workspace, user)
    make_ingest_key(workspace)
    (tmp_path / "history").mkdir()
    wrong = _imported(history, workspace, tmp_path / "history")
    with Sweep(portal, _callers(portal, workspace, user)) as sweep:
        common = Subject("workflows", _common(workspace, user))
        subjects = [each.beside(common) for each in (*_workflows(history), *_runs(history))]
        sweep.follow("GET /", common, "/", LINKS)
        for subject in subjects:
            sweep.follow(PAGES["run_id" in subject.arguments], subject, _page_of(subject), LINKS)
        sweep.ask_every_route([*subjects, _catalog()], QUERIES, AT_ONCE)
        sweep.miss_none()
    wrong += sweep.report() + _unsound()
    print(f"\n{len(history.lines):,} lines, {sum(sweep.statuses.values()):,} answers: {dict(sweep.statuses)}")
    print(*sweep.slowest(), sep="\n")
    assert not wrong, f"{len(wrong)} faults of seed {SEED}, {RUNS} runs:\n" + "\n".join(wrong)


def _catalog() -> Subject:
    """What every workspace has, whatever is imported."""
    return Subject(
        "catalog",
        {
            "node_type": "source_script",
            "voice_id": str(voice_with_clip()),
            "provider_name": "acme",
            "model_name": "org/large",
            "template_id": "ReadText",
        },
    )


def _callers(portal: Flask, workspace: Workspace, user: User) -> Callers:
    token = sign(KEY, claims(sub=str(user.id), exp=int(time.time()) + 36_000))
    return Callers(
        sign_in_to(portal, user),
        portal.test_client(),
        {"Authorization": f"Bearer {make_key(workspace, user, SCOPES)}"},
        {"Authorization": f"Bearer {token}", "X-Workspace-Id": str(workspace.id)},
    )


def _imported(history: History, workspace: Workspace, folder: Path) -> list[str]:
    """Import in small pieces, whole, and once more; what is wrong with that."""
    parts, whole = history.write(folder, 3), history.write(folder)
    size = random.Random(SEED).randint(RUNS // 4, RUNS)
    with patch.object(chunks, "CHUNK_LINES", max(7, RUNS // 30)):
        in_pieces = _said(import_files(workspace.id, parts, now=moments.now(), batch_size=size))
    wrong = [f"imported in pieces: {each}" for each in _unsound()]
    pieces = _rows()
    empty()
    summary = import_files(workspace.id, whole, now=moments.now())
    wrong += [f"bad line: {bad}" for bad in summary.bad[:20]]
    if in_pieces != _said(summary):
        wrong.append(f"in pieces the import says {in_pieces}, whole {_said(summary)}")
    wrong += [f"in pieces others than whole: {each}" for each in _differing(pieces, _rows())]
    before = _rows(everything=True)
    again = import_files(workspace.id, whole, now=moments.now() + timedelta(hours=1)).total
    if again.runs_unchanged + again.workflows_unchanged + again.uploads_unchanged != len(history.lines):
        wrong.append(f"imported again: {again}")
    changed = _differing(before, _rows(everything=True))
    return wrong + [f"imported again, changed: {each}" for each in changed]


def _said(summary: ImportSummary) -> dict[str, Any]:
    """What it counts, but for the steps written: none are of a line that another one overtakes at once."""
    return {name: value for name, value in summary.total.to_json().items() if name != "steps"}


def _rows(everything: bool = False) -> dict[str, dict[bytes, str]]:
    """The beginnings of all rows by the digests of them."""
    found = {}
    by_arrival = () if everything else ("run_number", "next_run_number")
    for table, rows in dump(db.engine, everything=everything, without=by_arrival).items():
        texts = [repr(row) for row in rows]
        found[table] = {blake2b(text.encode("utf-8", "replace")).digest(): text[:300] for text in texts}
    return found


def _differing(before: dict[str, dict[bytes, str]], after: dict[str, dict[bytes, str]]) -> Iterator[str]:
    for table, rows in before.items():
        gone, new = rows.keys() - after[table].keys(), after[table].keys() - rows.keys()
        if gone or new:
            examples = [
                *(rows[each] for each in sorted(gone)[:1]),
                *(after[table][each] for each in sorted(new)[:1]),
            ]
            yield f"{table}: {len(gone)} rows gone, {len(new)} new, such as {' / '.join(examples)}"


def _unsound() -> list[str]:
    db.session.rollback()
    return [f"flask check: {each.check}: {each.detail[:500]}" for each in check_database() if not each.ok]


def _common(workspace: Workspace, user: User) -> dict[str, Any]:
    """What stands for the names in routes that do not name history."""
    return {
        "workspace_id": workspace.id,
        "user_id": user.id,
        "key_id": db.session.scalar(sa.select(ApiKey.id)),
        "ingest_key_id": db.session.scalar(sa.select(IngestKey.id)),
        "token": "x",
        "filename": "portal.css",
        "kind": "run",
    }


def _workflows(history: History) -> Iterator[Subject]:
    """Those that have runs, and one that is only a name."""
    lines = [line for line in history.lines if line["type"] == "workflow"]
    upload = next(line["id"] for line in history.lines if line["type"] == "upload" and line["path"])
    runs: dict[str, list[str]] = {lines[-1]["id"]: []}
    for line in (line for alike in history.kinds.values() for line in alike):
        runs.setdefault(line["workflow_id"], []).append(line["id"])
    for workflow_id, ids in runs.items():
        some = ",".join(ids[:100] or [upload])
        yield Subject("workflow", {"workflow_id": UUID(workflow_id), "upload_id": upload, "some_runs": some})


_audio = sa.select(Take.audio_id).order_by(Take.artifact_id.is_(None)).limit(1)


def _runs(history: History) -> Iterator[Subject]:
    """Some of every kind, each with another one to be compared with."""
    chosen = [(kind, line) for kind, lines in history.kinds.items() for line in _spread(lines)]
    for place, (kind, line) in enumerate(chosen):
        run_id = UUID(line["id"])
        arguments = {
            "workflow_id": UUID(line["workflow_id"]),
            "run_id": run_id,
            "subject_id": run_id,
            "other_run": chosen[place - 1][1]["id"],
            "run_number": db.session.scalar(sa.select(Run.run_number).where(Run.id == run_id)),
            "audio_id": db.session.scalar(_audio.where(Take.run_id == run_id)) or "0" * 16,
        }
        for node_id in node_ids(line):
            yield Subject(kind, {**arguments, "node_id": node_id})


def _spread(lines: Sequence[Line]) -> Sequence[Line]:
    return lines[:: -(-len(lines) // OF_A_KIND)]


def _page_of(subject: Subject) -> str:
    runs = f"/workflows/{subject.arguments['workflow_id']}/runs"
    return f"{runs}/{subject.arguments['run_id']}" if "run_id" in subject.arguments else runs
