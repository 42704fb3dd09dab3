"""What is asked: each shape's address, and the best bare SQL for the same rows.

The SQL is written for SQLite and PostgreSQL alike. `{start}` is the moment that stands at nine tenths of the list:
the floor knows it, as no real reader does.
"""

from dataclasses import dataclass

FIELDS = (
    "id", "status", "run_number", "created_at", "total_nodes", "total_steps", "finished_steps", "usage_summary",
    "started_at", "completed_at", "credits", "pause_requested_at", "paused_at", "finished_nodes", "paused_ms",
    "pause_reason", "pause_error", "output_line_count", "delivered_audio_ms",
)  # fmt: skip
COLUMNS = ", ".join(f"r.{name}" for name in FIELDS)
ROWS = f"SELECT {COLUMNS}, p.user_id, p.display_name FROM runs r LEFT JOIN people p ON p.id = r.person_id"
STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")
ALL = " + ".join(STATUSES)
TOTAL = f"SELECT {ALL} FROM run_totals WHERE workflow_id = :workflow"
NAMED = "SELECT id FROM people WHERE workspace_id = :workspace AND (display_name_folded LIKE :text OR email_folded LIKE :text)"
WINDOW = "r.created_at BETWEEN :earliest AND :latest"


@dataclass(frozen=True)
class Shape:
    name: str
    query: str
    rows: str = ""
    total: str = TOTAL
    path: str = "/api/v1/workflows/{workflow}/runs"
    browser: bool = False
    """Asked by a signed-in browser; its floor is the newest page as JSON."""
    fragment: bool = False


def _page(where: str, order: str) -> str:
    return f"{ROWS} WHERE r.workflow_id = :workflow AND {where} ORDER BY {order} LIMIT 20"


NEWEST = _page("1 = 1", "r.created_at DESC, r.id")
_SAME_STATUS = "SELECT id, started_at FROM runs WHERE workflow_id = :workflow AND status = '{}' ORDER BY started_at, id LIMIT 20"
_TWO = " UNION ALL ".join(
    f"SELECT * FROM ({_SAME_STATUS.format(status)}) AS {status}" for status in ("failed", "cancelled")
)

SHAPES = (
    Shape("newest first", "", NEWEST),
    Shape("failed only", "status=failed", _page("r.status = 'failed'", "r.created_at DESC, r.id"),
          "SELECT failed FROM run_totals WHERE workflow_id = :workflow"),
    Shape("two statuses, started ascending", "status=failed,cancelled&sort=started_at&order=asc",
          f"{ROWS} JOIN (SELECT id FROM ({_TWO}) AS both_of ORDER BY started_at, id LIMIT 20) AS page ON page.id = r.id"
          " ORDER BY r.started_at, r.id",
          "SELECT failed + cancelled FROM run_totals WHERE workflow_id = :workflow"),
    Shape("offset 90 %", "offset={offset}", _page("r.created_at <= :start", "r.created_at DESC, r.id")),
    Shape("search by name", "search={search}", _page(f"r.person_id IN ({NAMED})", "r.created_at DESC, r.id"),
          f"SELECT coalesce(sum({ALL}), 0) FROM person_runs WHERE workflow_id = :workflow AND person_id IN ({NAMED})"),
    Shape("completed ascending in a window", "sort=completed_at&order=asc&from={from}&to={to}",
          _page(WINDOW, "r.completed_at NULLS LAST, r.id"),
          f"SELECT coalesce(sum({ALL}), 0) FROM day_runs WHERE workflow_id = :workflow AND day BETWEEN :first AND :last"),
    Shape("by status", "sort=status&order=asc", _page("1 = 1", "r.status, r.id")),
    Shape("workflow list", "", NEWEST, path="/api/v1/workflows"),
    Shape("fragment", "", NEWEST, path="/workflows/{workflow}/runs/table", browser=True, fragment=True),
    Shape("full page", "", NEWEST, path="/workflows/{workflow}/runs", browser=True),
)  # fmt: skip
