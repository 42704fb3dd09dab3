"""Find the runs of an outcome without reading the others.

Revision: 0024, after 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

NAME = "ix_runs_workflow_id_outcome"
COLUMNS = ["workflow_id", "outcome", "status", "created_at", "id", "person_id"]


def upgrade() -> None:
    known = sa.text("outcome IS NOT NULL")
    op.create_index(NAME, "runs", COLUMNS, sqlite_where=known, postgresql_where=known)


def downgrade() -> None:
    op.drop_index(NAME, "runs")
