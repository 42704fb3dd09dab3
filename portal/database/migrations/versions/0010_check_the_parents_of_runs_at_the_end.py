"""Check that the workflow and the person of a run exist when its transaction ends, not row by row.

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PARENTS = {
    "fk_runs_workflow_id_workflows": "REFERENCES workflows (id) ON DELETE CASCADE",
    "fk_runs_person_id_people": "REFERENCES people (id)",
}
AT_THE_END = " DEFERRABLE INITIALLY DEFERRED"


def upgrade() -> None:
    _alter("", AT_THE_END)


def downgrade() -> None:
    _alter(AT_THE_END, "")


def _alter(before, after) -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rewrite_schema(before, after)
        return
    for constraint in PARENTS:
        op.execute(f"ALTER TABLE runs ALTER CONSTRAINT {constraint} {after or 'NOT DEFERRABLE'}")


def _rewrite_schema(before, after) -> None:
    """SQLite's own way to change a constraint without copying the table: sqlite.org/lang_altertable.html."""
    connection = op.get_bind()
    [(table,)] = connection.exec_driver_sql("SELECT sql FROM sqlite_schema WHERE name = 'runs'")
    lines = table.splitlines()
    for constraint, parent in PARENTS.items():
        [place] = [n for n, line in enumerate(lines) if f"CONSTRAINT {constraint} " in line]
        line = lines[place]
        if parent + before not in line:
            raise RuntimeError(f"{constraint} is not as it was made: {line}")
        lines[place] = line.replace(parent + before, parent + after)
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(
        sa.text("UPDATE sqlite_schema SET sql = :table WHERE type = 'table' AND name = 'runs'"),
        {"table": "\n".join(lines)},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
