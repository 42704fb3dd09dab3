"""Every page and state of the portal that a browser test, or a photographer, can walk through."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from portal import moments
from portal.database.models import (
    EngineRun,
    IngestKey,
    Run,
    RunDetail,
    RunResult,
    ScheduleTick,
    StepResult,
    Workflow,
    Workspace,
)
from portal.database.transactions import writing
from portal.definitions.catalog import CATALOG
from portal.engine.contract import Ability
from portal.engine.preparing.abilities import to_json
from portal.history.demo import audio
from portal.ingest import ledger
from portal.ingest.ledger import IngestOutcome, Refusal
from tests.definitions.graphs import CHECK, GENERATOR, SCRIPT, UNSOUND, checked
from tests.factories import (
    EMPTY_DEFINITION,
    NOON,
    make_claim,
    make_detail,
    make_engine_run,
    make_ingest_key,
    make_output,
    make_person,
    make_run,
    make_run_of_version,
    make_runs,
    make_schedule,
    make_steps,
    make_versions,
    make_view,
    make_worker,
    make_workflow,
)

LONG_TITLE = ("A title that goes on and on " * 18)[:497]
"""As long as real ones get."""


def make_odd_workflow(workspace: Workspace) -> Workflow:
    """A workflow whose history breaks the rules, in many scripts."""
    expected = {"cron": "0 2 * * 1-5", "zone": "America/Argentina/ComodRivadavia", "grace": 60}
    workflow = make_workflow(
        workspace,
        "ליל הדיבוב / דִּבּוּב לילי",
        description="وصف من اليمين إلى اليسار",
        expected=expected,
    )
    people = [
        make_person(workspace, name)
        for name in ("ليلى العربي", "김민수", "Nguyễn Thị Ánh", "x" * 120, "🎧 bot")
    ]
    odd = [
        {"status": "failed", "started_at": NOON, "error": "ошибка: " + "ü" * 300},
        {"status": "completed", "started_at": NOON, "completed_at": NOON.replace(hour=1)},
        {"status": "completed", "completed_at": NOON, "finished_steps": 12, "total_steps": 10},
        {"status": "cancelled"},
        {"status": "paused", "started_at": NOON, "pause_reason": "provider_rate_limited"},
        {"status": "pending", "usage_summary": {"api_calls": 10**12, "cpu_seconds": 1e9}},
    ]
    for number, columns in enumerate(odd, start=1):
        make_run(workflow, people[number % 6] if number % 6 < 5 else None, run_number=number, **columns)
    titled = make_run(workflow, run_number=10**9, created_at=NOON + timedelta(hours=1))
    with writing() as session:
        session.add(RunDetail(run_id=titled.id, source={"title": LONG_TITLE}))
    schedule = make_schedule(workflow, uuid4(), stopped_reason="Stopped: " + "why " * 60)
    outcomes: list[dict[str, Any]] = [{"run_id": titled.id}, {"run_id": uuid4()}, {"reason": "w" * 500}, {}]
    with writing() as session:
        for day, outcome in enumerate(outcomes):
            moment = NOON - timedelta(days=day)
            session.add(ScheduleTick(schedule_id=schedule.id, moment=moment, claimed_at=moment, **outcome))
    return workflow


def make_workflows_to_look_at(workspace: Workspace) -> None:
    """A workflow that fails, one that became slow, one with a run that takes long, and a quiet one."""
    now = moments.now()
    kinds = {
        "Failing " + "everywhere " * 8: (["completed"] * 6 + ["failed"] * 3, timedelta(hours=1), 10),
        "Slow": (["completed"] * 125, timedelta(hours=1), 90),
        "Long": (["completed"] * 12 + ["running"], timedelta(hours=24), 10),
        "Quiet": (["completed"] * 8, timedelta(hours=12), 10),
    }
    for name, (statuses, gap, seconds) in kinds.items():
        silence = timedelta(days=3) if name == "Quiet" else timedelta(hours=2)
        rows = []
        for place, status in enumerate(reversed(statuses)):
            at = now - silence - gap * place
            took = timedelta(seconds=seconds if place < 20 else 10)
            times = {"created_at": at, "started_at": at} | (
                {} if status == "running" else {"completed_at": at + took}
            )
            rows.append({"status": status, "error": "no voice " * 40} | times)
        make_runs(make_workflow(workspace, name, description="Spots of the regional stations"), rows)


def make_spoken_run(workspace: Workspace) -> Run:
    """A run of two steps that gave the sample's sounds: several attempts, a dropped line, a step's result."""
    run = make_run(
        make_workflow(workspace, "Spoken dub"), started_at=NOON, completed_at=NOON + timedelta(seconds=9)
    )
    nodes = [{"id": "v", "type": "validator_noise"}, {"id": "out", "type": "sink_preview"}]
    make_detail(run, definition_snapshot={"graph": {"nodes": nodes}})
    sounds = audio.sounds(["de-DE"])
    judged = {"node_id": "v", "kind": "noise", "threshold": 0.9}
    good = {"validations": [judged | {"score": 0.97, "passed": True}], "status": "delivered"}
    bad = {"validations": [judged | {"score": 0.4, "passed": False, "reason": "a train"}]}
    lines = [
        {
            "script": text,
            "takes": [
                {"locale_code": "de-DE", "status": "not_delivered", "retry_count": 0} | bad,
                {"locale_code": "de-DE", "audio": sounds[audio.path_of("de-DE", number)]} | good,
                {"locale_code": "ko-KR", "status": "dropped", "script": "안녕하세요"} | bad,
            ],
        }
        for number, text in enumerate(audio.LINES)
    ]
    make_output(run, workspace, *lines, {"script": "One more"})
    times = [NOON + timedelta(seconds=seconds) for seconds in (0, 6, 9)]
    make_steps(
        run,
        {"name": "Speak", "started_at": times[0], "completed_at": times[1]},
        {"name": "Check", "started_at": times[1], "completed_at": times[2]},
    )
    with writing() as session:
        session.add(StepResult(run_id=run.id, position=0, result={"notes": "# Notes\n\n- one", "lines": 6}))
    return run


def make_driven_runs(workspace: Workspace) -> tuple[Run, Run]:
    """Two runs of the engine: one with a step under way and one that waits, and a paused one."""
    definition = checked()
    workflow = make_workflow(workspace, "Driven dub", definition=definition)
    who, begun = make_person(workspace, "Grace Hopper"), moments.now() - timedelta(minutes=2)
    times = {"created_at": begun, "started_at": begun, "total_steps": 4, "finished_steps": 1}
    running = make_engine_run(workflow, "running", person_id=who.id, run_number=2, **times)
    pause = {"pause_requested_at": begun, "paused_at": begun, "pause_reason": "provider_outage"}
    paused = make_engine_run(
        workflow, "paused", run_number=1, pause_error="The provider answered 503.", **times, **pause
    )
    for run in (running, paused):
        make_detail(run, definition_snapshot=definition)
    make_steps(
        running,
        {"node_id": SCRIPT, "node_type": SCRIPT, "started_at": begun, "completed_at": begun},
        {"node_id": GENERATOR, "node_type": GENERATOR, "started_at": begun, "status": "running"},
        {"node_id": CHECK, "node_type": CHECK, "started_at": begun, "status": "running"},
    )
    later = moments.now() + timedelta(minutes=10)
    worker = make_worker("shown", abilities=to_json(dict.fromkeys(CATALOG, Ability())))
    make_claim(running, worker.id, node_id=GENERATOR, position=1, done=3, total=8)
    waits = {"retry_at": later, "waiting_for": "The provider limits requests (429)."}
    make_claim(running, node_id=CHECK, position=2, **waits)
    with writing() as session:
        session.add(EngineRun(run_id=running.id, workspace_id=workspace.id))
        session.add(EngineRun(run_id=paused.id, workspace_id=workspace.id, resume_at=later))
        held = [{"node_id": GENERATOR, "locales": ["de-de", "fr-fr"]}]
        session.add(RunResult(run_id=paused.id, held_nodes=held))
    return running, paused


def make_versioned_run(workspace: Workspace) -> Run:
    """A run of an older version of a workflow with many versions, names in several scripts among them."""
    workflow = make_workflow(workspace, "Versioned dub")
    renamed, spoken, tuned = (checked() for _ in range(3))
    renamed["graph"]["nodes"][1]["name"] = "قارئ الليل"
    spoken["graph"]["nodes"][1]["config"] = {"voice_map": {"de-de": [{"voice_name": "Anna " * 12}]}}
    tuned["graph"]["nodes"][2]["config"] = {"threshold": 80, "max_retries": 5}
    changed = [EMPTY_DEFINITION, checked(), renamed, spoken, UNSOUND, tuned]
    make_versions(workflow, *changed, user_name="Nguyễn Thị Ánh " * 8)
    run = make_run_of_version(workflow, 4, started_at=NOON, completed_at=NOON)
    make_detail(run, definition_snapshot=spoken)
    return run


def make_way_in(workspace: Workspace) -> UUID:
    """An ingest key that was heard, and whose last lines were refused."""
    make_ingest_key(workspace, "ping", name="Backups of " + "every machine " * 7, slug="db-backup")
    make_ingest_key(workspace, source="github:acme/web")
    with writing() as session:
        key = session.scalars(sa.select(IngestKey).where(IngestKey.source == "github:acme/web")).one()
        key.last_heard_at = moments.now()
        reasons = ("must be one of pending, running.", "is missing.", "ß" * 500)
        refused = [Refusal(n, "steps.3.status" * n, reason) for n, reason in enumerate(reasons, 1)]
    ledger.record(key.id, IngestOutcome(accepted=1203, unchanged=7, refused=refused), moments.now())
    return key.id


def make_views(workflow: Workflow) -> UUID:
    """Views of a workflow: of short and long names, one of them with a filter that no release knows."""
    for number in range(9):
        make_view(workflow, f"View {number} " + "of many words " * (number % 4), parameters={"limit": "50"})
    make_view(workflow, "Odd", parameters={"status": "failed", "mood": "gloomy"})
    long = {"status": "failed,cancelled", "search": "Nguyễn Thị Ánh " * 8, "sort": "status"}
    return make_view(workflow, "عرض الليل", parameters=long, is_default=True).id


def addresses(
    workflow: Workflow,
    odd: Workflow,
    empty: Workflow,
    run_id: str,
    spoken: Run,
    driven: tuple[Run, Run],
    versioned: Run,
    way_in: UUID,
    view: UUID,
) -> dict[str, str]:
    """Name and path of every page and state that a link leads to.

    `spoken` is a run that gave audio, `driven` are a running and a paused one of the engine, `versioned` one
    of the fourth of six versions. `way_in` is an ingest key, `view` a saved view of the workflow.
    """
    running, paused = driven
    of_engine = f"/workflows/{running.workflow_id}"
    runs = f"/workflows/{workflow.id}/runs"
    versions = f"/workflows/{versioned.workflow_id}/versions"
    settings = f"/settings/workspaces/{workflow.workspace_id}"
    return {
        "workflows": "/",
        "workflows-no-match": "/?search=zzz",
        "workflows-bad-value": "/?limit=500",
        "workflows-filtered": "/?has_failed_run=true&sort=name",
        "workflows-failing": "/?look=failing",
        "workflows-bad-look": "/?look=bored",
        "runs": runs,
        "runs-filtered": f"{runs}?status=failed&search=grace",
        "runs-page-2": f"{runs}?offset=20",
        "runs-no-match": f"{runs}?status=paused,cancelled&search=zzz&from=2026-03-01",
        "runs-past-the-end": f"{runs}?offset=9000",
        "runs-bad-values": f"{runs}?status=Completed&limit=500&from=yesterday&search=ada&page=0",
        "runs-odd": f"/workflows/{odd.id}/runs",
        "runs-none-yet": f"/workflows/{empty.id}/runs",
        "all-runs": "/runs",
        "all-runs-filtered": f"/runs?status=failed&workflow={workflow.id}",
        "all-runs-no-match": f"/runs?workflow={workflow.id},{empty.id}&search=zzz",
        "all-runs-bad-values": "/runs?workflow=x&limit=500",
        "run-among-all": f"{runs}/{run_id}?among=all",
        "run": f"{runs}/{run_id}",
        "run-compared": f"{runs}/{run_id}/compare",
        "run-compared-bad-value": f"{runs}/{run_id}/compare?with=zzz",
        "run-compared-elsewhere": f"{runs}/{run_id}/compare?with={spoken.id}",
        "run-spoken": f"/workflows/{spoken.workflow_id}/runs/{spoken.id}?step_result=0",
        "run-zoomed": f"{runs}/{run_id}?from_ms=1000&to_ms=2000",
        "run-start": f"{of_engine}/run",
        "run-start-refused": f"/workflows/{odd.id}/run",
        "run-again": f"/workflows/{spoken.workflow_id}/runs/{spoken.id}/again",
        "run-driven": f"{of_engine}/runs/{running.id}",
        "run-paused": f"{of_engine}/runs/{paused.id}",
        "run-cancel": f"{of_engine}/runs/{running.id}/cancel",
        "runs-driven": f"{of_engine}/runs",
        "workflow-new": f"/workspaces/{workflow.workspace_id}/workflows/new",
        "workflow-edit": f"/workflows/{workflow.id}/edit",
        "workflow-delete": f"/workflows/{workflow.id}/delete",
        "definition": f"{of_engine}/definition?node={CHECK}",
        "definition-json": f"{of_engine}/definition?view=json",
        "definition-empty": f"/workflows/{empty.id}/definition",
        "definition-unsound": f"/workflows/{versioned.workflow_id}/definition",
        "versions": versions,
        "versions-none": f"/workflows/{empty.id}/versions",
        "versions-past-the-end": f"{versions}?offset=900",
        "version-first": f"{versions}/1",
        "version": f"{versions}/6",
        "version-compared": f"{versions}/4?with=6",
        "version-bad-value": f"{versions}/4?with=zzz",
        "run-of-a-version": f"/workflows/{versioned.workflow_id}/runs/{versioned.id}",
        "workflow-schedule": f"/workflows/{odd.id}/schedule",
        "workflow-schedule-remove": f"/workflows/{odd.id}/schedule/remove",
        "workflow-expected": f"/workflows/{odd.id}/expected",
        "workflow-unexpected": f"/workflows/{empty.id}/expected",
        "workflow-unscheduled": f"/workflows/{empty.id}/schedule",
        "view-new": f"/workflows/{workflow.id}/views/new?status=failed&search=grace&sort=status",
        "view-unknown-filter": f"{runs}?status=failed&mood=gloomy",
        "view-edit": f"/views/{view}/edit",
        "view-delete": f"/views/{view}/delete",
        "summary": f"/workflows/{workflow.id}/summary?days=all",
        "summary-bad-days": f"/workflows/{workflow.id}/summary?from=soon",
        "failures": "/failures?days=90&state=open,muted,resolved",
        "failures-none": "/failures?days=1&state=muted",
        "find-nothing": "/find?q=123456",
        "not-found": f"/workflows/{uuid4()}/runs",
        "method-not-taken": "/theme",
        "signin-expired": "/signin/unknown",
        "bring-in": "/history/bring-in",
        "settings": settings,
        "settings-views": f"{settings}/views",
        "settings-keys": f"{settings}/keys",
        "settings-ways-in": f"{settings}/ways-in",
        "settings-way-in": f"{settings}/ways-in/{way_in}",
        "settings-members": f"{settings}/members",
        "settings-audit": f"{settings}/audit",
        "settings-engine": f"{settings}/engine",
        "settings-delete": f"{settings}/delete",
        "workspaces": "/settings/workspaces",
        "sessions": "/settings/sessions",
        "time-zone": "/settings/time-zone",
    }
