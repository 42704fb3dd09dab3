"""`flask workflows`."""

from uuid import UUID

import click
from flask.cli import with_appcontext

from portal import moments
from portal.cli.failures import Group
from portal.cli.output import json_option, show
from portal.input import parameters
from portal.workflows.writing import restore_workflow

workflows = Group("workflows", help="Workflows.")


@workflows.command("restore", epilog="Example: flask workflows restore 123e4567-e89b-12d3-a456-426614174000")
@click.argument("workflow_id")
@json_option
@with_appcontext
def restore(workflow_id: str, as_json: bool) -> None:
    """Restore a deleted workflow; runs that were cancelled with it stay cancelled."""
    reader = parameters.Reader({"workflow_id": workflow_id})
    found_id: UUID = reader.uuid("workflow_id")
    reader.finish()
    workflow = restore_workflow(found_id, moments.now())
    show(as_json, {"id": str(workflow.id), "name": workflow.name}, f"Restored {workflow.name}.")
