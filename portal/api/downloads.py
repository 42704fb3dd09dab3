"""Signed links to the files of a run, valid for 15 minutes (contract 3.12)."""

from datetime import datetime
from typing import Annotated

from flask import Response
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import one
from portal.api.operations import operation
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.runs.address import RunAddress
from portal.runs.detail.run import get_run, get_run_status
from portal.runs.results.downloads import archive_name, audio_name
from portal.storage.signed_links import Grant, sign


class DownloadJson(TypedDict):
    """Where a file can be fetched."""

    url: Annotated[str, Field(description="Opens without a credential, for 15 minutes.")]
    filename: str
    expires_at: datetime


@bp.get("/workflows/<workflow_id>/runs/<run_id>/download")
@requires("workflows:read")
@operation(tag="Results", summary="Get the address of a run's files", answer=DownloadJson, refusals=(409,))
def run_download(workflow_id: str, run_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    filename = archive_name(workflow, get_run(workflow, address.run_id))
    return _link(Grant("run", workflow.workspace_id, address.run_id), filename)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/nodes/<path:node_id>/download")
@requires("workflows:read")
@operation(tag="Results", summary="Get the address of a node's files", answer=DownloadJson, refusals=(409,))
def node_download(workflow_id: str, run_id: str, node_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    filename = archive_name(workflow, get_run(workflow, address.run_id), node_id)
    return _link(Grant("node", workflow.workspace_id, address.run_id, node_id), filename)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/audio/<audio_id>/url")
@requires("workflows:read")
@operation(tag="Results", summary="Get the address of a take's audio", answer=DownloadJson, refusals=(409,))
def audio_url(workflow_id: str, run_id: str, audio_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    filename = audio_name(get_run_status(workflow, address.run_id), audio_id)
    return _link(Grant("audio", workflow.workspace_id, address.run_id, audio_id), filename)


def _link(grant: Grant, filename: str) -> Response:
    link = sign(grant, moments.now())
    answer: DownloadJson = {"url": link.url, "filename": filename, "expires_at": link.expires_at}
    return one(answer)
