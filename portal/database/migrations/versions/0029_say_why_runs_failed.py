"""Say in the row of a failed run which of its steps failed.

Revision: 0029, after 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("why", sa.String(length=200), nullable=True))
    op.execute("UPDATE schema_state SET oldest_writer = '0029'")


def downgrade() -> None:
    op.drop_column("runs", "why")
    op.execute("UPDATE schema_state SET oldest_writer = '0028'")
