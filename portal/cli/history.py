"""`flask import`, `flask export` and `flask demo`."""

import json
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar
from uuid import UUID

import click
from flask.cli import with_appcontext

from portal import moments
from portal.auth.access import operators_workflow, operators_workspace
from portal.cli.failures import Command, report_progress_of
from portal.cli.output import json_option, show
from portal.history.demo import simulation
from portal.history.demo.sample import install_demo
from portal.history.export.export import MEDIA_TYPES, Export, ExportFormat
from portal.history.files.progress import progress_bar
from portal.history.importer import DEFAULT_BATCH_SIZE, import_files
from portal.history.parsing.schema import import_schema
from portal.history.sources.reading import registry
from portal.history.summary import ImportSummary
from portal.input.parameters import Args, Reader
from portal.runs.filters.registry import FILTERS
from portal.runs.query import ORDERS, SORTS, RunQuery
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


_FILTER = "filter_"
"""What the names of these options begin with: some are words of Python."""

Callback = TypeVar("Callback", bound=Callable[..., None])


def _filters(command: Callback) -> Callback:
    """An option for every parameter of a filter."""
    parameters = [(name, each) for each in FILTERS for name in each.labels]
    for name, each in reversed(parameters):
        flag, about = f"--{name.replace('_', '-')}", f"Only these: {each.labels[name].lower()}."
        option = click.option(flag, f"{_FILTER}{name}", multiple=each.repeats, help=about)
        command = option(command)
    return command


@click.command(
    "export", cls=Command, epilog="Example: flask export --workspace acme-voice --output runs.jsonl"
)
@click.option("--workspace", help="Slug of the workspace; optional if there is only one.")
@click.option("--workflow", help="Id of a workflow, if not all of the workspace.")
@click.option("--format", type=click.Choice(list(MEDIA_TYPES)), default="jsonl", show_default=True)
@click.option("--steps", is_flag=True, help="With steps, their results, and definitions; JSON Lines only.")
@_filters
@click.option("--sort", type=click.Choice(SORTS), default="created_at", show_default=True)
@click.option("--order", type=click.Choice(ORDERS), default="desc", show_default=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write this file, which is only there once it is whole; standard output if absent.",
)
@with_appcontext
def export(
    workspace: str | None,
    workflow: str | None,
    format: str,
    steps: bool,
    sort: str,
    order: str,
    output: Path | None,
    **filters: str | tuple[str, ...] | None,
) -> None:
    """Export runs: the lines that flask import reads, without files, or CSV for a spreadsheet."""
    args: Args = {"sort": sort, "order": order}
    for name, given in filters.items():
        if given:
            args[name.removeprefix(_FILTER)] = given if isinstance(given, str) else list(given)
    reader = Reader({"format": format, "steps": "true" if steps else "false"})
    wanted = ExportFormat.read(reader, emails=True)
    reader.finish()
    target = accounts.workspace_by_slug(workspace).id
    query = RunQuery.parse(args, workflow_id=workflow)
    seen = operators_workspace(target) if workflow is None else operators_workflow(target, UUID(workflow))
    found = Export(seen=seen, query=query, format=wanted)
    with _opened(output) as file:
        for piece in found.pieces():
            file.write(piece)


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    """A file that takes its name when it is whole, or standard output."""
    if output is None:
        yield sys.stdout.buffer
        return
    beside = output.with_name(f".{output.name}.{secrets.token_hex(4)}.part")
    try:
        with beside.open("xb") as file:
            yield file
        beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)


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
