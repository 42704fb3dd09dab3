"""Cut runs into blocks, and index the orders that lists have.

Revision: 0006, after 0005
"""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")
FIRST_KEY, NO_KEY, CUT = -(2**62), 2**62, 3072
INDEXES = {
    "ix_runs_workflow_id_created_at": ["workflow_id", "created_at", "id", "status"],
    "ix_runs_workflow_id_started_at": ["workflow_id", "started_at", "id", "status", "created_at"],
    "ix_runs_workflow_id_completed_at": ["workflow_id", "completed_at", "id", "status", "created_at"],
    "ix_runs_workflow_id_status_id": ["workflow_id", "status", "id"],
}


def upgrade() -> None:
    op.drop_index("ix_runs_workflow_id_created_at", "runs")
    for name, columns in INDEXES.items():
        op.create_index(name, "runs", columns, unique=False)
    table = op.create_table(
        "run_blocks",
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("ordered_by", sa.String(length=12), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("id", ID, nullable=False),
        *(sa.Column(status, sa.BigInteger(), nullable=False) for status in STATUSES),
        sa.Column("oldest", sa.BigInteger(), nullable=True),
        sa.Column("newest", sa.BigInteger(), nullable=True),
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
            op.get_bind().execute(sa.insert(table), block)


def _blocks(order):
    """The runs that are there already, cut as the portal cuts them: the runs without a key apart."""
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
    zero = bytes(16) if op.get_bind().dialect.name == "sqlite" else UUID(int=0)
    place = {"workflow_id": workflow_id, "ordered_by": order, "key": key, "id": run_id or zero}
    return place | dict.fromkeys(STATUSES, 0) | {"oldest": NO_KEY, "newest": FIRST_KEY}


def _in_order(order):
    moment = "{0}"
    if op.get_bind().dialect.name == "postgresql":
        moment = "CAST(extract(epoch FROM {0}) * 1000000 AS bigint)"
    key = "id" if order == "id" else moment.format(order)
    columns = f"workflow_id, {key}, id, status, {moment.format('created_at')}"
    return f"SELECT {columns} FROM runs ORDER BY workflow_id, {order} NULLS LAST, id"  # noqa: S608


def downgrade() -> None:
    op.drop_table("run_blocks")
    for name in INDEXES:
        op.drop_index(name, "runs")
    op.create_index(
        "ix_runs_workflow_id_created_at", "runs", ["workflow_id", "created_at", "id"], unique=False
    )
