"""`flask keys`."""

import json
from collections.abc import Mapping, Sequence
from uuid import UUID

import click
from flask.cli import with_appcontext

from portal import moments
from portal.auth.api_keys import authentication, ingest_management, management
from portal.auth.principals import SCOPES
from portal.cli.failures import Group
from portal.cli.output import json_option, show
from portal.input import parameters
from portal.workspaces import accounts
from portal.workspaces.workspaces import Workspace

_STORE_IT = "Store it now: it cannot be shown again."

api_keys = Group("keys", help="API keys for scripts, and ingest keys for history from elsewhere.")


@api_keys.command(
    "create",
    epilog="Example: flask keys create --workspace acme-voice --user ada@example.com --name nightly "
    "--scope workflows:read",
)
@click.option("--workspace", help="Slug of the workspace; optional if there is only one.")
@click.option("--user", "email", help="E-mail of the member who owns an API key.")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--scope", "scopes", multiple=True, help=f"Of an API key: {', '.join(SCOPES)}; repeatable.")
@click.option("--expires", help="Date (its end in UTC) or time at which an API key expires.")
@click.option("--rate-limit", type=int, help="Requests per minute; the portal's setting by default.")
@click.option("--ingest", "kind", flag_value="history", help="A key that pushes run history, and only that.")
@click.option("--ping", "kind", flag_value="ping", help="A key for ping addresses.")
@click.option("--source", help="With --ingest: how its sources begin. With --ping: the source of its runs.")
@click.option("--slug", help="With --ping: the one workflow that the key is for.")
@json_option
@with_appcontext
def create_key(
    workspace: str | None,
    email: str | None,
    name: str,
    scopes: tuple[str, ...],
    expires: str | None,
    rate_limit: int | None,
    kind: str | None,
    source: str | None,
    slug: str | None,
    as_json: bool,
) -> None:
    """Create a key and print it, this once: an API key, or with --ingest or --ping one that adds history."""
    needed: dict[str, object] = {"--user": email, "--scope": scopes}
    of_api, of_ingest = needed | {"--expires": expires}, {"--source": source, "--slug": slug}
    _refuse([option for option, value in (of_api if kind else of_ingest).items() if value])
    if kind:
        about: dict[str, object] = {"kind": kind, "name": name, "source": source, "slug": slug}
        _create_ingest_key(workspace, about | {"rate_limit_per_min": rate_limit}, as_json)
        return
    if missing := [option for option, value in needed.items() if not value]:
        raise click.UsageError(f"Missing option '{missing[0]}'.")
    wanted = {"name": name, "scopes": scopes, "expires_at": expires, "rate_limit_per_min": rate_limit}
    spec = management.KeySpec.parse(wanted, moments.now())
    key = management.create_key_as_operator(
        accounts.workspace_by_slug(workspace), email or "", spec, moments.now()
    )
    values = {
        "id": str(key.row.id),
        "api_key": key.plain,
        "workspace_id": str(key.row.workspace_id),
        "scopes": key.row.scopes,
    }
    show(as_json, values, f"{key.plain}\n\n{_STORE_IT}")


def _refuse(options: Sequence[str]) -> None:
    if options:
        raise click.UsageError(f"This kind of key takes no {options[0]}.")


def _create_ingest_key(workspace: str | None, wanted: Mapping[str, object], as_json: bool) -> None:
    spec = ingest_management.IngestKeySpec.parse(wanted)
    key = ingest_management.create_key_as_operator(accounts.workspace_by_slug(workspace), spec, moments.now())
    values = {
        "id": str(key.row.id),
        "key": key.plain,
        "workspace_id": str(key.row.workspace_id),
        "kind": key.row.kind,
        "source": key.row.source,
        "slug": key.row.slug,
    }
    show(as_json, values, f"{key.plain}\n\n{_STORE_IT}")


@api_keys.command("list", epilog="Example: flask keys list --workspace acme-voice")
@click.option("--workspace", help="Slug of the workspace; all by default.")
@json_option
@with_appcontext
def list_keys(workspace: str | None, as_json: bool) -> None:
    """List the API keys and ingest keys, without their secrets."""
    found = accounts.workspace_by_slug(workspace) if workspace else None
    rows = [_api_key_row(*each) for each in management.list_all_keys(found)]
    rows += [_ingest_key_row(*each) for each in ingest_management.list_all_keys(found)]
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


def _api_key_row(key: management.ApiKey, owner: Workspace) -> dict[str, object]:
    return {
        "id": str(key.id),
        "name": key.name,
        "workspace": owner.slug,
        "key": authentication.preview(key.key_suffix),
        "kind": "api",
        "scopes": key.scopes,
        "last_used_at": key.last_used_at and moments.format_moment(key.last_used_at),
        "expires_at": key.expires_at and moments.format_moment(key.expires_at),
        "revoked_at": key.revoked_at and moments.format_moment(key.revoked_at),
    }


def _ingest_key_row(key: ingest_management.IngestKey, owner: Workspace) -> dict[str, object]:
    return {
        "id": str(key.id),
        "name": key.name,
        "workspace": owner.slug,
        "key": ingest_management.preview(key),
        "kind": key.kind,
        "source": key.source,
        "slug": key.slug,
        "last_used_at": key.last_heard_at and moments.format_moment(key.last_heard_at),
        "revoked_at": key.revoked_at and moments.format_moment(key.revoked_at),
    }


@api_keys.command("revoke", epilog="Example: flask keys revoke 123e4567-e89b-12d3-a456-426614174000")
@click.argument("key_id")
@json_option
@with_appcontext
def revoke_key(key_id: str, as_json: bool) -> None:
    """Revoke an API key or ingest key for good."""
    reader = parameters.Reader({"key_id": key_id})
    found = reader.read("key_id", parameters.uuid, UUID(int=0))
    reader.finish()
    now = moments.now()
    key = ingest_management.revoke_key_as_operator(found, now) or management.revoke_key_as_operator(
        found, now
    )
    revoked_at = moments.format_moment(key.revoked_at or now)
    show(as_json, {"id": str(key.id), "revoked_at": revoked_at}, f"Revoked {key.name} ({key.id}).")
