"""`flask import` and `flask demo`."""

import json
import sys
from pathlib import Path

import click
from flask.cli import with_appcontext

from portal import moments
from portal.cli.failures import Command, report_progress_of
from portal.cli.output import json_option, show
from portal.history.demo import simulation
from portal.history.demo.sample import install_demo
from portal.history.importer import DEFAULT_BATCH_SIZE, import_files
from portal.history.parsing.schema import import_schema
from portal.history.progress import progress_bar
from portal.history.sources.reading import registry
from portal.history.summary import ImportSummary
from portal.workspaces import accounts


def _print_schema(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(json.dumps(import_schema(), indent=2))
        context.exit()


@click.command("import", cls=Command, epilog="Example: flask import --workspace acme-voice history.jsonl.gz")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--workspace", help="Slug of the workspace; optional if there is only one.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 100_000),
    default=DEFAULT_BATCH_SIZE,
    show_default=True,
    help="Lines per transaction.",
)
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Only print the JSON Schema of a line.",
)
@click.option("--check", is_flag=True, help="Only report errors in the files; write nothing.")
@click.option("--from", "system", help="Whose files they are, such as github: see docs/sources.md.")
@click.option("--source", help="With --from: the name of the source, instead of the usual one.")
@click.option(
    "--zone", help="With --from: the zone of times without one, such as Europe/Berlin; UTC if absent."
)
@click.option("--workflow", help="With --from: the workflow of files that name none.")
@json_option
@with_appcontext
def import_(
    files: tuple[Path, ...],
    workspace: str | None,
    batch_size: int,
    check: bool,
    system: str | None,
    source: str | None,
    zone: str | None,
    workflow: str | None,
    as_json: bool,
) -> None:
    """Import run history: JSON Lines, plain or gzip; - is standard input. Importing twice changes nothing."""
    reading = registry.reading(system, moments.now(), source=source, zone=zone, workflow=workflow)
    target = accounts.workspace_by_slug(workspace)
    summary = ImportSummary(check=check)
    report_progress_of(summary)
    with progress_bar(files) as progress:
        import_files(
            target.id,
            files,
            now=moments.now(),
            check=check,
            batch_size=batch_size,
            progress=progress,
            summary=summary,
            reading=reading,
        )
    click.echo(json.dumps(summary.to_json()) if as_json else summary.to_text())
    if not summary.ok:
        sys.exit(1)


@click.command("demo", cls=Command, epilog="Example: flask demo")
@click.option("--keep-moving", is_flag=True, help="Then keep a few of its runs progressing until stopped.")
@json_option
@with_appcontext
def demo(keep_moving: bool, as_json: bool) -> None:
    """Create a sample workspace with realistic history; if it exists, change nothing."""
    installed = install_demo(moments.now())
    show(as_json, installed.to_json(), installed.to_text())
    if keep_moving:
        simulation.simulate()
