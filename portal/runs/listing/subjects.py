"""Titles and labels of runs, as their source gave them, for lists on pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import RunDetail
from portal.database.sql.excerpts import cut, excerpt, json_members
from portal.database.transactions import read

MAX_TITLE = 500
MAX_LABELS = 1000
"""Characters of the title, and of the labels as JSON, that a list reads."""


@dataclass(frozen=True)
class Subject:
    """The title and labels of a run."""

    title: str | None
    """Ends in an ellipsis if it was cut."""
    labels: Mapping[str, object]
    """The first labels."""


def subjects_of(ids: Sequence[UUID]) -> dict[UUID, Subject]:
    """The subjects of a page of runs that have one, in one query by primary key.

    It reads excerpts only, because the source's data may be large.
    """
    if not ids:
        return {}
    rows = read(_SUBJECTS, ids=list(ids))
    return {row.run_id: _subject(row.title, row.labels) for row in rows if row.title or row.labels}


_SUBJECTS = sa.select(
    RunDetail.run_id,
    excerpt(RunDetail.source["title"].as_string(), MAX_TITLE).label("title"),
    excerpt(RunDetail.source["labels"].as_string(), MAX_LABELS).label("labels"),
).where(RunDetail.run_id.in_(sa.bindparam("ids", expanding=True)))


def _subject(title: str | None, labels: str | None) -> Subject:
    """Labels that are no JSON object are ignored."""
    first, _ = json_members(labels, MAX_LABELS)
    return Subject(title and cut(title, MAX_TITLE), first or {})
