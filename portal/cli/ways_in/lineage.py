"""`flask lineage`: events of OpenLineage."""

import click
from flask.cli import with_appcontext

from portal import moments
from portal.cli.failures import Group
from portal.cli.output import json_option, show
from portal.engine.workers.worker import Chore
from portal.ingest.lineage.pruning import prune
from portal.ingest.lineage.store import fold_waiting

PRUNE_SECONDS = 3600.0
FOLD_SECONDS = 30.0


@click.group("lineage", cls=Group)
def lineage() -> None:
    """Manage events of OpenLineage."""


@lineage.command("prune", epilog="Example: flask lineage prune --json")
@json_option
@with_appcontext
def prune_(as_json: bool) -> None:
    """Remove the events of runs that ended a day ago, or of which nothing came for 30 days.

    What they told stays in history. Workers do this by themselves.
    """
    removed = prune(moments.now())
    show(as_json, {"removed": removed}, f"Removed {removed:,} events.")


CHORES: tuple[tuple[float, Chore], ...] = (
    (FOLD_SECONDS, lambda: fold_waiting(moments.now())),
    (PRUNE_SECONDS, lambda: prune(moments.now())),
)
"""What workers do with events: fold those that were left behind, remove old ones."""
