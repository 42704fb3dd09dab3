"""Sum the audio of completed runs only.

Revision: 0009, after 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

DAY = {
    "sqlite": "(created_at - ((created_at % 86400000000) + 86400000000) % 86400000000) / 86400000000",
    "postgresql": "CAST(floor(extract(epoch FROM created_at) / 86400) AS integer)",
}


def upgrade() -> None:
    _change("-")


def downgrade() -> None:
    _change("+")


def _change(sign) -> None:
    """Take the audio of all other runs out of the sums of days, or put it back."""
    day = DAY[op.get_bind().dialect.name]
    op.execute(
        f"UPDATE day_runs SET delivered_audio_ms = delivered_audio_ms {sign} others.audio FROM ("  # noqa: S608  # words of ours
        f"SELECT workflow_id, {day} AS day, sum(delivered_audio_ms) AS audio FROM runs "
        "WHERE status <> 'completed' AND delivered_audio_ms > 0 GROUP BY 1, 2) AS others "
        "WHERE day_runs.workflow_id = others.workflow_id AND day_runs.day = others.day"
    )
