"""Add settings of workspaces, preferences of users, and what usage is added up from.

A server of the release before would leave the new sums behind, so it may only read.

Revision: 0015, after 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
SUMS = {"credits": "credits", "output_lines": "output_line_count"}
"""Sums of buckets, each in two halves, and the column of runs that they add up."""
SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
INDEXED = ["workflow_id", "created_at", "locale_code", "lines", "characters", "credits"]


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("default_language", sa.String(length=35), nullable=True))
    op.add_column("workspaces", sa.Column("theme", sa.String(length=20), nullable=True))
    for name in ("completed_generation_email", "failed_generation_email"):
        op.add_column("users", sa.Column(name, sa.Boolean(), server_default=sa.true(), nullable=False))
    for name in _halves():
        op.add_column("run_buckets", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    for width in (HOUR, DAY, 32 * DAY):
        _add_up(width)
    op.create_table(
        "run_languages",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("locale_code", sa.String(length=35), nullable=False),
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("characters", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_run_languages_run_id_runs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "locale_code", name=op.f("pk_run_languages")),
    )
    _summarise_takes()
    op.create_index("ix_run_languages_workflow_id_created_at", "run_languages", INDEXED)
    op.execute("UPDATE schema_state SET oldest_writer = '0015'")


def _halves() -> list[str]:
    return [name for column in SUMS for name in (column, f"{column}_high")]


def _is_sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")


def _add_up(width: int) -> None:
    """Fill the new sums of the buckets of one width from the runs that are there."""
    number = f"(created_at - (created_at % {width} + {width}) % {width}) / {width}"
    if not _is_sqlite():
        number = f"CAST(floor(extract(epoch FROM created_at) / {width // SECOND}) AS bigint)"
    values = [
        f"CAST(coalesce(sum({half}), 0) AS bigint) AS {name}"
        for column, counted in SUMS.items()
        for name, half in ((column, f"{counted} & 4294967295"), (f"{column}_high", f"{counted} >> 32"))
    ]
    op.execute(
        f"UPDATE run_buckets SET {', '.join(f'{name} = added.{name}' for name in _halves())}"  # noqa: S608  # names of ours
        f" FROM (SELECT workflow_id, {number} AS number, {', '.join(values)} FROM runs"
        " WHERE credits IS NOT NULL OR output_line_count IS NOT NULL GROUP BY 1, 2) AS added"
        f" WHERE run_buckets.histogram = 'created_at' AND run_buckets.width = {width}"
        " AND run_buckets.workflow_id = added.workflow_id AND run_buckets.number = added.number"
    )


def _summarise_takes() -> None:
    """One row for each run and language; the run's credits go by characters."""
    insert = (
        "INSERT INTO run_languages (run_id, locale_code, workflow_id, created_at, lines, characters, credits)"
        " SELECT spoken.run_id, spoken.locale_code, runs.workflow_id, runs.created_at, spoken.lines,"
        " spoken.characters, CASE WHEN whole.characters > 0"
        " THEN CAST(coalesce(runs.credits, 0) AS float) * spoken.characters / whole.characters ELSE 0 END"
    )
    op.execute(
        f"{insert} FROM ({_spoken(', 2')}) AS spoken JOIN ({_spoken('')}) AS whole"
        " ON whole.run_id = spoken.run_id JOIN runs ON runs.id = spoken.run_id"
    )


def _spoken(language: str) -> str:
    """What takes add up to by run, or by run and language."""
    ascii_only = "" if _is_sqlite() else ' COLLATE "C"'
    code = f"coalesce(lower(takes.locale_code{ascii_only}), '')" if language else "''"
    return (
        f"SELECT takes.run_id, {code} AS locale_code, count(DISTINCT takes.line) AS lines,"  # noqa: S608  # names of ours
        " coalesce(sum(length(coalesce(takes.script, output_lines.script))), 0) AS characters"
        " FROM takes JOIN output_lines ON output_lines.run_id = takes.run_id"
        f" AND output_lines.position = takes.line GROUP BY 1{language}"
    )


def downgrade() -> None:
    op.drop_table("run_languages")
    for name in reversed(_halves()):
        op.drop_column("run_buckets", name)
    for name in ("failed_generation_email", "completed_generation_email"):
        op.drop_column("users", name)
    for name in ("theme", "default_language"):
        op.drop_column("workspaces", name)
    op.execute("UPDATE schema_state SET oldest_writer = '0013'")
