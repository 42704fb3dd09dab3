"""What is asked: each shape's address, and the best bare SQL for the same rows and total.

The SQL is written for SQLite and PostgreSQL alike. The floor knows what no real reader does: `:start` is the moment
that stands at nine tenths of the list, `:begun` the first completion in the window.
"""

from dataclasses import dataclass

RUN_FIELDS = (
    "id", "status", "run_number", "created_at", "total_nodes", "total_steps", "finished_steps", "usage_summary",
    "started_at", "completed_at", "credits", "pause_requested_at", "paused_at", "finished_nodes", "paused_ms",
    "pause_reason", "pause_error", "output_line_count", "delivered_audio_ms", "user_id", "user_name",
)  # fmt: skip
STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")
WORKFLOW_FIELDS = (
    "id", "user_id", "name", "name_source", "description", "created_at", "updated_at", *STATUSES,
    "last_run_status", "last_run_at",
)  # fmt: skip

ALL = " + ".join(STATUSES)
DAYS = "workflow_id = :workflow AND histogram = 'created_at' AND width = 86400000000"
TOTAL = f"SELECT {ALL} FROM run_totals WHERE workflow_id = :workflow"
PEOPLE = "SELECT id FROM people WHERE workspace_id = :workspace AND (display_name_folded LIKE :text OR email_folded LIKE :text)"


@dataclass(frozen=True)
class Shape:
    name: str
    query: str
    rows: str
    total: str = TOTAL
    path: str = "/api/v1/workflows/{workflow}/runs"
    fields: tuple[str, ...] = RUN_FIELDS
    people: str = ""
    """What finds the people whose ids stand as {people} in the rows and the total."""
    browser: bool = False
    """Asked by a signed-in browser; its floor is the newest page as JSON."""
    fragment: bool = False
    changing: bool = False
    """Asked after a write to the workflow each time."""


def _runs(where: str, order: str) -> str:
    columns = ", ".join(f"r.{name}" for name in RUN_FIELDS[:-2])
    return (
        f"SELECT {columns}, p.user_id, p.display_name FROM runs r LEFT JOIN people p ON p.id = r.person_id"
        f" WHERE r.workflow_id = :workflow{where} ORDER BY {order} LIMIT 20"
    )


def _latest(column: str) -> str:
    return (
        f"(SELECT l.{column} FROM runs l WHERE l.workflow_id = w.id ORDER BY l.created_at DESC, l.id LIMIT 1)"
    )


NEWEST = _runs("", "r.created_at DESC, r.id")
_COLUMNS = [f"w.{name}" for name in WORKFLOW_FIELDS[:7]] + [f"coalesce(t.{name}, 0)" for name in STATUSES]
WORKFLOWS = (
    f"SELECT {', '.join(_COLUMNS)}, {_latest('status')}, {_latest('created_at')} FROM workflows w"
    " LEFT JOIN run_totals t ON t.workflow_id = w.id WHERE w.workspace_id = :workspace AND w.deleted_at IS NULL"
    " ORDER BY w.updated_at DESC, w.id LIMIT 20"
)

SHAPES = (
    Shape("newest first", "", NEWEST),
    Shape("failed only", "status=failed",
          _runs(" AND r.status = 'failed'", "r.created_at DESC, r.id"),
          "SELECT failed FROM run_totals WHERE workflow_id = :workflow"),
    Shape("two statuses, started ascending", "status=failed,cancelled&sort=started_at&order=asc",
          _runs(" AND r.status IN ('failed', 'cancelled') AND r.started_at IS NOT NULL", "r.started_at, r.id"),
          "SELECT failed + cancelled FROM run_totals WHERE workflow_id = :workflow"),
    Shape("offset 90 %", "offset={offset}",
          _runs(" AND r.created_at <= :start", "r.created_at DESC, r.id")),
    Shape("search by name", "search={search}",
          _runs(" AND r.person_id + 0 IN ({people})", "r.created_at DESC, r.id"),
          f"SELECT coalesce(sum({ALL}), 0) FROM person_runs WHERE workflow_id = :workflow AND person_id IN ({{people}})",
          people=PEOPLE),
    Shape("completed ascending in a window", "sort=completed_at&order=asc&from={from}&to={to}",
          _runs(" AND r.completed_at >= :begun AND r.created_at BETWEEN :earliest AND :latest", "r.completed_at, r.id"),
          f"SELECT coalesce(sum({ALL}), 0) FROM run_buckets WHERE {DAYS} AND number BETWEEN :first AND :last"),
    Shape("by status", "sort=status&order=asc", _runs("", "r.status, r.id")),
    Shape("workflow list", "", WORKFLOWS,
          "SELECT count(*) FROM workflows WHERE workspace_id = :workspace AND deleted_at IS NULL",
          path="/api/v1/workflows", fields=WORKFLOW_FIELDS),
    Shape("fragment", "", NEWEST, path="/workflows/{workflow}/runs/table", browser=True, fragment=True),
    Shape("poll with news", "since={version}&rows={active}", NEWEST, path="/workflows/{workflow}/runs/live",
          browser=True, fragment=True, changing=True),
    Shape("full page", "", NEWEST, path="/workflows/{workflow}/runs", browser=True),
)  # fmt: skip
