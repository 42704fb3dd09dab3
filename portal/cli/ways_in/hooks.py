"""`flask hooks`: webhooks by which GitHub and GitLab report their runs."""

import json
from uuid import UUID

import click
from flask import current_app
from flask.cli import with_appcontext

from portal import moments
from portal.cli.failures import Group
from portal.cli.output import json_option, show
from portal.ingest.hooks import management
from portal.ingest.hooks.management import Hook, HookWithSecret
from portal.input import parameters
from portal.web.proxy import absolute_url_for
from portal.workspaces import accounts

hooks = Group("hooks", help="Webhooks by which GitHub and GitLab report their runs.")


@hooks.command("add", epilog="Example: flask hooks add --kind github --repository acme/web")
@click.option("--workspace", help="Slug of the workspace; optional if there is only one.")
@click.option("--kind", required=True, help="github or gitlab.")
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    required=True,
    help="Full name of a repository or project, or OWNER/* for all of an owner or group; repeatable.",
)
@json_option
@with_appcontext
def add(workspace: str | None, kind: str, repositories: tuple[str, ...], as_json: bool) -> None:
    """Add a hook, and print its address and its secret, this once."""
    spec = management.HookSpec.parse(kind, repositories)
    _show_secret(management.add(accounts.workspace_by_slug(workspace), spec, moments.now()), as_json)


@hooks.command("list", epilog="Example: flask hooks list --workspace acme-voice")
@click.option("--workspace", help="Slug of the workspace; all by default.")
@json_option
@with_appcontext
def list_hooks(workspace: str | None, as_json: bool) -> None:
    """List the hooks, without their secrets."""
    found = management.list_hooks(accounts.workspace_by_slug(workspace) if workspace else None)
    rows = [
        {
            **management.to_json(hook),
            "workspace": owner.slug,
            "address": _address(hook),
            "last_heard_at": hook.last_heard_at and moments.format_moment(hook.last_heard_at),
            "last_secret_until": hook.last_secret_until and moments.format_moment(hook.last_secret_until),
        }
        for hook, owner in found
    ]
    if as_json:
        click.echo(json.dumps(rows))
    for row, (hook, _) in () if as_json else zip(rows, found, strict=True):
        heard = f"last heard of {row['last_heard_at'] or 'never'}"
        click.echo(f"{row['id']}  {row['kind']}  {row['workspace']}  {', '.join(hook.repositories)}  {heard}")
    if not rows and not as_json:
        click.echo("There are no hooks yet. Add one with: flask hooks add")


@hooks.command("rotate", epilog="Example: flask hooks rotate 123e4567-e89b-12d3-a456-426614174000")
@click.argument("hook_id")
@click.option(
    "--overlap-days",
    type=int,
    default=7,
    show_default=True,
    help="Days for which the last secret stays good; 0 ends it now.",
)
@json_option
@with_appcontext
def rotate(hook_id: str, overlap_days: int, as_json: bool) -> None:
    """Give a hook a new secret and print it, this once."""
    _show_secret(management.rotate(_id(hook_id), overlap_days, moments.now()), as_json)


@hooks.command("remove", epilog="Example: flask hooks remove 123e4567-e89b-12d3-a456-426614174000")
@click.argument("hook_id")
@json_option
@with_appcontext
def remove(hook_id: str, as_json: bool) -> None:
    """Remove a hook; the history that it brought in stays."""
    hook = management.remove(_id(hook_id), moments.now())
    show(as_json, management.to_json(hook), f"Removed the hook {hook.id}.")


def _show_secret(made: HookWithSecret, as_json: bool) -> None:
    address = _address(made.row)
    values = {**management.to_json(made.row), "address": address, "secret": made.secret}
    text = f"Address: {address}\nSecret:  {made.secret}\n\nStore the secret now: it cannot be shown again."
    show(as_json, values, text)


def _address(hook: Hook) -> str:
    base = current_app.config["BASE_URL"] or "http://localhost"
    with current_app.test_request_context(base_url=base):
        return absolute_url_for(f"hooks.{hook.kind}", hook_id=hook.address)


def _id(text: str) -> UUID:
    reader = parameters.Reader({"hook_id": text})
    found = reader.uuid("hook_id")
    reader.finish()
    return found
