"""The output nodes of a run as pages list them: the first ones, whatever is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Artifact, Take, TakeStatus
from portal.database.sql.excerpts import cut, short_key, short_key_of
from portal.definitions.graph import outputs_of, type_in_words

MAX_NAME = 100


@dataclass(frozen=True)
class ShownOutput:
    node_id: str
    """Of a long id what tells it apart (`excerpts.short_key_of`)."""
    name: str
    line_count: int
    """Each language on its own."""
    has_files: bool
    """Whether there is anything to download, delivered audio or other files."""


@dataclass(frozen=True)
class ShownOutputs:
    rows: Sequence[ShownOutput]
    more: bool
    """Whether there are more than are listed."""


def show_outputs(run_id: UUID, definition: Mapping[str, Any] | None, most: int) -> ShownOutputs:
    """The output nodes of the graph in its order, then those that only takes and files name; two queries."""
    names = {short_key_of(node.id): cut(node.display_name, MAX_NAME) for node in outputs_of(definition)}
    first = list(names)[:most]
    to_all, counts = _line_counts(run_id, first, most)
    files_to_all, files = _files(run_id, first, most)
    keys = list(dict.fromkeys([*first, *sorted({*counts, *files} - names.keys())]))
    rows = [
        ShownOutput(
            key,
            names.get(key) or type_in_words("unknown"),
            to_all + counts.get(key, 0),
            files_to_all or key in files,
        )
        for key in keys[:most]
    ]
    return ShownOutputs(rows, more=len(names) > most or len(keys) > most)


def _line_counts(run_id: UUID, first: Sequence[str], most: int) -> tuple[int, dict[str, int]]:
    """How many lines go to all output nodes, and how many to each of these and a few others."""
    key = short_key(Take.output_node_id)
    lines = (
        sa.select(key.label("key"), Take.line, Take.locale_code)
        .where(Take.run_id == run_id, Take.status != TakeStatus.DROPPED)
        .distinct()
        .subquery()
    )
    rank = sa.case((lines.c.key.is_(None), 0), (lines.c.key.in_(first), 1), else_=2)
    counted = sa.select(lines.c.key, sa.func.count()).group_by(lines.c.key)
    rows = db.session.execute(counted.order_by(rank, lines.c.key).limit(most + 2))
    found = {row[0]: row[1] for row in rows}
    return found.pop(None, 0), found


def _files(run_id: UUID, first: Sequence[str], most: int) -> tuple[bool, set[str]]:
    """Whether audio was delivered to all output nodes; of these and a few others those with files."""
    stored = sa.select(Take.artifact_id).where(Take.run_id == run_id, Take.artifact_id.is_not(None))
    undelivered = stored.where(Take.status != TakeStatus.DELIVERED)
    delivered = stored.where(Take.status == TakeStatus.DELIVERED)
    named = sa.select(short_key(Artifact.node_id).label("key")).where(
        Artifact.run_id == run_id, Artifact.node_id.is_not(None), Artifact.id.not_in(undelivered)
    )
    audio = delivered.with_only_columns(short_key(Take.output_node_id).label("key"))
    found = sa.union(named, audio).subquery()
    rank = sa.case((found.c.key.is_(None), 0), (found.c.key.in_(first), 1), else_=2)
    rows = db.session.execute(sa.select(found.c.key).order_by(rank, found.c.key).limit(most + 2))
    keys = {row[0] for row in rows}
    return None in keys, keys - {None}
