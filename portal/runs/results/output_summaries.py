"""The output nodes of a run for pages: the first ones, with counts instead of lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Artifact, Take, TakeStatus
from portal.database.sql.excerpts import cut, short_key, short_key_of
from portal.definitions.graph import outputs_of, type_in_words
from portal.runs.results.first_rows import FirstRows, first_keys, known_first

MAX_NAME = 100


@dataclass(frozen=True)
class OutputSummary:
    """What reached one output node."""

    node_id: str
    """A long id is shortened by `excerpts.short_key_of`."""
    name: str
    line_count: int
    """Lines, counted once for each language."""
    has_files: bool
    """Whether there is anything to download: delivered audio or other files."""


def summarize_outputs(
    run_id: UUID, definition: Mapping[str, object] | None, limit: int
) -> FirstRows[OutputSummary]:
    """The output nodes of the graph in its order, then those that only takes and files name; two queries."""
    names = {short_key_of(node.id): cut(node.display_name, MAX_NAME) for node in outputs_of(definition)}
    known = list(names)[:limit]
    lines_to_all, counts = _line_counts(run_id, known, limit)
    files_to_all, files = _keys_with_files(run_id, known, limit)
    keys, more = first_keys(names, {*counts, *files}, limit)
    rows = [
        OutputSummary(
            key,
            names.get(key) or type_in_words("unknown"),
            lines_to_all + counts.get(key, 0),
            files_to_all or key in files,
        )
        for key in keys
    ]
    return FirstRows(rows, more)


def _line_counts(run_id: UUID, known: Sequence[str], limit: int) -> tuple[int, dict[str, int]]:
    """The number of lines that go to all output nodes, and to each of the known and some other nodes."""
    lines = (
        sa.select(short_key(Take.output_node_id).label("key"), Take.line, Take.locale_code)
        .where(Take.run_id == run_id, Take.status != TakeStatus.DROPPED)
        .distinct()
        .subquery()
    )
    counted = sa.select(lines.c.key, sa.func.count()).group_by(lines.c.key)
    ordered = counted.order_by(known_first(lines.c.key, known), lines.c.key)
    counts = {row[0]: row[1] for row in db.session.execute(ordered.limit(limit + 2))}
    return counts.pop(None, 0), counts


def _keys_with_files(run_id: UUID, known: Sequence[str], limit: int) -> tuple[bool, set[str]]:
    """Whether audio was delivered to all output nodes, and which of the known and some others have files."""
    stored = sa.select(Take.artifact_id).where(Take.run_id == run_id, Take.artifact_id.is_not(None))
    undelivered = stored.where(Take.status != TakeStatus.DELIVERED)
    delivered = stored.where(Take.status == TakeStatus.DELIVERED)
    files = sa.select(short_key(Artifact.node_id).label("key")).where(
        Artifact.run_id == run_id, Artifact.node_id.is_not(None), Artifact.id.not_in(undelivered)
    )
    audio = delivered.with_only_columns(short_key(Take.output_node_id).label("key"))
    found = sa.union(files, audio).subquery()
    ordered = sa.select(found.c.key).order_by(known_first(found.c.key, known), found.c.key)
    keys = {row[0] for row in db.session.execute(ordered.limit(limit + 2))}
    return None in keys, keys - {None}
