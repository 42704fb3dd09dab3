"""Count runs in histograms of fixed buckets, in place of blocks and of days.

A server of the release before cannot serve lists after this: it reads tables that are gone.

Revision: 0013, after 0012
"""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")
SUMS = ("timed_runs", "active_ms", "active_ms_high", "delivered_audio_ms", "delivered_audio_ms_high")
BOUNDS = ("oldest", "newest")
COUNTS = ", ".join(f"count(*) FILTER (WHERE status = '{status}')" for status in STATUSES)

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
FIRST_KEY, NO_KEY, CUT = -(2**62), 2**62, 3072
"""Of the blocks, which a downgrade brings back."""


def upgrade() -> None:
    op.create_table(
        "run_buckets",
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("histogram", sa.String(length=20), nullable=False),
        sa.Column("width", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(status, sa.BigInteger(), nullable=False) for status in STATUSES),
        *(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0") for name in SUMS),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in BOUNDS),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_run_buckets_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workflow_id", "histogram", "width", "number", name=op.f("pk_run_buckets")),
        sqlite_with_rowid=False,
    )
    for name, (key, only, widths) in HISTOGRAMS.items():
        _fill(name, key, only, widths)
    op.drop_table("run_blocks")
    op.drop_table("day_runs")
    op.execute("UPDATE schema_state SET oldest_writer = '0013'")


def _fill(name: str, key: str, only: str, widths: dict[int, bool]) -> None:
    """Count the runs that are there; narrow buckets only within wide ones of many runs."""
    wider = 0
    for width, always in widths.items():
        conditions = [only] if only else []
        if not always:
            within = (
                f"FROM run_buckets WHERE histogram = '{name}' AND width = {wider}"
                f" AND {' + '.join(STATUSES)} > {SPLIT}"
            )
            if op.get_bind().execute(sa.text(f"SELECT 1 {within} LIMIT 1")).first() is None:
                return
            number = _number(key, wider)
            conditions.append(f"(workflow_id, {number}) IN (SELECT workflow_id, number {within})")
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        sums = _sums() if name == "created_at" and always else ", ".join("0" for _ in SUMS)
        bounds = "NULL, NULL"
        if always and key != "id":
            bounds = f"min({_microseconds('created_at')}), max({_microseconds('created_at')})"
        op.execute(
            f"INSERT INTO run_buckets (workflow_id, histogram, width, number,"  # noqa: S608  # names of ours
            f" {', '.join((*STATUSES, *SUMS, *BOUNDS))})"
            f" SELECT workflow_id, '{name}', {width}, {_number(key, width)}, {COUNTS}, {sums}, {bounds}"
            f" FROM runs {where} GROUP BY 1, 4"
        )
        wider = width


def _is_sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")


def _microseconds(moment: str) -> str:
    return moment if _is_sqlite() else f"CAST(extract(epoch FROM {moment}) * 1000000 AS bigint)"


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


def _sums() -> str:
    """The values of SUMS: sums of milliseconds in two halves."""
    took = "CAST(floor(extract(epoch FROM completed_at - started_at) * 1000) AS bigint)"
    if _is_sqlite():
        took = "(completed_at - started_at) / 1000"
    took = f"({took} - coalesce(paused_ms, 0))"
    timed = f"status = 'completed' AND started_at <= completed_at AND {took} >= 0"
    halves = [
        f"CAST(coalesce(sum({half}) FILTER (WHERE {only}), 0) AS bigint)"
        for value, only in ((took, timed), ("delivered_audio_ms", "status = 'completed'"))
        for half in (f"{value} & 4294967295", f"{value} >> 32")
    ]
    return ", ".join((f"count(*) FILTER (WHERE {timed})", *halves))


def downgrade() -> None:
    blocks = op.create_table(
        "run_blocks",
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("ordered_by", sa.String(length=12), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("id", ID, nullable=False),
        *(sa.Column(status, sa.BigInteger(), nullable=False) for status in STATUSES),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in BOUNDS),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_run_blocks_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workflow_id", "ordered_by", "key", "id", name=op.f("pk_run_blocks")),
        sqlite_with_rowid=False,
    )
    for order in ("created_at", "started_at", "completed_at", "id"):
        for block in _blocks(order):
            op.get_bind().execute(sa.insert(blocks), block)
    low = [sa.Column(name, sa.BigInteger(), nullable=False) for name in SUMS if not name.endswith("_high")]
    high = [
        sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        for name in SUMS
        if name.endswith("_high")
    ]
    op.create_table(
        "day_runs",
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(status, sa.BigInteger(), nullable=False) for status in STATUSES),
        *low,
        *high,
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_day_runs_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workflow_id", "day", name=op.f("pk_day_runs")),
    )
    names = ", ".join((*STATUSES, *SUMS))
    op.execute(
        f"INSERT INTO day_runs (workflow_id, day, {names}) SELECT workflow_id, number, {names}"  # noqa: S608
        f" FROM run_buckets WHERE histogram = 'created_at' AND width = {DAY}"
    )
    op.drop_table("run_buckets")
    op.execute("UPDATE schema_state SET oldest_writer = '0011'")


def _blocks(order):
    """The runs that are there, cut as the release before cuts them: the runs without a key apart."""
    block, held = None, 0
    for workflow_id, key, run_id, status, created in op.get_bind().execute(sa.text(_in_order(order))):
        key = 0 if order == "id" else NO_KEY if key is None else key
        if block is None or block["workflow_id"] != workflow_id:
            if block is not None:
                yield from _closed(block, order)
            block, held = _empty(workflow_id, order, FIRST_KEY), 0
        if key == NO_KEY and block["key"] != NO_KEY:
            yield block
            block, held = _empty(workflow_id, order, NO_KEY), 0
        if held >= CUT:
            yield block
            block, held = _empty(workflow_id, order, key, run_id), 0
        held += 1
        block[status] += 1
        block["oldest"] = min(block["oldest"], created)
        block["newest"] = max(block["newest"], created)
    if block is not None:
        yield from _closed(block, order)


def _closed(block, order):
    yield block
    if order != "id" and block["key"] != NO_KEY:
        yield _empty(block["workflow_id"], order, NO_KEY)


def _empty(workflow_id, order, key, run_id=None):
    zero = bytes(16) if _is_sqlite() else UUID(int=0)
    position = {"workflow_id": workflow_id, "ordered_by": order, "key": key, "id": run_id or zero}
    return position | dict.fromkeys(STATUSES, 0) | {"oldest": NO_KEY, "newest": FIRST_KEY}


def _in_order(order):
    key = "id" if order == "id" else _microseconds(order)
    columns = f"workflow_id, {key}, id, status, {_microseconds('created_at')}"
    return f"SELECT {columns} FROM runs ORDER BY workflow_id, {order} NULLS LAST, id"  # noqa: S608
