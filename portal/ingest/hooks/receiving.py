"""What becomes of a delivery: checked, known or new, mapped to lines of history, and stored."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Hook, HookDelivery, HookKind, Workspace
from portal.database.transactions import writing
from portal.errors import BadRequest, Forbidden, NotFound, Unauthorized
from portal.history.importer import import_lines
from portal.history.parsing.readers import BadField
from portal.history.sources import github, gitlab
from portal.history.sources.reading.lines import encode
from portal.history.sources.reading.reader import Line
from portal.history.ways import WayIn
from portal.ingest.hooks import signatures
from portal.ingest.hooks.management import good_secrets, is_allowed
from portal.input.text import is_storable
from portal.moments import format_moment

REMEMBERED = timedelta(days=3)
"""How long GitHub can deliver the same again."""
MAX_DELIVERY = 100

Body = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What another system sends."""

    body: bytes
    proof: str
    """The signature of the body, or the token."""
    delivery: str | None
    """The sender's name for this delivery, the same when it is sent again."""


@dataclass(frozen=True, kw_only=True)
class Received:
    """What became of a delivery: lines taken, lines unchanged, and what was refused and why."""

    accepted: int = 0
    unchanged: int = 0
    refused: tuple[tuple[str, str], ...] = ()
    """Field and reason."""
    is_repeated: bool = False
    is_ignored: bool = False
    """Whether it is of a kind that brings no history."""


def receive_github(address: str, sent: Delivery, now: datetime) -> Received:
    """A delivery of GitHub. Raises NotFound, Unauthorized, BadRequest, Forbidden."""
    hook = _hook(HookKind.GITHUB, address)
    if not signatures.is_signed(sent.body, sent.proof, good_secrets(hook, now)):
        raise Unauthorized("X-Hub-Signature-256 is missing, or is not that of this body.")
    if not sent.delivery or len(sent.delivery) > MAX_DELIVERY:
        raise BadRequest(f"X-GitHub-Delivery must be text of 1 to {MAX_DELIVERY} characters.")
    if _is_known(hook, sent):
        return Received(is_repeated=True)
    body = _parse(sent.body)
    try:
        lines = github.event_lines(body)
    except BadField as fault:
        raise BadRequest(f"{fault.field} {fault}".strip()) from None
    if not lines:
        return Received(is_ignored=True)
    if other := _other_repository(hook, lines):
        raise Forbidden(f"This hook is not for {other}.")
    return _store(hook, sent, lines, now)


def receive_gitlab(address: str, sent: Delivery, now: datetime) -> Received:
    """A delivery of GitLab. Raises NotFound, Unauthorized.

    Whatever has the token is taken, and refused in the answer only: after a few answers of 4xx GitLab
    switches a hook off for good.
    """
    hook = _hook(HookKind.GITLAB, address)
    if not signatures.has_token(sent.proof, good_secrets(hook, now)):
        raise Unauthorized("X-Gitlab-Token is missing or wrong.")
    if _is_known(hook, sent):
        return Received(is_repeated=True)
    try:
        body = _parse(sent.body)
        lines = gitlab.event_lines(body)
    except BadRequest as error:
        return Received(refused=(("", error.message),))
    except BadField as fault:
        return Received(refused=((fault.field, str(fault)),))
    if not lines:
        return Received(is_ignored=True)
    if other := _other_repository(hook, lines):
        return Received(refused=(("project", f"This hook is not for {other}."),))
    return _store(hook, sent, lines, now)


RECEIVERS: Mapping[HookKind, Callable[[str, Delivery, datetime], Received]] = {
    HookKind.GITHUB: receive_github,
    HookKind.GITLAB: receive_gitlab,
}


def _hook(kind: HookKind, address: str) -> Hook:
    select = sa.select(Hook).join(Workspace, Workspace.id == Hook.workspace_id)
    select = select.where(Hook.address == address, Hook.kind == kind, Workspace.deleted_at.is_(None))
    found = db.session.scalar(select) if is_storable(address) else None
    if found is None:
        raise NotFound("There is no such hook.")
    return found


def _other_repository(hook: Hook, lines: list[Line]) -> str | None:
    """A repository that the lines are about and the hook is not for: their source names it."""
    named = [str(line["source"]).removeprefix(f"{hook.kind}:") for line in lines]
    return next((name for name in named if not is_allowed(name, hook.repositories)), None)


def _parse(text: bytes) -> Body:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON: choose application/json as the content type.") from None
    if not isinstance(body, dict):
        raise BadRequest("The body is not a JSON object.")
    return body


def _keys(sent: Delivery) -> list[str]:
    """What a delivery is remembered by: its name, which nobody signs, and its body, which is signed."""
    digest = hashlib.sha256(sent.body).hexdigest()
    return [f"sha256:{digest}", *([f"id:{sent.delivery}"] if sent.delivery else [])]


def _is_known(hook: Hook, sent: Delivery) -> bool:
    known = sa.select(HookDelivery.key).where(
        HookDelivery.hook_id == hook.id, HookDelivery.key.in_(_keys(sent))
    )
    return db.session.scalar(known.limit(1)) is not None


def _store(hook: Hook, sent: Delivery, lines: list[Line], now: datetime) -> Received:
    """Store the lines, then remember the delivery: one that failed half way may come again."""
    hook_id, workspace_id = hook.id, hook.workspace_id
    encoded = [encode(line, format_moment(now)) for line in lines]
    way = WayIn(source_prefix=f"{hook.kind}:", live=True)
    summary = import_lines(workspace_id, encoded, now=now, way=way)
    with writing() as session:
        session.execute(sa.delete(HookDelivery).where(HookDelivery.received_at < now - REMEMBERED))
        keys = _keys(sent)
        same = sa.select(HookDelivery.key).where(HookDelivery.hook_id == hook_id, HookDelivery.key.in_(keys))
        new = set(keys) - set(session.scalars(same))
        session.add_all(HookDelivery(hook_id=hook_id, key=key, received_at=now) for key in new)
        session.execute(sa.update(Hook).where(Hook.id == hook_id).values(last_heard_at=now))
    total = summary.total
    unchanged = total.runs_unchanged + total.workflows_unchanged
    return Received(
        accepted=total.lines - total.bad_lines - unchanged,
        unchanged=unchanged,
        refused=tuple((bad.field, bad.reason) for bad in summary.bad),
    )
