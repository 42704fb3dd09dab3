"""What happened in a workspace, newest first: runs, and those entries of the audit log that all may see.

A page is merged from both. Of the runs it can only hold some of the workflows that ran last, so however many
runs there are, few rows of an index are read.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import AuditEntry, Member, Person, Run, User, Workflow
from portal.errors import NotFound
from portal.input import parameters
from portal.input.parameters import Reader, Refused
from portal.paging import DEFAULT_LIMIT
from portal.runs.counts.histograms import microseconds, moment_of_key
from portal.usage.period import Chart, UsageQuery

RUN = "workflow_run"
AUDITED = {
    "member_invited": ("invitation.created",),
    "api_key_created": ("key.created",),
    "settings_changed": ("workspace.changed",),
}
"""The kinds of audit entries behind an action."""
ACTIONS = (RUN, "voice_generated", "template_applied", *AUDITED)
"""What a request may ask for; of what is not recorded there are no events."""
_RESOURCES = {"member_invited": "invitation", "api_key_created": "api_key", "settings_changed": "workspace"}
_ACTION_OF = {kind: action for action, kinds in AUDITED.items() for kind in kinds}


@dataclass(frozen=True)
class Position:
    """The last event of a page: events are in the order of moment and id, both descending."""

    at: datetime
    id: UUID

    def to_cursor(self) -> str:
        raw = microseconds(self.at).to_bytes(8, "big", signed=True) + self.id.bytes
        return base64.urlsafe_b64encode(raw).decode()

    @classmethod
    def from_cursor(cls, text: str) -> Self:
        """Parse a cursor. Raises Refused."""
        try:
            raw = base64.b64decode(text, b"-_", validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        if len(raw) != 24:
            raise Refused("must be a cursor that an answer gave.")
        key = int.from_bytes(raw[:8], "big", signed=True)
        end_of_time = (datetime.max if key > 0 else datetime.min).replace(tzinfo=UTC)
        return cls(moment_of_key(key) or end_of_time, UUID(bytes=raw[8:]))


@dataclass(frozen=True)
class FeedQuery:
    """Which events, and from where on."""

    usage: UsageQuery
    action: str | None
    user_id: UUID | None
    limit: int
    after: Position | None

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Parse query parameters. Raises InvalidQuery. An empty cursor is none."""
        reader = Reader({name: text for name, text in args.items() if (name, text) != ("cursor", "")})
        query = cls(
            usage=UsageQuery.read(reader),
            action=reader.read("type", parameters.one_of(ACTIONS), None),
            user_id=reader.read("user_id", parameters.uuid, None),
            limit=reader.read("limit", parameters.limit, DEFAULT_LIMIT),
            after=reader.read("cursor", Position.from_cursor, None),
        )
        reader.finish()
        return query

    def to_args(self) -> dict[str, str]:
        """The query parameters but the cursor."""
        named = {
            "limit": str(self.limit),
            "range": self.usage.range,
            "timezone": self.usage.zone,
            "type": self.action or "",
            "user_id": str(self.user_id or ""),
        }
        return {name: text for name, text in named.items() if text}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that somebody did."""

    id: UUID
    at: datetime
    user_id: UUID | None
    user_name: str | None
    action: str
    kind: str
    """The status of a run, or the kind of the audit entry."""
    resource: str
    resource_id: UUID | None
    resource_name: str | None
    """Not of keys: only admins see these."""
    metadata: Mapping[str, object] | None


def read_feed(workspace_id: UUID, query: FeedQuery, now: datetime) -> tuple[Sequence[Event], Position | None]:
    """A page of events, and the position after which the next begins, if any. NotFound for a stranger."""
    period = query.usage.days(now)
    person_id = _person_id(workspace_id, query.user_id) if query.user_id else None
    found: list[Event] = []
    if query.action in (None, RUN) and (query.user_id is None or person_id is not None):
        found += _runs(workspace_id, query, period, person_id)
    if query.action != RUN:
        found += _entries(workspace_id, query, period)
    found.sort(key=lambda event: (event.at, event.id), reverse=True)
    page = found[: query.limit]
    return page, Position(page[-1].at, page[-1].id) if len(found) > query.limit else None


def _person_id(workspace_id: UUID, user_id: UUID) -> int | None:
    """The person that a user is here; None for a member without runs. Raises NotFound for a stranger."""
    person = sa.select(Person.id).where(Person.workspace_id == workspace_id, Person.user_id == user_id)
    person_id = db.session.scalar(person)
    member = sa.select(Member.user_id).where(Member.workspace_id == workspace_id, Member.user_id == user_id)
    if person_id is None and db.session.scalar(member) is None:
        raise NotFound("There is no such person here.")
    return person_id


def _runs(workspace_id: UUID, query: FeedQuery, period: Chart, person_id: int | None) -> list[Event]:
    """The newest runs, one more than a page holds."""
    conditions = _on_page(Run.created_at, Run.id, query, period)
    if person_id is not None:
        conditions.append(Run.person_id == person_id)
    runs = sa.select(Run.created_at, Run.id).where(*conditions)
    runs = runs.order_by(Run.created_at.desc(), Run.id.desc())
    newest = runs.where(Run.workflow_id == Workflow.id).limit(1)
    last_events = sa.select(
        Workflow.id, *(newest.with_only_columns(each).scalar_subquery() for each in (Run.created_at, Run.id))
    )
    of_workspace = db.session.execute(last_events.where(Workflow.workspace_id == workspace_id))
    ran = sorted(((at, run_id, workflow_id) for workflow_id, at, run_id in of_workspace if at), reverse=True)
    firsts = [
        runs.where(Run.workflow_id == workflow_id).limit(query.limit + 1).subquery()
        for _, _, workflow_id in ran[: query.limit + 1]
    ]
    if not firsts:
        return []
    together = sa.union_all(*(sa.select(first) for first in firsts)).subquery()
    shown = sa.select(together.c.id).order_by(together.c.created_at.desc(), together.c.id.desc())
    return _run_events(db.session.scalars(shown.limit(query.limit + 1)).all())


def _on_page(at: Any, row_id: Any, query: FeedQuery, period: Chart) -> list[sa.ColumnElement[bool]]:
    """The conditions on a moment and an id to be of the period, and past the page before."""
    conditions: list[sa.ColumnElement[bool]] = [at >= period.start, at < period.end]
    if query.after is not None:
        after = sa.literal(query.after.at, at.type), sa.literal(query.after.id, row_id.type)
        conditions += [at <= query.after.at, sa.tuple_(at, row_id) < sa.tuple_(*after)]
    return conditions


def _run_events(run_ids: Sequence[UUID]) -> list[Event]:
    rows = db.session.execute(
        sa.select(
            *(Run.id, Run.created_at, Run.status, Run.run_number),
            *(Workflow.id, Workflow.name, Person.user_id, Person.display_name),
        )
        .join(Workflow, Workflow.id == Run.workflow_id)
        .outerjoin(Person, Person.id == Run.person_id)
        .where(Run.id.in_(run_ids))
    )
    return [
        Event(
            id=run_id,
            at=at,
            user_id=user_id,
            user_name=user_name,
            action=RUN,
            kind=status,
            resource="workflow",
            resource_id=workflow_id,
            resource_name=name,
            metadata={"run_id": str(run_id), "run_number": number, "status": status},
        )
        for run_id, at, status, number, workflow_id, name, user_id, user_name in rows
    ]


def _entries(workspace_id: UUID, query: FeedQuery, period: Chart) -> list[Event]:
    """The newest entries of the audit log, one more than a page holds."""
    kinds = [kind for kind, action in _ACTION_OF.items() if query.action in (None, action)]
    entries = (
        sa.select(AuditEntry, User)
        .outerjoin(User, User.id == AuditEntry.actor_id)
        .where(
            AuditEntry.workspace_id == workspace_id,
            AuditEntry.kind.in_(kinds),
            *_on_page(AuditEntry.at, AuditEntry.id, query, period),
        )
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(query.limit + 1)
    )
    if query.user_id is not None:
        entries = entries.where(AuditEntry.actor_id == query.user_id)
    return [_entry_event(entry, user) for entry, user in db.session.execute(entries)]


def _entry_event(entry: AuditEntry, user: User | None) -> Event:
    action = _ACTION_OF[entry.kind]
    is_key = action == "api_key_created"
    return Event(
        id=entry.id,
        at=entry.at,
        user_id=entry.actor_id,
        user_name=user.display_name if user else entry.actor,
        action=action,
        kind=entry.kind,
        resource=_RESOURCES[action],
        resource_id=entry.workspace_id if action == "settings_changed" else None,
        resource_name=None if is_key else entry.subject,
        metadata=None if is_key else entry.details,
    )
