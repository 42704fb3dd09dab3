"""The `flask` commands: one call each, plain words or `--json` out."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from portal import moments
from portal.auth import signin
from portal.auth.api_keys import authentication, management
from portal.auth.audit import audit_export, trail
from portal.auth.openid import identities
from portal.auth.principals import SCOPES
from portal.checks import database_check, doctor, file_check
from portal.cli.failures import Command, Group, say_so_far
from portal.database.models import Role
from portal.history.demo import motion
from portal.history.demo.sample import install_demo
from portal.history.importer import DEFAULT_BATCH_SIZE, import_files
from portal.history.parsing.schema import import_schema
from portal.history.progress import checking_bar, progress_bar
from portal.history.summary import ImportSummary
from portal.input import parameters
from portal.web.proxy import absolute_url_for
from portal.workspaces import accounts
from portal.workspaces.workspaces import WorkspaceSpec, create_workspace

users = Group("users", help="People who can sign in.")
workspaces = Group("workspaces", help="Workspaces: each with its own workflows, members and keys.")
members = Group("members", help="Who belongs to a workspace.")
api_keys = Group("keys", help="API keys for scripts.")
audit_log = Group("audit", help="Who did what to accounts, keys and settings.")


def init_app(app: Flask) -> None:
    for command in (
        users,
        workspaces,
        members,
        api_keys,
        audit_log,
        import_,
        demo,
        check,
        doctor_,
        signin_link,
    ):
        app.cli.add_command(command)


def _json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def _show(as_json: bool, values: dict[str, Any], text: str) -> None:
    click.echo(json.dumps(values) if as_json else text)


@users.command("add", epilog="Example: flask users add ada@example.com --first-name Ada --last-name Lovelace")
@click.argument("email")
@click.option("--first-name", default="", help="First name.")
@click.option("--last-name", default="", help="Last name.")
@_json_option
@with_appcontext
def add_user(email: str, first_name: str, last_name: str, as_json: bool) -> None:
    """Add somebody who can sign in."""
    user = accounts.add_user(email, first_name, last_name, moments.now())
    _show(as_json, {"id": str(user.id), "email": user.email}, f"Added {user.email}.")


@users.command("link", epilog="Example: flask users link ada@example.com https://id.example.com user_2x")
@click.argument("email")
@click.argument("issuer")
@click.argument("subject")
@_json_option
@with_appcontext
def link_user(email: str, issuer: str, subject: str, as_json: bool) -> None:
    """Say which SUBJECT of a provider, the ISSUER, somebody is."""
    user = identities.tie(email, issuer, subject, moments.now())
    values = {"email": user.email, "issuer": issuer, "subject": subject}
    _show(as_json, values, f"{user.email} is {subject} at {issuer}.")


@workspaces.command("add", epilog='Example: flask workspaces add "Acme Voice" --slug acme-voice')
@click.argument("name")
@click.option("--slug", help="Short name for commands; made from NAME unless given.")
@_json_option
@with_appcontext
def add_workspace(name: str, slug: str | None, as_json: bool) -> None:
    """Add a workspace."""
    spec = WorkspaceSpec.parse({"name": name, "slug": slug})
    workspace = create_workspace(spec, None, moments.now())
    values = {"id": str(workspace.id), "name": workspace.name, "slug": workspace.slug}
    _show(as_json, values, f"Added workspace {workspace.slug} ({workspace.id}).")


@members.command("set", epilog="Example: flask members set acme-voice ada@example.com admin")
@click.argument("workspace")
@click.argument("email")
@click.argument("role", type=click.Choice([role.value for role in Role]))
@_json_option
@with_appcontext
def set_member(workspace: str, email: str, role: str, as_json: bool) -> None:
    """Make a user a member of a workspace, or give a member another role."""
    accounts.set_member(workspace, email, role, moments.now())
    values = {"workspace": workspace, "email": email.lower(), "role": role}
    _show(as_json, values, f"{email.lower()} is {role} of {workspace}.")


@api_keys.command(
    "create",
    epilog="Example: flask keys create --workspace acme-voice --user ada@example.com --name nightly "
    "--scope workflows:read",
)
@click.option("--workspace", help="Slug of the workspace; may be left out where there is only one.")
@click.option("--user", "email", required=True, help="E-mail of the member whom the key belongs to.")
@click.option("--name", required=True, help="What the key is for.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help=f"One of {', '.join(SCOPES)}; repeatable."
)
@click.option("--expires", help="Day (its end in UTC) or moment after which the key is worth nothing.")
@click.option("--rate-limit", type=int, help="Requests a minute; the portal's default unless given.")
@_json_option
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
    """Create an API key and print it, once."""
    wanted = {"name": name, "scopes": scopes, "expires_at": expires, "rate_limit_per_min": rate_limit}
    spec = management.KeySpec.parse(wanted, moments.now())
    key = management.create_key_for(accounts.get_workspace(workspace), email, spec, moments.now())
    values = {
        "id": str(key.row.id),
        "api_key": key.plain,
        "workspace_id": str(key.row.workspace_id),
        "scopes": key.row.scopes,
    }
    _show(as_json, values, f"{key.plain}\n\nKeep it now: it is not stored and cannot be shown again.")


@api_keys.command("list", epilog="Example: flask keys list --workspace acme-voice")
@click.option("--workspace", help="Slug of the workspace; all of them unless given.")
@_json_option
@with_appcontext
def list_keys(workspace: str | None, as_json: bool) -> None:
    """List the API keys, without their secrets."""
    found = management.every_key(accounts.get_workspace(workspace) if workspace else None)
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
        click.echo("There are no keys yet. Make one with: flask keys create")


@api_keys.command("revoke", epilog="Example: flask keys revoke 123e4567-e89b-12d3-a456-426614174000")
@click.argument("key_id")
@_json_option
@with_appcontext
def revoke_key(key_id: str, as_json: bool) -> None:
    """Revoke an API key, at once and for good."""
    reader = parameters.Reader({"key_id": key_id})
    found = reader.read("key_id", parameters.uuid, UUID(int=0))
    reader.finish()
    key = management.revoke_any_key(found, moments.now())
    revoked_at = moments.format_moment(key.revoked_at or moments.now())
    _show(as_json, {"id": str(key.id), "revoked_at": revoked_at}, f"Revoked {key.name} ({key.id}).")


@audit_log.command("export", epilog="Example: flask audit export --since 2026-01-01T00:00:00Z > audit.csv")
@click.option("--since", help="Only entries from this moment on.")
@_json_option
@with_appcontext
def export_audit_log(since: str | None, as_json: bool) -> None:
    """Print the audit log, oldest entry first: CSV, or JSON lines."""
    reader = parameters.Reader({} if since is None else {"since": since})
    moment = reader.read("since", parameters.optional_moment, None)
    reader.finish()
    write = audit_export.write_json_lines if as_json else audit_export.write_csv
    write(trail.every_entry(moment), sys.stdout)


@click.command("signin-link", cls=Command, epilog="Example: flask signin-link ada@example.com")
@click.argument("email")
@_json_option
@with_appcontext
def signin_link(email: str, as_json: bool) -> None:
    """Print a link that signs EMAIL in once, within 15 minutes."""
    token = signin.make_link_token(email, moments.now())
    base = current_app.config["BASE_URL"] or "http://127.0.0.1:8000"
    with current_app.test_request_context(base_url=base):
        link = absolute_url_for("auth.confirm", token=token)
    _show(as_json, {"email": email.lower(), "link": link}, link)


def _print_schema(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(json.dumps(import_schema(), indent=2))
        context.exit()


@click.command("import", cls=Command, epilog="Example: flask import --workspace acme-voice history.jsonl.gz")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--workspace", help="Slug of the workspace; may be left out where there is only one.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 100_000),
    default=DEFAULT_BATCH_SIZE,
    show_default=True,
    help="Lines in one transaction.",
)
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Only print the JSON Schema of a line.",
)
@click.option("--check", is_flag=True, help="Only say what is wrong with the files; write nothing.")
@_json_option
@with_appcontext
def import_(
    files: tuple[Path, ...], workspace: str | None, batch_size: int, check: bool, as_json: bool
) -> None:
    """Import run history: JSON Lines, plain or gzip; - is standard input. Importing twice changes nothing."""
    target = accounts.get_workspace(workspace)
    summary = ImportSummary(check=check)
    say_so_far(summary)
    with progress_bar(files) as progress:
        import_files(
            target.id,
            files,
            now=moments.now(),
            check=check,
            batch_size=batch_size,
            progress=progress,
            summary=summary,
        )
    click.echo(json.dumps(summary.to_json()) if as_json else summary.to_text())
    if not summary.ok:
        sys.exit(1)


@click.command("demo", cls=Command, epilog="Example: flask demo")
@click.option("--keep-moving", is_flag=True, help="Then let a few of its runs go on, until stopped.")
@_json_option
@with_appcontext
def demo(keep_moving: bool, as_json: bool) -> None:
    """Make a sample workspace with realistic history; where it exists already, change nothing."""
    installed = install_demo(moments.now())
    _show(as_json, installed.to_json(), installed.to_text())
    if keep_moving:
        motion.keep_moving()


@click.command("check", cls=Command, epilog="Example: flask check --json")
@click.option("--files", "with_files", is_flag=True, help="Also read every stored file.")
@click.option(
    "--repair",
    is_flag=True,
    help="First count anew what the counts beside the runs have wrong; with --files, remove stored files "
    "that are damaged, so that an import brings them again, and leftovers older than a day.",
)
@_json_option
@with_appcontext
def check(repair: bool, with_files: bool, as_json: bool) -> None:
    """Check that the database is whole and keeps its own rules."""
    repaired = database_check.repair_counts() if repair else []
    findings = database_check.check_database()
    if with_files and findings[0].ok:  # there are tables
        with checking_bar() as progress:
            findings += file_check.check_files(repair=repair, now=moments.now(), progress=progress)
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings]))
    for name in () if as_json else repaired:
        click.echo(f"Counted the runs of {name} anew.")
    for finding in () if as_json else findings:
        click.echo(f"{'ok' if finding.ok else 'BAD'}  {finding.check}: {finding.detail}")
    if not all(finding.ok for finding in findings):
        sys.exit(1)


@click.command("doctor", cls=Command, epilog="Example: flask doctor --json")
@_json_option
@with_appcontext
def doctor_(as_json: bool) -> None:
    """Look at the settings and whether all that they point at answers."""
    advice = doctor.examine()
    if as_json:
        click.echo(json.dumps([vars(one) for one in advice]))
    for one in () if as_json else advice:
        click.echo(f"{one.level.upper() if one.level == 'bad' else one.level:4}  {one.check}: {one.detail}")
    if any(one.level == "bad" for one in advice):
        sys.exit(1)
