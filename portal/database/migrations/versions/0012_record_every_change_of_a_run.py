"""Record every change of a run as an event.

Revision: 0012, after 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STATUSES = "('pending', 'running', 'paused', 'completed', 'failed', 'cancelled')"


def upgrade() -> None:
    op.create_table(
        "run_events",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("event", sa.String(length=20), nullable=False),
        sa.Column("from_status", sa.String(length=10), nullable=True),
        sa.Column("to_status", sa.String(length=10), nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("api_key_id", ID, nullable=True),
        sa.CheckConstraint(f"from_status IN {STATUSES}", name=op.f("ck_run_events_from_status")),
        sa.CheckConstraint(f"to_status IN {STATUSES}", name=op.f("ck_run_events_to_status")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_run_events_run_id_runs"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_run_events_person_id_people"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["api_key_id"],
            ["api_keys.id"],
            name=op.f("fk_run_events_api_key_id_api_keys"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_events_run_id", "run_events", ["run_id", "id"])
    op.create_index("ix_run_events_occurred_at", "run_events", ["occurred_at", "id"])
    op.execute("UPDATE schema_state SET oldest_writer = '0011'")


def downgrade() -> None:
    op.drop_table("run_events")
    op.execute("UPDATE schema_state SET oldest_writer = '0010'")
