"""The `flask` commands; each prints text, or JSON with `--json`."""

from flask import Flask

from portal.cli import (
    accounts,
    audit,
    checks,
    credits,
    history,
    keys,
    uploads,
    worker,
    workflows,
)
from portal.cli.ways_in import hooks, lineage, sync


def init_app(app: Flask) -> None:
    for command in (
        accounts.users,
        accounts.workspaces,
        accounts.members,
        accounts.signin_link,
        keys.api_keys,
        hooks.hooks,
        lineage.lineage,
        workflows.workflows,
        audit.audit_log,
        history.import_,
        history.export,
        history.demo,
        sync.sync,
        uploads.uploads,
        credits.credits_,
        checks.check,
        checks.doctor_,
        checks.failed_runs,
        worker.worker,
    ):
        app.cli.add_command(command)
