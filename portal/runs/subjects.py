"""What runs were about: title and labels as their source gave them, kept beside the narrow rows of lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.db import db
from portal.models import RunDetail


@dataclass(frozen=True)
class Subject:
    title: str | None
    labels: Mapping[str, object]


def subjects_of(ids: Sequence[UUID]) -> dict[UUID, Subject]:
    """The subjects of a page of runs, in one read by key; runs without any are left out.

    Only title and labels leave the database: the rest of a run's source may be long.
    """
    if not ids:
        return {}
    title, labels = RunDetail.source["title"].as_string(), RunDetail.source["labels"]
    named = sa.select(RunDetail.run_id, title.label("title"), labels.label("labels"))
    rows = db.session.execute(named.where(RunDetail.run_id.in_(ids)))
    return {row.run_id: Subject(row.title, _mapping(row.labels)) for row in rows if row.title or row.labels}


def _mapping(labels: object) -> Mapping[str, object]:
    """Labels are a free object; what a source gives in another shape names nothing."""
    return labels if isinstance(labels, Mapping) else {}
