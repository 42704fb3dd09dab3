"""`flask credits`: what workspaces may spend on runs."""

import getpass

import click
from flask.cli import with_appcontext

from portal import moments
from portal.cli.failures import Group
from portal.cli.output import json_option, show
from portal.engine.pricing import credits as ledger


@click.group("credits", cls=Group)
def credits_() -> None:
    """Manage the credits of workspaces."""


@credits_.command("grant", epilog="Example: flask credits grant acme-voice 1000")
@click.argument("workspace")
@click.argument("amount", type=int)
@json_option
@with_appcontext
def grant(workspace: str, amount: int, as_json: bool) -> None:
    """Add AMOUNT credits to WORKSPACE. From its first grant on, its runs are charged."""
    balance = ledger.grant(workspace, amount, _account(), moments.now())
    values = {"workspace": workspace, "granted": amount, "balance": balance}
    show(as_json, values, f"Granted {amount:,} credits to {workspace}, which has {balance:,} now.")


def _account() -> str:
    """The account on this machine, as far as it has a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
