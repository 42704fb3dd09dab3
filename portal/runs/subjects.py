"""What runs were about: title and labels as their source gave them, kept beside the narrow rows of lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import RunDetail
from portal.database.sql.excerpts import cut, excerpt, json_members

MOST_TITLE = 500
MOST_LABELS = 1000
"""Characters of the labels, as JSON, that are read."""


@dataclass(frozen=True)
class Subject:
    title: str | None
    """Ends in an ellipsis where it is longer than a list shows."""
    labels: Mapping[str, object]
    """The first ones."""


def subjects_of(ids: Sequence[UUID]) -> dict[UUID, Subject]:
    """The subjects of a page of runs, in one read by key; runs without any are left out.

    Only the beginnings of title and labels leave the database: all of a run's source may be long.
    """
    if not ids:
        return {}
    rows = db.session.execute(_NAMED.where(RunDetail.run_id.in_(ids)))
    return {row.run_id: _subject(row.title, row.labels) for row in rows if row.title or row.labels}


_NAMED = sa.select(
    RunDetail.run_id,
    excerpt(RunDetail.source["title"].as_string(), MOST_TITLE).label("title"),
    excerpt(RunDetail.source["labels"].as_string(), MOST_LABELS).label("labels"),
)


def _subject(title: str | None, labels: str | None) -> Subject:
    """Labels are a free object; what a source gives in another shape names nothing."""
    first, _ = json_members(labels, MOST_LABELS)
    return Subject(title and cut(title, MOST_TITLE), first or {})
