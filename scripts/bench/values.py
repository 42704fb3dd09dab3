"""What the shapes ask for, read from what was loaded."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from scripts.bench.place import driver_url

Values = dict[str, Any]
SEARCH = "hopper 3"
"""Sixteen people of a thousand."""

WORKFLOW = "SELECT w.id, w.workspace_id FROM workflows w JOIN workspaces s ON s.id = w.workspace_id WHERE s.slug = 'bench'"
RUNS = "SELECT pending + running + paused + completed + failed + cancelled FROM run_totals WHERE workflow_id = :id"
AT_OFFSET = (
    "SELECT created_at FROM runs WHERE workflow_id = :id ORDER BY created_at DESC, id LIMIT 1 OFFSET :offset"
)
FIRST_COMPLETION = (
    "SELECT min(completed_at) FROM runs WHERE workflow_id = :id AND created_at BETWEEN :begin AND :end"
)
VERSION = "SELECT version FROM workflows WHERE id = :id"
ACTIVE = (
    "SELECT id FROM (SELECT id, status FROM runs WHERE workflow_id = :id ORDER BY created_at DESC, id LIMIT 20) AS newest"
    " WHERE status IN ('pending', 'running', 'paused')"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_values(database: str) -> Values:
    """Ids, totals and the places that the floor knows beforehand, as JSON takes them."""
    engine = sa.create_engine(driver_url(database))
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:

        def value(text: str, **bound: Any) -> Any:
            return connection.execute(sa.text(text), {"id": workflow, **bound}).scalar_one()

        workflow, workspace = connection.execute(sa.text(WORKFLOW)).one()
        runs = value(RUNS)
        offset = runs * 9 // 10 // 20 * 20
        start = _moment(value(AT_OFFSET, offset=offset))
        begin = datetime.combine(start.date() + timedelta(days=10), time(), UTC)
        end = begin + timedelta(days=7, microseconds=-1)
        bounds = {"begin": begin, "end": end}
        if sqlite:
            bounds = {name: (at - EPOCH) // timedelta(microseconds=1) for name, at in bounds.items()}
        half = _moment(value(AT_OFFSET, offset=runs // 2))
        begun = _moment(value(FIRST_COMPLETION, **bounds))
        version = value(VERSION)
        active = connection.execute(sa.text(ACTIVE), {"id": workflow}).scalars().all()
    engine.dispose()
    day = (begin - EPOCH).days
    return {
        "workflow": _id(workflow), "workspace": _id(workspace), "runs": runs, "offset": offset,
        "start": start.isoformat(), "half": f"{half:%Y-%m-%dT%H:%M:%S.%fZ}", "begun": begun.isoformat(),
        "earliest": begin.isoformat(), "latest": end.isoformat(), "first": day, "last": day + 6,
        "from": f"{begin:%Y-%m-%dT%H:%M:%SZ}", "to": f"{end:%Y-%m-%dT%H:%M:%S.%fZ}",
        "version": version, "active": ",".join(map(_id, active)),
        "search": SEARCH.replace(" ", "%20"), "text": f"%{SEARCH}%",
    }  # fmt: skip


def _moment(value: Any) -> datetime:
    moment: datetime = EPOCH + timedelta(microseconds=value) if isinstance(value, int) else value
    return moment.astimezone(UTC)


def _id(value: Any) -> str:
    return str(UUID(bytes=value) if isinstance(value, bytes) else value)
