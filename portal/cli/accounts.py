"""`flask users`, `flask workspaces`, `flask members` and `flask signin-link`."""

import click
from flask import current_app
from flask.cli import with_appcontext

from portal import moments
from portal.auth import signin
from portal.auth.openid import identities
from portal.cli.failures import Command, Group
from portal.cli.output import json_option, show
from portal.web.proxy import absolute_url_for
from portal.workspaces import accounts
from portal.workspaces.workspaces import WorkspaceSpec, create_workspace

users = Group("users", help="People who can sign in.")
workspaces = Group("workspaces", help="Workspaces: each with its own workflows, members and keys.")
members = Group("members", help="Who belongs to a workspace.")


@users.command("add", epilog="Example: flask users add ada@example.com --first-name Ada --last-name Lovelace")
@click.argument("email")
@click.option("--first-name", default="", help="First name.")
@click.option("--last-name", default="", help="Last name.")
@json_option
@with_appcontext
def add_user(email: str, first_name: str, last_name: str, as_json: bool) -> None:
    """Add a user who can sign in."""
    user = accounts.add_user(email, first_name, last_name, moments.now())
    show(as_json, {"id": str(user.id), "email": user.email}, f"Added {user.email}.")


@users.command("link", epilog="Example: flask users link ada@example.com https://id.example.com user_2x")
@click.argument("email")
@click.argument("issuer")
@click.argument("subject")
@json_option
@with_appcontext
def link_user(email: str, issuer: str, subject: str, as_json: bool) -> None:
    """Link a user to their SUBJECT at the provider ISSUER."""
    user = identities.link_identity(email, issuer, subject, moments.now())
    values = {"email": user.email, "issuer": issuer, "subject": subject}
    show(as_json, values, f"{user.email} is {subject} at {issuer}.")


@workspaces.command("add", epilog='Example: flask workspaces add "Acme Voice" --slug acme-voice')
@click.argument("name")
@click.option("--slug", help="Short name for commands; derived from NAME by default.")
@json_option
@with_appcontext
def add_workspace(name: str, slug: str | None, as_json: bool) -> None:
    """Add a workspace."""
    spec = WorkspaceSpec.parse({"name": name, "slug": slug})
    workspace = create_workspace(spec, None, moments.now())
    values = {"id": str(workspace.id), "name": workspace.name, "slug": workspace.slug}
    show(as_json, values, f"Added workspace {workspace.slug} ({workspace.id}).")


@members.command("set", epilog="Example: flask members set acme-voice ada@example.com admin")
@click.argument("workspace")
@click.argument("email")
@click.argument("role", type=click.Choice(accounts.ROLES))
@json_option
@with_appcontext
def set_member(workspace: str, email: str, role: str, as_json: bool) -> None:
    """Add a user to a workspace, or change a member's role."""
    accounts.set_member(workspace, email, role, moments.now())
    values = {"workspace": workspace, "email": email.lower(), "role": role}
    show(as_json, values, f"{email.lower()} is {role} of {workspace}.")


@click.command("signin-link", cls=Command, epilog="Example: flask signin-link ada@example.com")
@click.argument("email")
@json_option
@with_appcontext
def signin_link(email: str, as_json: bool) -> None:
    """Print a link that signs EMAIL in once, within 15 minutes."""
    token = signin.make_link_token(email, moments.now())
    base = current_app.config["BASE_URL"] or "http://127.0.0.1:8000"
    with current_app.test_request_context(base_url=base):
        link = absolute_url_for("auth.confirm", token=token)
    show(as_json, {"email": email.lower(), "link": link}, link)
