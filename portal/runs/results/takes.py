"""Takes of a run's lines with what validators said of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Artifact, Take, TakeStatus, Validation


@dataclass(frozen=True, kw_only=True)
class ValidationRow:
    """What one validator said of one take."""

    node_id: str | None
    kind: str
    label: str | None
    score: float | None
    threshold: float | None
    passed: bool | None
    reason: str | None
    wer: float | None
    cer: float | None
    transcript: str | None
    scored_on: str | None
    inherited_from_take: int | None
    segments: list[dict[str, Any]] | None
    error_counts: dict[str, Any] | None

    @property
    def scored(self) -> bool:
        """Whether it came to a result."""
        return self.score is not None or self.passed is not None or self.wer is not None


@dataclass(frozen=True, kw_only=True)
class TakeRow:
    """One attempt at speaking a line in one language."""

    line: int
    position: int
    audio_id: str
    locale_code: str | None
    output_node_id: str | None
    script: str | None
    status: str
    retry_count: int
    normalized: bool | None
    voice: str | None
    provider: str | None
    model: str | None
    duration_ms: int | None
    content_type: str | None
    """Of its stored file; None where there is none to play."""
    validations: Sequence[ValidationRow]

    @property
    def has_audio(self) -> bool:
        return self.content_type is not None

    @property
    def failing(self) -> list[ValidationRow]:
        """The validators that refused it."""
        return [validation for validation in self.validations if validation.passed is False]


_TAKE = tuple(
    getattr(Take, name)
    for name in TakeRow.__dataclass_fields__
    if name not in ("content_type", "validations")
)
_VALIDATION = tuple(getattr(Validation, name) for name in ValidationRow.__dataclass_fields__)


def read_takes(
    run_id: UUID, *, lines: Sequence[int] | None = None, dropped: bool = False, most: int | None = None
) -> list[TakeRow]:
    """Takes of a run, or of these lines of it, by line, language and attempt, in two queries.

    Dropped ones are left out unless asked for; `most` ends the list after so many.
    """
    wanted = [Take.run_id == run_id]
    if lines is not None:
        wanted.append(Take.line.in_(lines))
    if not dropped:
        wanted.append(Take.status != TakeStatus.DROPPED)
    select = sa.select(*_TAKE, Artifact.content_type).outerjoin(Artifact, Artifact.id == Take.artifact_id)
    rows = db.session.execute(
        select.where(*wanted)
        .order_by(Take.line, sa.func.coalesce(Take.locale_code, ""), Take.position)
        .limit(most)
    ).all()
    said = _validations(run_id, sorted({row.line for row in rows}))
    return [TakeRow(**row._mapping, validations=said[row.line, row.position]) for row in rows]


def _validations(run_id: UUID, lines: Sequence[int]) -> dict[tuple[int, int], list[ValidationRow]]:
    found: dict[tuple[int, int], list[ValidationRow]] = defaultdict(list)
    if lines:
        select = sa.select(Validation.line, Validation.take, *_VALIDATION).where(
            Validation.run_id == run_id, Validation.line.between(lines[0], lines[-1])
        )
        for row in db.session.execute(select.order_by(Validation.position)):
            values = dict(row._mapping)
            found[values.pop("line"), values.pop("take")].append(ValidationRow(**values))
    return found
