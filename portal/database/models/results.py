"""Results of runs: step results, output lines with takes and validations, and artifacts.

A run has lines, a line has takes (one per attempt and language), a take has validations. The files are in the
artifact store (`portal.storage`), addressed by the SHA-256 of their content.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, FoldedText, Id, JsonObject, UTCDateTime
from portal.database.models.states import TakeStatus, check_one_of

_json = sa.JSON(none_as_null=True)


class RunResult(Base):
    """Result values of a whole run; most runs have none."""

    __tablename__ = "run_results"

    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    token_cost: Mapped[int | None] = mapped_column(sa.BigInteger)
    credits_absorbed: Mapped[float | None] = mapped_column(sa.Float)
    held_nodes: Mapped[list[JsonObject] | None] = mapped_column(_json)
    """Nodes before which a paused run waits; null if unknown (contract 3.2)."""


class StepResult(Base):
    """The result of a step. The wide column comes last, so that the others are read without it."""

    __tablename__ = "step_results"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["run_id", "position"], ["steps.run_id", "steps.position"], ondelete="CASCADE"
        ),
    )

    run_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    active_ports: Mapped[list[str] | None] = mapped_column(_json)
    locales: Mapped[list[str] | None] = mapped_column(_json)
    pause_reason: Mapped[str | None] = mapped_column(sa.String(30))
    pause_error: Mapped[str | None] = mapped_column(sa.Text)
    result: Mapped[JsonObject | None] = mapped_column(_json)


class OutputLine(Base):
    """A line of the source text of a run."""

    __tablename__ = "output_lines"

    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    line_id: Mapped[str | None] = mapped_column(sa.Text)
    source_line_id: Mapped[str | None] = mapped_column(sa.Text)
    script: Mapped[str | None] = mapped_column(sa.Text)
    script_folded: Mapped[str] = mapped_column(FoldedText)
    auto_corrected: Mapped[int | None] = mapped_column(sa.BigInteger)


class Artifact(Base):
    """A stored file: audio of a take, another file of a run, or an imported upload."""

    __tablename__ = "artifacts"
    __table_args__ = (sa.Index("ix_artifacts_run_id", "run_id"),)

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    run_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"))
    """Null for an upload."""
    node_id: Mapped[str | None] = mapped_column(sa.Text)
    """The output node that produced it; None for a file of the whole run."""
    name: Mapped[str] = mapped_column(sa.Text)
    content_type: Mapped[str] = mapped_column(sa.String(100))
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    sha256: Mapped[bytes] = mapped_column(sa.LargeBinary(32))


class Take(Base):
    """An attempt at speaking a line in one language."""

    __tablename__ = "takes"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["run_id", "line"], ["output_lines.run_id", "output_lines.position"], ondelete="CASCADE"
        ),
        sa.UniqueConstraint("run_id", "audio_id"),
        sa.Index("ix_takes_artifact_id", "artifact_id"),
        check_one_of("status", TakeStatus),
    )

    run_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    audio_id: Mapped[str] = mapped_column(sa.String(16))
    """16 hex digits: the id of the audio in the API."""
    locale_code: Mapped[str | None] = mapped_column(sa.String(35))
    output_node_id: Mapped[str | None] = mapped_column(sa.Text)
    """The output node that received it; None means all."""
    script: Mapped[str | None] = mapped_column(sa.Text)
    status: Mapped[str] = mapped_column(sa.String(13))
    retry_count: Mapped[int] = mapped_column(sa.BigInteger)
    normalized: Mapped[bool | None]
    voice: Mapped[str | None] = mapped_column(sa.Text)
    provider: Mapped[str | None] = mapped_column(sa.Text)
    model: Mapped[str | None] = mapped_column(sa.Text)
    duration_ms: Mapped[int | None] = mapped_column(sa.BigInteger)
    artifact_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("artifacts.id", ondelete="SET NULL"))


class RunLanguage(Base):
    """What a run spoke in one language: a summary of its takes, written with them.

    It repeats workflow and creation, so that usage of a window is added up in one index.
    """

    __tablename__ = "run_languages"
    __table_args__ = (
        sa.Index(
            "ix_run_languages_workflow_id_created_at",
            *("workflow_id", "created_at", "locale_code", "lines", "characters", "credits"),
        ),
    )

    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    locale_code: Mapped[str] = mapped_column(sa.String(35), primary_key=True)
    """In lower case; empty for takes of no language."""
    workflow_id: Mapped[UUID] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    lines: Mapped[int] = mapped_column(sa.BigInteger)
    """Lines with a take in it."""
    characters: Mapped[int] = mapped_column(sa.BigInteger)
    """Code points of the texts of all takes, repeated attempts among them."""
    credits: Mapped[float] = mapped_column(sa.Float)
    """The run's credits in proportion to the characters."""


class Validation(Base):
    """The verdict of one validator on one take."""

    __tablename__ = "validations"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["run_id", "line", "take"], ["takes.run_id", "takes.line", "takes.position"], ondelete="CASCADE"
        ),
    )

    run_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    take: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    node_id: Mapped[str | None] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.String(100))
    label: Mapped[str | None] = mapped_column(sa.Text)
    score: Mapped[float | None] = mapped_column(sa.Float)
    threshold: Mapped[float | None] = mapped_column(sa.Float)
    passed: Mapped[bool | None]
    reason: Mapped[str | None] = mapped_column(sa.Text)
    wer: Mapped[float | None] = mapped_column(sa.Float)
    cer: Mapped[float | None] = mapped_column(sa.Float)
    transcript: Mapped[str | None] = mapped_column(sa.Text)
    scored_on: Mapped[str | None] = mapped_column(sa.String(100))
    inherited_from_take: Mapped[int | None] = mapped_column(sa.BigInteger)
    segments: Mapped[list[JsonObject] | None] = mapped_column(_json)
    error_counts: Mapped[JsonObject | None] = mapped_column(_json)
