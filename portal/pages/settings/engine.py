"""The engine, for the admins of a workspace: its workers, what they can do, and which runs wait."""

from collections.abc import Sequence
from dataclasses import dataclass

from portal.auth.gate import current_principal, requires
from portal.config import current_settings
from portal.engine.reporting import health
from portal.engine.reporting.health import NodeAbility, Queue, WaitingRun, Worker
from portal.pages import bp
from portal.web.rendering import render
from portal.workspaces.workspaces import workspace_id_of

MAX_WAITING = 20
"""Waiting runs that the page lists."""


@dataclass(frozen=True, kw_only=True)
class EnginePage:
    """What `settings/engine.html` shows. Of runs, it names those of the workspace alone."""

    enabled: bool
    workers: Sequence[Worker]
    queue: Queue
    """Of the whole installation."""
    waiting: Sequence[WaitingRun]
    """The runs of the workspace that have waited longest."""
    abilities: Sequence[NodeAbility]
    release: str
    """The latest migration that this server knows."""


@bp.get("/settings/workspaces/<workspace_id>/engine")
@requires("workspace:manage")
def engine_page(workspace_id: str) -> str:
    settings = current_settings()
    workers = health.read_workers(settings.engine)
    workspace = workspace_id_of(current_principal())
    page = EnginePage(
        enabled=settings.engine.enabled,
        workers=workers,
        queue=health.read_queue(settings.engine),
        waiting=health.list_waiting_runs(settings.engine, workspace, MAX_WAITING),
        abilities=health.node_abilities(workers),
        release=health.RELEASE,
    )
    return render("settings/engine.html", page)
