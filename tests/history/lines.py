"""Lines of history for tests, files of them, and a dump of what they became."""

import gzip
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.columns import Base
from portal.database.transactions import writing
from portal.history.parsing.runs import Arrival
from tests.factories import NOON

TABLES = (
    "workflows", "people", "runs", "run_details", "steps", "run_results", "step_results", "output_lines",
    "artifacts", "takes", "validations", "uploads", "run_languages",
)  # fmt: skip
UNSTABLE = {"version", "change_stamp", "arrived_in", "person_id", "import_digest"} | {
    "workflows.created_at",
    "workflows.updated_at",
    "people.id",
}
"""What depends on when or in which batches an import ran, or is a surrogate."""


def an_id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


WORKFLOW = an_id("workflow")
ARRIVAL = Arrival(UUID(an_id("workspace")), NOON)


def workflow_line(**fields: Any) -> dict[str, Any]:
    return {"type": "workflow", "id": WORKFLOW, "name": "Nightly dub"} | fields


def run_line(name: str = "run", **fields: Any) -> dict[str, Any]:
    """A run; a field given as None is left out."""
    line = {
        "type": "run",
        "id": an_id(name),
        "workflow_id": WORKFLOW,
        "status": "completed",
        "created_at": "2026-03-01T12:00:00Z",
        "started_at": "2026-03-01T12:00:01Z",
        "completed_at": "2026-03-01T12:00:31Z",
    } | fields
    return {key: value for key, value in line.items() if value is not None}


def upload_line(name: str = "upload", **fields: Any) -> dict[str, Any]:
    line = {"type": "upload", "id": an_id(name), "workflow_id": WORKFLOW, "category": "script"}
    return line | {"filename": "script.txt", "created_at": "2026-02-01T12:00:00Z"} | fields


def encode(*lines: Any) -> bytes:
    """JSON Lines; bytes go in as they are."""
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return b"".join(text + b"\n" for text in texts)


def write(file: Path, *lines: Any, packed: bool = False) -> Path:
    content = encode(*lines)
    file.write_bytes(gzip.compress(content) if packed else content)
    return file


def dump(
    engine: sa.Engine, *, everything: bool = False, without: Collection[str] = ()
) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the tables that an import writes, with people by their user ids, in a fixed order."""
    unstable = set() if everything else UNSTABLE | {*without}
    with engine.connect() as connection:
        people = Base.metadata.tables["people"].c
        rows = connection.execute(sa.select(people.id, people.user_id))
        known = {row.id: row.user_id for row in rows}
        return {name: _rows(connection, name, known, unstable) for name in TABLES}


_EMPTIED = ("steps", "run_details", "runs", "uploads", "artifacts", "workflows", "people")
_COUNTS_OF_WORKSPACES = (
    *("workspace_run_totals", "workspace_person_runs", "workspace_person_period_runs"),
    *("workspace_run_buckets", "run_arrivals", "cause_days", "cause_workflows", "causes"),
)


def empty() -> None:
    """Remove the runs and workflows that were imported, and who triggered them."""
    with writing() as session:
        for name in _EMPTIED:
            session.execute(Base.metadata.tables[name].delete())
        empty_counts(session)


def empty_counts(session: Session) -> None:
    """Remove what is kept of runs for workspaces: no workflow that is deleted takes that along."""
    for name in _COUNTS_OF_WORKSPACES:
        session.execute(Base.metadata.tables[name].delete())


def _rows(
    connection: sa.Connection, name: str, people: dict[int, UUID], unstable: set[str]
) -> list[tuple[Any, ...]]:
    table = Base.metadata.tables[name]
    columns = [c for c in table.columns if not {c.name, f"{name}.{c.name}"} & unstable]
    rows = [tuple(row) for row in connection.execute(sa.select(*columns))]
    if name == "runs":
        ids = connection.execute(sa.select(table.c.id, table.c.person_id))
        rows += [(run_id, people.get(person_id)) for run_id, person_id in ids]
    return sorted(rows, key=repr)
