"""HTML pages and their fragments, one module a subject."""

from typing import Any
from uuid import UUID

from flask import Blueprint, url_for

from portal.auth.gate import chosen_workspace, signed_in
from portal.web.rendering import Dedent

bp = Blueprint("pages", __name__)
bp.record_once(lambda state: state.app.jinja_env.add_extension(Dedent))

MAX_PLACES = 10
"""Workspaces that the menu of every page offers to switch to; the page of them has all."""


@bp.app_context_processor
def frame_variables() -> dict[str, object]:
    """What the frame of every page needs."""
    return {
        "principal": signed_in(),
        "workflows_url": workflows_url,
        "all_runs_url": all_runs_url,
        "failures_url": failures_url,
        "workflow_url": workflow_url,
        "max_places": MAX_PLACES,
    }


def workflows_url(workspace_id: UUID | None = None, **args: Any) -> str:  # as Flask takes them
    """The workflows of a workspace: at the root for the one that was chosen, else under its own address."""
    if workspace_id is None or workspace_id == chosen_workspace():
        return url_for("pages.workflows", **args)
    return url_for("pages.workspace", workspace_id=workspace_id, **args)


def all_runs_url(workspace_id: UUID | None = None, **args: Any) -> str:  # as Flask takes them
    """The runs of all workflows of a workspace, likewise."""
    here = None if workspace_id == chosen_workspace() else workspace_id
    return url_for("pages.workspace_runs", workspace_id=here, **args)


def failures_url(workspace_id: UUID | None = None, **args: Any) -> str:  # as Flask takes them
    """The failures of a workspace by cause, likewise."""
    here = None if workspace_id == chosen_workspace() else workspace_id
    return url_for("pages.failures", workspace_id=here, **args)


def workflow_url(workflow_id: UUID, default_view: UUID | None = None) -> str:
    """Where links to a workflow lead: to its default view, else to its runs."""
    if default_view is not None:
        return url_for("pages.view", view_id=default_view)
    return url_for("pages.runs", workflow_id=workflow_id)


# Each registers its views on `bp`.
from portal.pages import (  # noqa: E402, F401
    bring_in,
    compare,
    expected,
    failures,
    invitations,
    preferences,
    run,
    run_control,
    run_files,
    run_list,
    run_live,
    run_logs,
    run_search,
    run_start,
    run_texts,
    schedule,
    uploads,
    versions,
    workflow_forms,
    workflow_summary,
    workflows,
)
from portal.pages.editor import views  # noqa: E402, F401
from portal.pages.settings import (  # noqa: E402, F401
    audit,
    engine,
    keys,
    members,
    sessions,
    time_zone,
    ways_in,
    workspaces,
)
from portal.pages.views import managing, saving, tabs  # noqa: E402, F401
