"""`flask sync`: mirrors of workspaces elsewhere."""

import json
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from portal import moments
from portal.cli.failures import Group, report_progress_of
from portal.cli.output import json_option, show
from portal.config import settings_of
from portal.engine.execution.workers import WorkerIdentity
from portal.engine.workers.worker import Chore
from portal.errors import Conflict
from portal.history.files.progress import mirroring_bar
from portal.history.sync import mirrors, schedule
from portal.history.sync.summary import PassSummary
from portal.workspaces import accounts

sync = Group("sync", help="Mirrors: copies of workspaces of another portal, or of Onepin.")


@sync.command(
    "add",
    epilog="Example: flask sync add --workspace acme-voice --url https://runs.example.com "
    "--key-file /etc/run-portal/acme.key",
)
@click.option("--workspace", help="Slug of the workspace to copy into; optional if there is only one.")
@click.option("--url", required=True, help="Address of the other portal, or of Onepin.")
@click.option(
    "--key-file", required=True, type=click.Path(path_type=Path), help="File with a key for workflows:read."
)
@click.option(
    "--details",
    type=int,
    default=mirrors.DEFAULT_DETAILS,
    show_default=True,
    help="Runs an hour whose steps and results are fetched; 0: only of runs that somebody opens.",
)
@click.option("--name", help="What to call it; the host of the address by default.")
@json_option
@with_appcontext
def add(
    workspace: str | None, url: str, key_file: Path, details: int, name: str | None, as_json: bool
) -> None:
    """Add a mirror. Nothing is copied yet: workers do that, or flask sync run."""
    target = accounts.workspace_by_slug(workspace)
    spec = mirrors.MirrorSpec.parse(url, key_file, details, name)
    added = mirrors.add_mirror(target, spec, moments.now())
    values = {
        "name": added.row.name,
        "workspace": target.slug,
        "source": added.row.source,
        "other_scopes": added.other_scopes,
    }
    said = [f"Added {added.row.name}, a mirror of {added.row.source}."]
    if added.other_scopes:
        said.append(f"Its key may do more than it needs to: {', '.join(added.other_scopes)}.")
    show(as_json, values, "\n".join(said))


@sync.command("run", epilog="Example: flask sync run runs.example.com")
@click.argument("name", required=False)
@click.option("--full", is_flag=True, help="List all runs, whatever the counts say.")
@click.option("--delete", is_flag=True, help="Delete here what the pass before found to be deleted there.")
@json_option
@with_appcontext
def run(name: str | None, full: bool, delete: bool, as_json: bool) -> None:
    """Bring one mirror up to date, or all of them. If it is interrupted, run it again."""
    from portal.history.sync import passes  # loads the SDK

    summaries = []
    holder = WorkerIdentity.new().id
    seconds = settings_of(current_app).sync_seconds
    interval = timedelta(seconds=seconds) if seconds else passes.DEFAULT_INTERVAL
    for mirror in mirrors.find_mirrors(name):
        summary = PassSummary(mirror.name)
        report_progress_of(summary)
        with mirroring_bar(mirror.name) as progress:
            options = passes.PassOptions(full=full, delete=delete, interval=interval, progress=progress)
            try:
                passes.run_pass(mirror.id, holder, options, summary)
            except Conflict as conflict:
                summary.error = conflict.message
        summaries.append(summary)
        if not as_json:
            click.echo(summary.to_text())
    if as_json:
        click.echo(json.dumps([summary.to_json() for summary in summaries]))
    if any(summary.error for summary in summaries):
        sys.exit(1)


@sync.command("list", epilog="Example: flask sync list --json")
@click.option("--workspace", help="Slug of the workspace; all by default.")
@json_option
@with_appcontext
def list_(workspace: str | None, as_json: bool) -> None:
    """List the mirrors, and how far they are."""
    found = mirrors.mirrors_of(accounts.workspace_by_slug(workspace).id if workspace else None)
    if as_json:
        click.echo(json.dumps([each.to_json() for each in found]))
        return
    for each in found:
        passed = f"last pass {moments.format_moment(each.passed_at)}" if each.passed_at else "no pass yet"
        click.echo(
            f"{each.name}  {each.workspace_slug}  {each.source}  {each.runs:,} runs, {each.gone:,} gone, "
            f"{each.without_details:,} without details  {passed}"
        )
        if each.last_error:
            click.echo(f"  {each.last_error}")
    if not found:
        click.echo("There is no mirror yet. Add one with: flask sync add")


@sync.command("remove", epilog="Example: flask sync remove runs.example.com")
@click.argument("name")
@json_option
@with_appcontext
def remove(name: str, as_json: bool) -> None:
    """Remove a mirror. What it has copied stays."""
    mirror = mirrors.remove_mirror(name, moments.now())
    show(as_json, {"name": mirror.name}, f"Removed {mirror.name}. What it has copied stays.")


def mirror_chores(app: Flask) -> Sequence[tuple[float, Chore]]:
    """What a worker does for mirrors."""
    seconds = settings_of(app).sync_seconds
    if not seconds:
        return []
    make = partial(_make_pass, timedelta(seconds=seconds))
    return [(schedule.LOOK_SECONDS, schedule.Mirroring(app.app_context, make).look)]


def _make_pass(
    interval: timedelta, mirror_id: UUID, holder: str, only_opened: bool, is_over: Callable[[], bool]
) -> str | None:
    from portal.history.sync import passes  # loads the SDK

    options = passes.PassOptions(interval=interval, only_opened=only_opened, is_over=is_over)
    summary = passes.run_pass(mirror_id, holder, options, PassSummary(str(mirror_id)))
    return None if summary.error is None else f"{summary.name}: {summary.error}"
