"""Let runs name their workspace, and count those of a workspace beside those of its workflows.

A server of the release before would write runs without a workspace, so it may only read.

Revision: 0026, after 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
LISTED = ["workspace_id", "created_at", "id", "status", "person_id", "workflow_id"]
STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")
SUMS = (
    *("timed_runs", "active_ms", "active_ms_high", "delivered_audio_ms", "delivered_audio_ms_high"),
    *("credits", "credits_high", "output_lines", "output_lines_high"),
)
BOUNDS = ("oldest", "newest")
COUNTS = ", ".join(f"count(*) FILTER (WHERE status = '{status}')" for status in STATUSES)
ADDED = ", ".join(f"CAST(sum({name}) AS bigint)" for name in STATUSES)

SPLIT = 8192
SECOND, DAY = 1_000_000, 86_400_000_000
MOMENTS = {32 * DAY: True, DAY: True, 3600 * SECOND: False, 60 * SECOND: False, SECOND: False}
"""Widths of buckets, and whether these exist even where the wider one holds few runs."""
IDS = {1 << 28: True} | dict.fromkeys((1 << bits for bits in (24, 20, 16, 12, 8, 0)), False)
HISTOGRAMS = {
    "created_at": ("created_at", "", MOMENTS | {3600 * SECOND: True}),
    "started_at": ("started_at", "started_at IS NOT NULL", MOMENTS),
    "completed_at": ("completed_at", "completed_at IS NOT NULL", MOMENTS),
    "id": ("id", "", IDS),
    "not_started": ("id", "started_at IS NULL", IDS),
    "not_completed": ("id", "completed_at IS NULL", IDS),
}


def upgrade() -> None:
    op.add_column("runs", sa.Column("workspace_id", ID, nullable=True))
    op.execute(
        "UPDATE runs SET workspace_id ="
        " (SELECT workspace_id FROM workflows WHERE workflows.id = runs.workflow_id)"
    )
    _refuse_null()
    op.create_index("ix_runs_workspace_id_created_at", "runs", LISTED)
    op.create_index(
        "ix_workflows_workspace_id_version", "workflows", ["workspace_id", "version", "change_stamp"]
    )
    for name, where in (("live", "deleted_at IS NULL"), ("deleted", "deleted_at IS NOT NULL")):
        only = sa.text(where)
        columns = ["workspace_id", "id"]
        op.create_index(
            f"ix_workflows_{name}", "workflows", columns, sqlite_where=only, postgresql_where=only
        )
    op.create_index("ix_person_runs_person_id", "person_runs", ["person_id", "workflow_id"])
    _create_tables()
    _add_up()
    for name, (key, only, widths) in HISTOGRAMS.items():
        _divide(name, key, only, widths)
    op.execute("UPDATE schema_state SET oldest_writer = '0026'")


def _refuse_null() -> None:
    if not _is_sqlite():
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no table is altered while checks of rows are pending
        op.alter_column("runs", "workspace_id", nullable=False)
        return
    # SQLite's own way to add a constraint without copying the table: sqlite.org/lang_altertable.html.
    connection = op.get_bind()
    [(table,)] = connection.exec_driver_sql("SELECT sql FROM sqlite_schema WHERE name = 'runs'")
    before, after = "workspace_id BLOB", "workspace_id BLOB NOT NULL"
    if table.count(before) != 1:
        raise RuntimeError(f"the column is not as it was made: {table}")
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(
        sa.text("UPDATE sqlite_schema SET sql = :table WHERE type = 'table' AND name = 'runs'"),
        {"table": table.replace(before, after)},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def _create_tables() -> None:
    _create(
        "workspace_run_totals",
        [],
        sa.Column("arrived_in", sa.BigInteger(), nullable=False, server_default="0"),
    )
    _create("workspace_person_runs", [_key("person_id", sa.Integer())])
    periods = [_key("ordered_by", sa.String(length=12)), _key("person_id", sa.Integer())]
    _create("workspace_person_period_runs", [*periods, _key("period", sa.Integer())], sqlite_with_rowid=False)
    _create(
        "workspace_run_buckets",
        [
            _key("histogram", sa.String(length=20)),
            _key("width", sa.BigInteger()),
            _key("number", sa.BigInteger()),
        ],
        *(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0") for name in SUMS),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in BOUNDS),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run_arrivals",
        sa.Column("workspace_id", ID, nullable=False),
        _key("number", sa.BigInteger()),
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        *(_parent("run_arrivals", parent) for parent in ("workspace", "workflow")),
        sa.PrimaryKeyConstraint("workspace_id", "number", "workflow_id", name=op.f("pk_run_arrivals")),
        sqlite_with_rowid=False,
    )


def _create(table: str, keys: list[sa.Column[object]], *others: sa.Column[object], **options: bool) -> None:
    """Create a table of counts of the runs of workspaces."""
    op.create_table(
        table,
        sa.Column("workspace_id", ID, nullable=False),
        *keys,
        *(sa.Column(status, sa.BigInteger(), nullable=False) for status in STATUSES),
        *others,
        _parent(table, "workspace"),
        sa.PrimaryKeyConstraint("workspace_id", *(key.name for key in keys), name=op.f(f"pk_{table}")),
        **options,
    )


def _key(name: str, kind: sa.types.TypeEngine[object]) -> sa.Column[object]:
    return sa.Column(name, kind, autoincrement=False, nullable=False)


def _parent(table: str, parent: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{parent}_id_{parent}s")
    return sa.ForeignKeyConstraint([f"{parent}_id"], [f"{parent}s.id"], name=name, ondelete="CASCADE")


def _add_up() -> None:
    """Add up the counts of live workflows, and of their buckets those that always exist."""
    rows = {
        "run_totals": "",
        "person_runs": "person_id, ",
        "person_period_runs": "ordered_by, person_id, period, ",
    }
    live = "JOIN workflows ON workflows.id = workflow_id WHERE deleted_at IS NULL"
    for table, keys in rows.items():
        op.execute(
            f"INSERT INTO workspace_{table} (workspace_id, {keys}{', '.join(STATUSES)})"  # noqa: S608
            f" SELECT workspace_id, {keys}{ADDED} FROM {table} {live}"
            f" GROUP BY {', '.join(['workspace_id', *keys.split(', ')[:-1]])}"
        )
    always = " OR ".join(
        f"histogram = '{name}' AND width IN ({', '.join(str(width) for width in widths if widths[width])})"
        for name, (_, _, widths) in HISTOGRAMS.items()
    )
    sums = ", ".join(f"CAST(sum({name}) AS bigint)" for name in SUMS)
    op.execute(
        f"INSERT INTO workspace_run_buckets (workspace_id, histogram, width, number,"  # noqa: S608
        f" {', '.join((*STATUSES, *SUMS, *BOUNDS))})"
        f" SELECT workspace_id, histogram, width, number, {ADDED}, {sums}, min(oldest), max(newest)"
        f" FROM run_buckets {live} AND ({always}) GROUP BY workspace_id, histogram, width, number"
    )


def _divide(name: str, key: str, only: str, widths: dict[int, bool]) -> None:
    """Count runs in narrow buckets, which exist only within wide ones of many runs."""
    wider = 0
    for width, always in widths.items():
        if not always:
            within = (
                f"FROM workspace_run_buckets WHERE histogram = '{name}' AND width = {wider}"
                f" AND {' + '.join(STATUSES)} > {SPLIT}"
            )
            if op.get_bind().execute(sa.text(f"SELECT 1 {within} LIMIT 1")).first() is None:
                return
            conditions = [
                f"(workspace_id, {_number(key, wider)}) IN (SELECT workspace_id, number {within})",
                "workflow_id NOT IN (SELECT id FROM workflows WHERE deleted_at IS NOT NULL)",
                *([only] if only else []),
            ]
            zeros = ", ".join("0" for _ in SUMS)
            op.execute(
                f"INSERT INTO workspace_run_buckets (workspace_id, histogram, width, number,"  # noqa: S608
                f" {', '.join((*STATUSES, *SUMS, *BOUNDS))})"
                f" SELECT workspace_id, '{name}', {width}, {_number(key, width)}, {COUNTS}, {zeros},"
                f" NULL, NULL FROM runs WHERE {' AND '.join(conditions)} GROUP BY 1, 4"
            )
        wider = width


def _is_sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")


def _number(key: str, width: int) -> str:
    """The bucket of a run: of a moment in microseconds since 1970, or of the leading 32 bits of an id."""
    if key != "id":
        if _is_sqlite():
            return f"({key} - ({key} % {width} + {width}) % {width}) / {width}"
        return f"CAST(floor(extract(epoch FROM {key}) / {width // SECOND}) AS bigint)"
    digits = (33 - width.bit_length()) // 4
    if not _is_sqlite():
        return f"CAST(CAST('x' || left(CAST(id AS text), {digits}) AS bit({4 * digits})) AS bigint)"
    places = (
        f"((instr('0123456789ABCDEF', substr(hex(id), {digit + 1}, 1)) - 1) << {4 * (digits - digit - 1)})"
        for digit in range(digits)
    )
    return " + ".join(places)


def downgrade() -> None:
    tables = ("run_buckets", "person_period_runs", "person_runs", "run_totals")
    for table in ("run_arrivals", *(f"workspace_{each}" for each in tables)):
        op.drop_table(table)
    op.drop_index("ix_person_runs_person_id", "person_runs")
    for name in ("deleted", "live", "workspace_id_version"):
        op.drop_index(f"ix_workflows_{name}", "workflows")
    op.drop_index("ix_runs_workspace_id_created_at", "runs")
    op.drop_column("runs", "workspace_id")
    op.execute("UPDATE schema_state SET oldest_writer = '0020'")
