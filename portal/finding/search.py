"""What a text may mean: an id, a number, the name of a workflow or of a person, or a part of a run's texts.

A name matches that contains each word of the text, in any order and in any case.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import get_workspace
from portal.auth.principals import Principal
from portal.database.engine import db
from portal.database.models import Person, Run, Workflow
from portal.errors import InvalidQuery
from portal.input.folding import fold
from portal.input.text import storable
from portal.runs.listing import list_runs
from portal.runs.listing.lookup import Hit, Lookup, find, number_in, runs_where, visible
from portal.runs.listing.rows import Texts
from portal.runs.listing.run_list import RunPage
from portal.runs.query import RunQuery

MOST = 8
"""Hits of a group that are listed."""
MOST_RANKED = 500
"""Names that match, of which the best are listed."""
MAX_WORDS = 8
"""Words that are looked for; further ones are left out."""

Row = TypeVar("Row")

_NAME_AND_NUMBER = re.compile(r"(.*\S)\s+(#?[0-9][0-9,]{0,24})\s*")


@dataclass(frozen=True)
class Group(Generic[Row]):
    """The best hits of one kind."""

    rows: Sequence[Row] = ()
    more: bool = False
    """Whether there are more than are listed."""


@dataclass(frozen=True)
class FoundWorkflow:
    id: UUID
    workspace_id: UUID
    name: str


@dataclass(frozen=True)
class FoundPerson:
    """Somebody who triggered runs in a workspace."""

    workspace_id: UUID
    user_id: UUID
    name: str


@dataclass(frozen=True)
class Found:
    """What was found by a text, in groups, the best hits first."""

    exact: Lookup
    """By an id, the beginning of one, a number or an address."""
    workflows: Group[FoundWorkflow] = Group()
    numbered: Group[Hit] = Group()
    """Runs by a name of their workflow and their number, such as "dub 1199"."""
    people: Group[FoundPerson] = Group()
    texts: RunPage | None = None
    """The newest runs of the chosen workspace whose title, labels, branch, commit or error have the text."""

    @property
    def only(self) -> Hit | None:
        """The one thing that was found, where it was found by an id, a number or an address."""
        return self.exact.hits[0] if len(self.exact.hits) == 1 and not self._is_more else None

    @property
    def _is_more(self) -> bool:
        named = self.workflows.rows or self.numbered.rows or self.people.rows
        return bool(named or (self.texts and self.texts.rows))

    def __bool__(self) -> bool:
        return bool(self.exact.hits) or self._is_more


def search(principal: Principal, text: str, workflow_id: UUID | None = None) -> Found:
    """What the text may mean among what the principal may see; a number in `workflow_id` first."""
    exact = find(principal, text, workflow_id)
    words = fold(storable(exact.text)).split()[:MAX_WORDS]
    if not words or exact.names_ids:
        return Found(exact)
    return Found(
        exact,
        _workflows(principal, words),
        _numbered(principal, exact.text),
        _people(principal, words),
        _texts(principal, storable(exact.text)),
    )


def _workflows(principal: Principal, words: Sequence[str]) -> Group[FoundWorkflow]:
    columns = (Workflow.id, Workflow.workspace_id, Workflow.name)
    select = sa.select(*columns).where(*visible(principal), *_containing(Workflow.name_folded, words))
    rows = [FoundWorkflow(*row) for row in db.session.execute(select.limit(MOST_RANKED))]
    return _best(rows, words, lambda row: row.name)


def _people(principal: Principal, words: Sequence[str]) -> Group[FoundPerson]:
    select = sa.select(Person.workspace_id, Person.user_id, Person.display_name).where(
        Person.workspace_id.in_(principal.workspace_ids),
        sa.or_(
            sa.and_(*_containing(Person.display_name_folded, words)),
            sa.and_(*_containing(Person.email_folded, words)),
        ),
    )
    rows = [FoundPerson(*row) for row in db.session.execute(select.limit(MOST_RANKED))]
    return _best(rows, words, lambda row: row.name)


def _numbered(principal: Principal, text: str) -> Group[Hit]:
    """Runs with the number at the end of the text, of workflows whose name contains the words before it."""
    parts = _NAME_AND_NUMBER.fullmatch(text)
    number = number_in(parts[2]) if parts else None
    if parts is None or number is None:
        return Group()
    words = fold(parts[1]).split()[:MAX_WORDS]
    named = _containing(Workflow.name_folded, words)
    rows = runs_where(principal, Run.run_number == number, *named, limit=MOST_RANKED)
    return _best(rows, words, lambda hit: hit.workflow_name)


def _texts(principal: Principal, text: str) -> RunPage | None:
    """Runs by their texts; a number is one of its own, so no text."""
    if principal.workspace is None or number_in(text) is not None:
        return None
    try:
        query = RunQuery.parse({"text": text, "limit": str(MOST)}, workflow_id=None)
    except InvalidQuery:
        return None  # too short, or too long
    return list_runs(get_workspace(principal, principal.workspace.id), query, Texts.BRIEF)


def _containing(column: sa.SQLColumnExpression[str], words: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    return [column.contains(word, autoescape=True) for word in words]


def _best(rows: Sequence[Row], words: Sequence[str], name: Callable[[Row], str]) -> Group[Row]:
    """The first rows by how well their name matches, then by name."""
    ranked = sorted(rows, key=lambda row: (_rank(fold(name(row)), words), fold(name(row))))
    return Group(ranked[:MOST], more=len(ranked) > MOST)


def _rank(name: str, words: Sequence[str]) -> int:
    """0: the name itself, 1: its beginning, 2: beginnings of its words, 3: parts of them."""
    text, parts = " ".join(words), name.split()
    if name == text:
        return 0
    if name.startswith(text):
        return 1
    return 2 if all(any(part.startswith(word) for part in parts) for word in words) else 3
