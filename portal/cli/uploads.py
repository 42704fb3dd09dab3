"""`flask uploads`: uploads that nobody confirmed."""

import click
from flask.cli import with_appcontext

from portal import moments
from portal.cli.failures import Group
from portal.cli.output import json_option, show
from portal.workflows.uploads.expiry import prune


@click.group("uploads", cls=Group)
def uploads() -> None:
    """Manage uploads."""


@uploads.command("prune", epilog="Example: flask uploads prune --json")
@json_option
@with_appcontext
def prune_(as_json: bool) -> None:
    """Remove the uploads that nobody confirmed within a day, with their files."""
    removed = prune(moments.now())
    show(as_json, {"removed": removed}, f"Removed {removed:,} uploads.")
