"""`flask audit`."""

import sys

import click
from flask.cli import with_appcontext

from portal.auth.audit import audit_export, trail
from portal.cli.failures import Group
from portal.cli.output import json_option
from portal.input import parameters

audit_log = Group("audit", help="Who did what to accounts, keys and settings.")


@audit_log.command("export", epilog="Example: flask audit export --since 2026-01-01T00:00:00Z > audit.csv")
@click.option("--since", help="Only entries from this time on.")
@json_option
@with_appcontext
def export_audit_log(since: str | None, as_json: bool) -> None:
    """Print the audit log, oldest entry first, as CSV or JSON Lines."""
    reader = parameters.Reader({} if since is None else {"since": since})
    moment = reader.read("since", parameters.optional_moment, None)
    reader.finish()
    write = audit_export.write_json_lines if as_json else audit_export.write_csv
    write(trail.iterate_entries(moment), sys.stdout)
