"""Every page and state of the portal that a browser test, or a photographer, can walk through."""

from datetime import timedelta
from uuid import uuid4

from portal.db import writing
from portal.models import RunDetail, Workflow, Workspace
from tests.factories import NOON, make_person, make_run, make_workflow

LONG_TITLE = ("A title that goes on and on " * 18)[:497]
"""As long as real ones get."""


def make_odd_workflow(workspace: Workspace) -> Workflow:
    """A workflow whose history breaks the rules, in many scripts."""
    workflow = make_workflow(workspace, "ליל הדיבוב / דִּבּוּב לילי", description="وصف من اليمين إلى اليسار")
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
    return workflow


def addresses(workflow: Workflow, odd: Workflow, empty: Workflow, run_id: str) -> dict[str, str]:
    """Name and path of every page and state that a link leads to."""
    runs = f"/workflows/{workflow.id}/runs"
    settings = f"/settings/workspaces/{workflow.workspace_id}"
    return {
        "workflows": "/",
        "workflows-no-match": "/?search=zzz",
        "workflows-bad-value": "/?limit=500",
        "workflows-filtered": "/?has_failed_run=true&sort=name",
        "runs": runs,
        "runs-filtered": f"{runs}?status=failed&search=grace",
        "runs-page-2": f"{runs}?offset=20",
        "runs-no-match": f"{runs}?status=paused,cancelled&search=zzz&from=2026-03-01",
        "runs-past-the-end": f"{runs}?offset=9000",
        "runs-bad-values": f"{runs}?status=Completed&limit=500&from=yesterday&search=ada&page=0",
        "runs-odd": f"/workflows/{odd.id}/runs",
        "runs-none-yet": f"/workflows/{empty.id}/runs",
        "run": f"{runs}/{run_id}",
        "run-zoomed": f"{runs}/{run_id}?from_ms=1000&to_ms=2000",
        "summary": f"/workflows/{workflow.id}/summary?days=all",
        "summary-bad-days": f"/workflows/{workflow.id}/summary?from=soon",
        "find-nothing": "/find?q=123456",
        "not-found": f"/workflows/{uuid4()}/runs",
        "method-not-taken": "/theme",
        "signin-expired": "/signin/unknown",
        "settings": settings,
        "settings-keys": f"{settings}/keys",
        "settings-members": f"{settings}/members",
        "settings-audit": f"{settings}/audit",
        "settings-delete": f"{settings}/delete",
        "workspaces": "/settings/workspaces",
        "sessions": "/settings/sessions",
    }
