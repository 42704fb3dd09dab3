"""Failures of commands: one line, exit status 1, JSON with `--json`, and what was done before."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, Protocol

import click
from alembic.util.exc import CommandError
from flask.cli import AppGroup
from flask.helpers import get_debug_flag

from portal.database import outages
from portal.errors import InvalidQuery, PortalError
from portal.web.logs import redact

BUG = "INTERNAL_ERROR"
_SUMMARY = "portal.summary"

log = logging.getLogger(__name__)


class Summary(Protocol):
    """What a command has done so far."""

    def to_json(self) -> dict[str, object]: ...
    def to_text(self) -> str: ...


class Command(click.Command):
    """A command that reports every failure."""

    def invoke(self, ctx: click.Context) -> object:
        with report_failures():
            return super().invoke(ctx)


class Group(AppGroup):
    """A group of commands that report every failure."""

    command_class = Command


def report_progress_of(summary: Summary) -> None:
    """Print this summary too if the command fails from here on."""
    click.get_current_context().meta[_SUMMARY] = summary


@contextmanager
def report_failures() -> Iterator[None]:
    """Turn exceptions of a command into messages; outside of commands they propagate."""
    context = click.get_current_context(silent=True)
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort, CommandError, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        if context is None or _SUMMARY not in context.meta:
            raise
        _fail(context, {"code": "INTERRUPTED", "message": "Interrupted."})
    except Exception as error:
        if context is None:
            raise
        log.log(logging.ERROR if get_debug_flag() else logging.DEBUG, "the command failed", exc_info=error)
        _fail(context, _error(error))


def _error(error: Exception) -> dict[str, object]:
    if isinstance(error, InvalidQuery):
        details = [{"field": each.field, "message": each.message} for each in error.errors]
        message = "\n".join(f"{each.field} {each.message}" for each in error.errors)
        return {"code": error.code, "message": message, "details": details}
    if isinstance(error, PortalError):
        return {"code": error.code, "message": error.message}
    cause = outages.cause_of(error)
    more = "" if cause else " The traceback is shown by: flask --debug COMMAND"
    return {"code": cause.code if cause else BUG, "message": redact(outages.explain(error)) + more}


def _fail(context: click.Context, error: dict[str, object]) -> NoReturn:
    summary: Summary | None = context.meta.get(_SUMMARY)
    if context.params.get("as_json"):
        done = summary.to_json() | {"ok": False} if summary else {}
        click.echo(json.dumps({"error": error} | done))
    elif summary:
        click.echo(f"What was done before it failed:\n{summary.to_text()}")
    raise click.ClickException(str(error["message"]))
