"""Pings: that a run began, ended or is alive, said by a request without any body but its output.

The address forms are those of healthchecks. A ping becomes a line of history about one run with one step, the
command, and is stored as pushed lines are.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID, uuid4

import sqlalchemy as sa

from portal import moments
from portal.auth import limits
from portal.auth.api_keys.ingest_management import SLUG_SENTENCE, is_slug
from portal.auth.ingest_keys import PING_SOURCE, IngestCaller
from portal.database.models import Run, RunStatus, Workflow
from portal.database.transactions import read
from portal.errors import BadRequest, NotFound, PortalError
from portal.history.identity import workflow_id
from portal.ingest import ledger
from portal.ingest.ledger import IngestOutcome, Refusal
from portal.ingest.push import take_lines
from portal.input import parameters

MAX_OUTPUT = 100_000
"""Bytes that are kept of an output: its end."""
NEW_WORKFLOWS_PER_MIN = 60
"""Workflows that a key may make by pings: an address that leaked must not fill the portal."""
COMMAND = "command"
"""The node of the one step of a run."""

_STATUSES = {"start": RunStatus.RUNNING, "log": RunStatus.RUNNING, "fail": RunStatus.FAILED}
_EXIT = re.compile("[0-9]{1,3}")
_MAX_EXIT = 255


class Refused(PortalError):
    """What the ping says cannot be stored."""

    status, code = 422, "VALIDATION_ERROR"


@dataclass(frozen=True, kw_only=True)
class Ping:
    """What a ping says, of a run of the workflow that the slug names."""

    slug: str
    status: RunStatus
    begins: bool = False
    exit_code: int | None = None
    run: UUID | None = None
    """Names the run; without it an end is of the latest open run."""
    creates: bool = False
    """Whether it makes the workflow if there is none."""

    @classmethod
    def parse(cls, caller: IngestCaller, words: Sequence[str], args: Mapping[str, str]) -> Self:
        """Read the words of the address after the key. Raises NotFound, BadRequest."""
        if caller.slug is not None:
            words = words[1:] if words[:1] == [caller.slug] else words
            words = [caller.slug, *words]
        if not 1 <= len(words) <= 2:
            raise NotFound
        slug, what = words[0], words[1] if len(words) == 2 else ""
        if not is_slug(slug):
            raise BadRequest(f"The name of the workflow {SLUG_SENTENCE}")
        status, exit_code = _status(what)
        return cls(
            slug=slug,
            status=status,
            begins=what == "start",
            exit_code=exit_code,
            run=_run(args.get("rid", "")),
            creates=args.get("create") == "1",
        )

    @property
    def ends(self) -> bool:
        return self.status is not RunStatus.RUNNING


def _status(what: str) -> tuple[RunStatus, int | None]:
    """The status of the run, and how the command exited, if that is said."""
    if _EXIT.fullmatch(what) and int(what) <= _MAX_EXIT:
        return (RunStatus.FAILED if int(what) else RunStatus.COMPLETED), int(what)
    if what and what not in _STATUSES:
        raise BadRequest("After the name comes nothing, start, fail, log or an exit status from 0 to 255.")
    return _STATUSES.get(what, RunStatus.COMPLETED), None


def _run(text: str) -> UUID | None:
    try:
        return parameters.uuid(text) if text else None
    except parameters.Refused:
        raise BadRequest("rid must be a UUID.") from None


def take_ping(caller: IngestCaller, ping: Ping, output: str, now: datetime) -> bool:
    """Store what a ping says. Returns whether it made the workflow. Raises NotFound, Refused."""
    source = caller.source or PING_SOURCE
    found_id = workflow_id(caller.workspace_id, source, ping.slug)
    is_new = _is_new(caller, ping, found_id, now)
    of_run = _of_run(found_id, source, ping, is_new)
    if of_run is None:
        return is_new
    line = {"source": source, **of_run, **_said(ping, output, moments.format_moment(now))}
    outcome = take_lines(replace(caller, source=source), [json.dumps(line).encode()], now)
    if outcome.refused:
        raise Refused(f"{outcome.refused[0].field} {outcome.refused[0].reason}".strip())
    return is_new


_WORKFLOW = sa.select(Workflow.deleted_at).where(Workflow.id == sa.bindparam("id"))
_OPEN = (
    sa.select(Run.id)
    .where(
        Run.workflow_id == sa.bindparam("workflow_id"),
        Run.status.in_((RunStatus.PENDING, RunStatus.RUNNING)),
        Run.source_system == sa.bindparam("source"),
    )
    .order_by(Run.created_at.desc(), Run.id)
    .limit(1)
)


def _is_new(caller: IngestCaller, ping: Ping, found_id: UUID, now: datetime) -> bool:
    """Whether the ping makes the workflow. Raises NotFound where there is none and it may not."""
    workflow = read(_WORKFLOW, id=found_id).first()
    if workflow is None and ping.creates:
        limits.rate_limiter().hit("new-workflow", caller.key_id.hex, NEW_WORKFLOWS_PER_MIN)
        return True
    if workflow is None or workflow.deleted_at is not None:
        refusal = Refusal(1, "workflow", f"is {ping.slug}, which is not there: create=1 would make it.")
        ledger.record(caller.key_id, IngestOutcome(refused=[refusal]), now)
        raise NotFound("There is no such workflow. With create=1 a ping makes it.")
    return False


def _of_run(found_id: UUID, source: str, ping: Ping, is_new: bool) -> dict[str, object] | None:
    """How the line names its run and workflow; None for a sign of life of a run that nobody began."""
    workflow = {"name": ping.slug, "external_id": ping.slug}
    if ping.run is not None:
        return {"external_id": str(ping.run), "workflow": workflow}
    if not ping.begins and not is_new:
        open_id = read(_OPEN, workflow_id=found_id, source=source).scalar()
        if open_id is not None:
            return {"id": str(open_id), "workflow_id": str(found_id)}
    if not ping.begins and not ping.ends:
        return None
    return {"external_id": str(uuid4()), "workflow": workflow}


def _said(ping: Ping, output: str, now: str) -> dict[str, object]:
    """What the line says of the run and of its step."""
    state: dict[str, object] = {"status": ping.status}
    if ping.begins:
        state |= {"created_at": now, "started_at": now}
    if ping.ends:
        state["completed_at"] = now
    if ping.exit_code:
        state["error"] = f"Exit status {ping.exit_code}"
    step: dict[str, object] = {"node_id": COMMAND, "node_type": COMMAND, "name": "Command", **state}
    if ping.exit_code is not None:
        step["exit_code"] = ping.exit_code
    if output:
        step["result"] = {"output": output}
    return {"type": "run", "at": now, "last_heard_at": now, **state, "steps": [step]}
