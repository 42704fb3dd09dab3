"""`flask check`, `flask doctor` and `flask failures`."""

import json
import sys

import click
from flask.cli import with_appcontext

from portal import moments
from portal.checks import database_check, doctor, file_check
from portal.cli.failures import Command, Group
from portal.cli.output import json_option, show
from portal.history.files.progress import checking_bar
from portal.runs.recording.causes.regrouping import regroup_all

failed_runs = Group("failures", help="Failed runs, grouped by cause.")


@click.command("check", cls=Command, epilog="Example: flask check --json")
@click.option("--files", "with_files", is_flag=True, help="Also read every stored file.")
@click.option(
    "--repair",
    is_flag=True,
    help="First recount what is counted wrong, and group failed runs anew; with --files, remove damaged "
    "stored files, which a new import restores, and leftovers older than a day.",
)
@json_option
@with_appcontext
def check(repair: bool, with_files: bool, as_json: bool) -> None:
    """Check the integrity of the database."""
    repaired = [f"Recounted the runs of {name}." for name in database_check.repair_counts()] if repair else []
    if repair and database_check.repair_causes():
        repaired.append("Grouped the failed runs anew.")
    findings = database_check.check_database()
    if with_files and findings[0].ok:  # there are tables
        with checking_bar() as progress:
            findings += file_check.check_files(repair=repair, now=moments.now(), progress=progress)
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings]))
    for line in () if as_json else repaired:
        click.echo(line)
    for finding in () if as_json else findings:
        click.echo(f"{'ok' if finding.ok else 'BAD'}  {finding.check}: {finding.detail}")
    if not all(finding.ok for finding in findings):
        sys.exit(1)


@click.command("doctor", cls=Command, epilog="Example: flask doctor --json")
@json_option
@with_appcontext
def doctor_(as_json: bool) -> None:
    """Diagnose the settings and the services they point to."""
    advice = doctor.examine()
    if as_json:
        click.echo(json.dumps([vars(one) for one in advice]))
    for one in () if as_json else advice:
        click.echo(f"{one.level.upper() if one.level == 'bad' else one.level:4}  {one.check}: {one.detail}")
    if any(one.level == "bad" for one in advice):
        sys.exit(1)


@failed_runs.command("regroup", epilog="Example: flask failures regroup")
@json_option
@with_appcontext
def regroup(as_json: bool) -> None:
    """Group all failed runs anew: after an upgrade, or where `flask check` says so."""
    done = regroup_all()
    line = f"Grouped {done.runs:,} failed runs by {done.causes:,} causes; {done.changed:,} runs changed."
    show(as_json, vars(done), line)
