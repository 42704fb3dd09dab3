"""`flask worker`: runs the steps of workflows."""

import click
from flask import current_app
from flask.cli import with_appcontext

from portal.cli.failures import Command
from portal.cli.ways_in import lineage
from portal.cli.ways_in.sync import mirror_chores
from portal.engine.workers import workshop
from portal.engine.workers.worker import stop_with


@click.command("worker", cls=Command, epilog="Example: flask worker --threads 8")
@click.option("--threads", type=click.IntRange(1, 64), default=4, show_default=True, help="Steps at once.")
@click.option("--queues", default="steps", show_default=True, help="Queues to listen to, with commas.")
@with_appcontext
def worker(threads: int, queues: str) -> None:
    """Run the steps of workflows until told to stop."""
    names = [name.strip() for name in queues.split(",") if name.strip()]
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    stop_with(workshop.open_worker(app, threads, names, [*mirror_chores(app), *lineage.CHORES]).run())
