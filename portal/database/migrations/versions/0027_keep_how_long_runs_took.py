"""Keep how long runs took beside them, in their order and counted in histograms.

Revision: 0027, after 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

NAME = "ix_runs_workflow_id_duration_ms"
COLUMNS = ["workflow_id", "duration_ms", "id", "status", "created_at", "person_id"]
ORDERS = {
    "ix_runs_workflow_id_created_at": ["workflow_id", "created_at", "id", "status", "person_id"],
    "ix_runs_workflow_id_started_at": [
        *("workflow_id", "started_at", "id", "status", "created_at", "person_id")
    ],
    "ix_runs_workflow_id_completed_at": [
        *("workflow_id", "completed_at", "id", "status", "created_at", "person_id")
    ],
    "ix_runs_workflow_id_status_id": ["workflow_id", "status", "id", "created_at", "person_id"],
    "ix_runs_workflow_id_person_id_created_at": ["workflow_id", "person_id", "created_at", "id", "status"],
    "ix_runs_workspace_id_created_at": [
        *("workspace_id", "created_at", "id", "status", "person_id", "workflow_id")
    ],
}
"""Indexes that get the duration as their last column."""
STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")
COUNTS = ", ".join(f"count(*) FILTER (WHERE status = '{status}')" for status in STATUSES)
SPLIT, LONGEST = 8192, 2**53 - 1
HISTOGRAMS = {
    "duration_ms": ("duration_ms IS NOT NULL", (32, 24, 16, 12, 8, 4, 0), 3),
    "no_duration": ("duration_ms IS NULL", (28, 24, 20, 16, 12, 8, 0), 1),
}
"""Which runs are counted, in buckets of how many bits, and how many of these widths always exist: the others
within a wider bucket of many runs.
"""
LIVE = "workflow_id NOT IN (SELECT id FROM workflows WHERE deleted_at IS NOT NULL)"


def upgrade() -> None:
    op.add_column("runs", sa.Column("duration_ms", sa.BigInteger(), nullable=True))
    known = f"started_at <= completed_at AND {_elapsed()} >= 0"
    elapsed = f"CASE WHEN {known} THEN {_elapsed()} END"
    op.execute(
        f"UPDATE runs SET duration_ms = coalesce(({_sent()}), {elapsed})"  # noqa: S608  # names of ours
        " WHERE status IN ('completed', 'failed', 'cancelled')"
    )
    if not _is_sqlite():
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no index is made while checks of the rows are pending
    op.create_index(NAME, "runs", COLUMNS)
    for name, columns in ORDERS.items():
        op.drop_index(name, "runs")
        op.create_index(name, "runs", [*columns, "duration_ms"])
    for histogram in HISTOGRAMS:
        _fill("run_buckets", "workflow_id", histogram, [])
        _fill("workspace_run_buckets", "workspace_id", histogram, [LIVE])
    op.execute("UPDATE schema_state SET oldest_writer = '0027'")  # older ones keep no durations


def downgrade() -> None:
    for table in ("run_buckets", "workspace_run_buckets"):
        op.execute(f"DELETE FROM {table} WHERE histogram IN ('duration_ms', 'no_duration')")  # noqa: S608
    op.drop_index(NAME, "runs")
    for name, columns in ORDERS.items():
        op.drop_index(name, "runs")
        op.create_index(name, "runs", columns)
    op.drop_column("runs", "duration_ms")
    op.execute("UPDATE schema_state SET oldest_writer = '0026'")


def _is_sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")


def _elapsed() -> str:
    """Milliseconds from start to end, without pauses."""
    span = "CAST(floor(extract(epoch FROM completed_at - started_at) * 1000) AS bigint)"
    if _is_sqlite():
        span = "(completed_at - started_at) / 1000"
    return f"({span} - coalesce(paused_ms, 0))"


def _sent() -> str:
    """The duration that history sent, where it is a whole number."""
    if _is_sqlite():
        sent = "CASE WHEN json_type(source, '$.duration_ms') = 'integer' THEN source ->> '$.duration_ms' END"
    else:
        sent = (
            "CASE WHEN json_typeof(source -> 'duration_ms') = 'number'"
            " AND source ->> 'duration_ms' ~ '^[0-9]{1,18}$' THEN CAST(source ->> 'duration_ms' AS bigint) END"
        )
    within = f"CASE WHEN {sent} BETWEEN 0 AND {LONGEST} THEN {sent} END"
    return f"SELECT {within} FROM run_details WHERE run_id = runs.id"  # noqa: S608


def _fill(table: str, owner: str, histogram: str, conditions: list[str]) -> None:
    """Count the runs that are there."""
    only, bits, always = HISTOGRAMS[histogram]
    wider = 0
    for depth, width in enumerate(1 << each for each in bits):
        among = [only, *conditions]
        if depth >= always:
            within = (
                f"FROM {table} WHERE histogram = '{histogram}' AND width = {wider}"
                f" AND {' + '.join(STATUSES)} > {SPLIT}"
            )
            if op.get_bind().execute(sa.text(f"SELECT 1 {within} LIMIT 1")).first() is None:
                return
            among.append(f"({owner}, {_number(histogram, wider)}) IN (SELECT {owner}, number {within})")
        op.execute(
            f"INSERT INTO {table} ({owner}, histogram, width, number, {', '.join(STATUSES)})"  # noqa: S608
            f" SELECT {owner}, '{histogram}', {width}, {_number(histogram, width)}, {COUNTS}"
            f" FROM runs WHERE {' AND '.join(among)} GROUP BY 1, 4"
        )
        wider = width


def _number(histogram: str, width: int) -> str:
    """The bucket of a run."""
    return f"duration_ms / {width}" if histogram == "duration_ms" else _number_of_id(width)


def _number_of_id(width: int) -> str:
    """The bucket of a run by the leading 32 bits of its id."""
    digits = (33 - width.bit_length()) // 4
    if not _is_sqlite():
        return f"CAST(CAST('x' || left(CAST(id AS text), {digits}) AS bit({4 * digits})) AS bigint)"
    places = (
        f"((instr('0123456789ABCDEF', substr(hex(id), {digit + 1}, 1)) - 1) << {4 * (digits - digit - 1)})"
        for digit in range(digits)
    )
    return " + ".join(places)
