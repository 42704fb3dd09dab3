"""Find a run or a workflow by what people have at hand: an id or its beginning, a number, an address."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from portal.auth.principals import Principal
from portal.database.engine import db
from portal.database.models import Run, Workflow
from portal.input.bounds import MAX_BIGINT
from portal.input.parameters import UUID_PATTERN

MIN_PREFIX = 6
"""Hexadecimal digits that the beginning of an id needs."""

MAX_HITS = 20
MAX_TEXT = 2000

_ID = re.compile(UUID_PATTERN)
_PREFIX = re.compile(rf"[0-9a-fA-F-]{{{MIN_PREFIX},36}}")
_NUMBER = re.compile(r"#?[0-9][0-9, ]*")


@dataclass(frozen=True)
class Hit:
    """A run, or a workflow where `run_id` is None."""

    workflow_id: UUID
    workflow_name: str
    run_id: UUID | None = None
    run_number: int | None = None
    status: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class Lookup:
    """What was found by a text."""

    text: str
    tried: Sequence[str]
    """What the text was taken for, in words."""
    hits: Sequence[Hit]
    more: bool = False
    """Whether there are more than are listed."""
    names_ids: bool = False
    """Whether it has whole ids in it, as an address has: it means nothing else, then."""


def find(principal: Principal, text: str, workflow_id: UUID | None = None) -> Lookup:
    """What the text may mean, among what the principal may see; a number in `workflow_id` first."""
    text = text.strip()[:MAX_TEXT]
    tried: list[str] = []
    if not text:
        return Lookup(text, tried, ())
    ids = [UUID(found[0]) for found in _ID.finditer(text)]
    if ids:
        tried.append("an id or an address with ids in it")
        return Lookup(text, tried, _by_ids(principal, ids), names_ids=True)
    hits: list[Hit] = []
    number = number_in(text)
    if number is not None:
        tried.append(f"run number {number:,}")
        hits += _by_number(principal, number, workflow_id)
    digits = text.replace("-", "")
    if _PREFIX.fullmatch(text) and MIN_PREFIX <= len(digits) <= 32:
        tried.append(f"ids that begin with {text.lower()}")
        hits += [hit for hit in _by_prefix(principal, digits) if hit not in hits]
    return Lookup(text, tried, hits[:MAX_HITS], more=len(hits) > MAX_HITS)


def _by_ids(principal: Principal, ids: Sequence[UUID]) -> list[Hit]:
    """The last id of an address says most: a run's page names its workflow before it."""
    for wanted in reversed(ids):
        hits = runs_where(principal, Run.id == wanted) or _workflows(principal, Workflow.id == wanted)
        if hits:
            return hits
    return []


def _by_number(principal: Principal, number: int, workflow_id: UUID | None) -> list[Hit]:
    """In the workflow that is open; elsewhere only if it has no such run."""
    numbered = Run.run_number == number
    here = runs_where(principal, numbered, Run.workflow_id == workflow_id) if workflow_id else []
    return here or runs_where(principal, numbered)


def _by_prefix(principal: Principal, digits: str) -> list[Hit]:
    """Ids between the prefix filled up with zeros and with effs: a range of the primary key."""
    low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    runs = runs_where(principal, Run.id.between(low, high))
    return runs + _workflows(principal, Workflow.id.between(low, high))


def runs_where(
    principal: Principal, *conditions: sa.ColumnElement[bool], limit: int = MAX_HITS + 1
) -> list[Hit]:
    """The newest runs that the principal may see, and of which these conditions hold."""
    columns = (Run.workflow_id, Workflow.name, Run.id, Run.run_number, Run.status, Run.created_at)
    select = sa.select(*columns).join(Workflow, Run.workflow_id == Workflow.id)
    select = select.where(*conditions, *visible(principal)).order_by(Run.created_at.desc(), Run.id)
    return [Hit(*row) for row in db.session.execute(select.limit(limit))]


def _workflows(principal: Principal, *conditions: sa.ColumnElement[bool]) -> list[Hit]:
    select = sa.select(Workflow.id, Workflow.name).where(*conditions, *visible(principal))
    return [Hit(*row) for row in db.session.execute(select.order_by(Workflow.id).limit(MAX_HITS + 1))]


def visible(principal: Principal) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions on workflows to be live and in a workspace of the principal."""
    return Workflow.workspace_id.in_(principal.workspace_ids), Workflow.deleted_at.is_(None)


def number_in(text: str) -> int | None:
    """The run number that a text is, such as "1204" or "#1,204"; None if it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    digits = re.sub("[^0-9]", "", text)
    number = int(digits) if len(digits) <= 19 else 0
    return number if 1 <= number <= MAX_BIGINT else None
