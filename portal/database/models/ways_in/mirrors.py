"""Mirrors of workspaces elsewhere, and what is known of their workflows and runs."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, Id, JsonObject, UTCDateTime

_json = sa.JSON(none_as_null=True)
_UNFETCHED, _REFUSED = "detail_rank IS NOT NULL", "refused IS NOT NULL"


class Mirror(Base):
    """A workspace of another portal, or of Onepin, whose history is copied into one here."""

    __tablename__ = "mirrors"
    __table_args__ = (
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("workspace_id", "source"),
        sa.Index("ix_mirrors_next_pass_at", "next_pass_at"),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    """What commands call it."""
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    base_url: Mapped[str] = mapped_column(sa.String(500))
    source_workspace_id: Mapped[UUID] = mapped_column(Id)
    """The workspace there, which every request names: a key of another one is refused."""
    source: Mapped[str] = mapped_column(sa.String(200))
    """The source of its runs and workflows: `onepin:HOST/WORKSPACE`."""
    key_file: Mapped[str] = mapped_column(sa.Text)
    """The path of the file with the API key, read at each pass."""
    details_per_hour: Mapped[int]
    """Runs whose steps and results are fetched in an hour, besides those that somebody opened."""
    detail_hour: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The hour in which `details_fetched` were fetched."""
    details_fetched: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    next_pass_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When workers make the next pass."""
    passed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the last pass ended that came through to its end."""
    last_summary: Mapped[JsonObject | None] = mapped_column(_json)
    """The counts of the last pass (`history.sync.summary`)."""
    last_error: Mapped[str | None] = mapped_column(sa.String(500))
    """Why the last pass ended early, as a sentence."""
    failures: Mapped[int] = mapped_column(default=0)
    """Passes in a row that failed."""
    holder: Mapped[str | None] = mapped_column(sa.String(200))
    """The process that makes a pass now."""
    held_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When its lease ends, by the database's clock on PostgreSQL."""


class MirroredWorkflow(Base):
    """A workflow of a mirrored workspace, and how far its runs have been listed.

    A scan lists all runs, oldest first: the first brings them, later ones find what is missing or gone.
    """

    __tablename__ = "mirrored_workflows"

    mirror_id: Mapped[UUID] = mapped_column(sa.ForeignKey("mirrors.id", ondelete="CASCADE"), primary_key=True)
    workflow_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    described_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Its `updated_at` there when its name and definition were copied."""
    checksum: Mapped[JsonObject | None] = mapped_column(_json)
    """Its counts there when they last agreed with ours; None where they are to be compared again."""
    scan: Mapped[int] = mapped_column(default=0)
    """The number of the latest scan."""
    scanning: Mapped[bool] = mapped_column(default=False)
    """Whether that scan has not come to its end."""
    scan_offset: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    """Where it goes on, if nothing was deleted before that."""
    covered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Creation time of the last run that it has listed; it has listed all before."""
    covered_id: Mapped[UUID | None] = mapped_column(Id)
    complete: Mapped[bool] = mapped_column(default=False)
    """Whether a scan has come to its end."""
    gone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it was found to be deleted there."""
    refused: Mapped[str | None] = mapped_column(sa.String(200))
    """Why its runs cannot be stored here, as a sentence."""


class MirroredRun(Base):
    """A run that a mirrored workspace has or had. No foreign key to the run: some are not stored here."""

    __tablename__ = "mirrored_runs"
    __table_args__ = (
        sa.Index("ix_mirrored_runs_mirror_id_workflow_id", "mirror_id", "workflow_id", "status", "gone_at"),
        sa.Index(
            "ix_mirrored_runs_unsettled",
            *("mirror_id", "workflow_id"),
            sqlite_where=sa.text("unsettled"),
            postgresql_where=sa.text("unsettled"),
        ),
        sa.Index(
            "ix_mirrored_runs_refused",
            "mirror_id",
            sqlite_where=sa.text(_REFUSED),
            postgresql_where=sa.text(_REFUSED),
        ),
        sa.Index(
            "ix_mirrored_runs_detail_rank",
            *("mirror_id", "detail_rank", "created_at", "run_id"),
            sqlite_where=sa.text(_UNFETCHED),
            postgresql_where=sa.text(_UNFETCHED),
        ),
    )

    run_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    mirror_id: Mapped[UUID] = mapped_column(sa.ForeignKey("mirrors.id", ondelete="CASCADE"), primary_key=True)
    workflow_id: Mapped[UUID] = mapped_column(Id)
    status: Mapped[str] = mapped_column(sa.String(20))
    """Its status there when it was last seen."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    scan: Mapped[int]
    """The latest scan that listed it."""
    unsettled: Mapped[bool]
    """Whether to ask for it again: it was active when it was last seen, or had only just ended."""
    detail_rank: Mapped[int | None] = mapped_column(sa.SmallInteger)
    """The rank of its details among those to fetch (`history.sync.state`); None: nothing to fetch."""
    gone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it was found to be deleted there."""
    refused: Mapped[str | None] = mapped_column(sa.String(200))
    """Why it is not copied, as a sentence: another run here has its id."""
