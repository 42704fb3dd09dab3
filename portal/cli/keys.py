"""`flask keys`."""

import json
from uuid import UUID

import click
from flask.cli import with_appcontext

from portal import moments
from portal.auth.api_keys import authentication, management
from portal.auth.principals import SCOPES
from portal.cli.failures import Group
from portal.cli.output import json_option, show
from portal.input import parameters
from portal.workspaces import accounts

api_keys = Group("keys", help="API keys for scripts.")


@api_keys.command(
    "create",
    epilog="Example: flask keys create --workspace acme-voice --user ada@example.com --name nightly "
    "--scope workflows:read",
)
@click.option("--workspace", help="Slug of the workspace; optional if there is only one.")
@click.option("--user", "email", required=True, help="E-mail of the member who owns the key.")
@click.option("--name", required=True, help="What the key is for.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help=f"One of {', '.join(SCOPES)}; repeatable."
)
@click.option("--expires", help="Date (its end in UTC) or time at which the key expires.")
@click.option("--rate-limit", type=int, help="Requests per minute; the portal's setting by default.")
@json_option
@with_appcontext
def create_key(
    workspace: str | None,
    email: str,
    name: str,
    scopes: tuple[str, ...],
    expires: str | None,
    rate_limit: int | None,
    as_json: bool,
) -> None:
    """Create an API key and print it, this once."""
    wanted = {"name": name, "scopes": scopes, "expires_at": expires, "rate_limit_per_min": rate_limit}
    spec = management.KeySpec.parse(wanted, moments.now())
    key = management.create_key_as_operator(accounts.workspace_by_slug(workspace), email, spec, moments.now())
    values = {
        "id": str(key.row.id),
        "api_key": key.plain,
        "workspace_id": str(key.row.workspace_id),
        "scopes": key.row.scopes,
    }
    show(as_json, values, f"{key.plain}\n\nStore it now: it cannot be shown again.")


@api_keys.command("list", epilog="Example: flask keys list --workspace acme-voice")
@click.option("--workspace", help="Slug of the workspace; all by default.")
@json_option
@with_appcontext
def list_keys(workspace: str | None, as_json: bool) -> None:
    """List the API keys, without their secrets."""
    found = management.list_all_keys(accounts.workspace_by_slug(workspace) if workspace else None)
    rows = [
        {
            "id": str(key.id),
            "name": key.name,
            "workspace": owner.slug,
            "key": authentication.preview(key.key_suffix),
            "scopes": key.scopes,
            "last_used_at": key.last_used_at and moments.format_moment(key.last_used_at),
            "expires_at": key.expires_at and moments.format_moment(key.expires_at),
            "revoked_at": key.revoked_at and moments.format_moment(key.revoked_at),
        }
        for key, owner in found
    ]
    if as_json:
        click.echo(json.dumps(rows))
    for row in () if as_json else rows:
        state = (
            f"revoked {row['revoked_at']}"
            if row["revoked_at"]
            else f"last used {row['last_used_at'] or 'never'}"
        )
        click.echo(f"{row['id']}  {row['key']}  {row['workspace']}  {row['name']}  {state}")
    if not rows and not as_json:
        click.echo("There are no keys yet. Create one with: flask keys create")


@api_keys.command("revoke", epilog="Example: flask keys revoke 123e4567-e89b-12d3-a456-426614174000")
@click.argument("key_id")
@json_option
@with_appcontext
def revoke_key(key_id: str, as_json: bool) -> None:
    """Revoke an API key for good."""
    reader = parameters.Reader({"key_id": key_id})
    found = reader.read("key_id", parameters.uuid, UUID(int=0))
    reader.finish()
    key = management.revoke_key_as_operator(found, moments.now())
    revoked_at = moments.format_moment(key.revoked_at or moments.now())
    show(as_json, {"id": str(key.id), "revoked_at": revoked_at}, f"Revoked {key.name} ({key.id}).")
