"""Takes of a run's lines with their validations, for the API: complete texts."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Artifact, Take, TakeStatus, Validation
from portal.runs.detail.columns import columns_of


@dataclass(frozen=True, kw_only=True)
class ValidationRow:
    """The result of one validator for one take."""

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
    segments: list[dict[str, object]] | None
    error_counts: dict[str, object] | None

    @property
    def scored(self) -> bool:
        """Whether the validator came to a result."""
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
    """Media type of the stored audio; None if there is no file."""
    validations: Sequence[ValidationRow]

    @property
    def has_audio(self) -> bool:
        return self.content_type is not None

    @property
    def failing(self) -> list[ValidationRow]:
        """The validations that refused the take."""
        return [validation for validation in self.validations if validation.passed is False]


BY_LINE = (Take.line, sa.func.coalesce(Take.locale_code, ""), Take.position)
"""The order of takes: line, language, attempt."""

_TAKE = columns_of(Take, TakeRow).values()
_VALIDATION = columns_of(Validation, ValidationRow).values()


def read_takes(
    run_id: UUID, *, lines: Sequence[int] | None = None, dropped: bool = False, limit: int | None = None
) -> list[TakeRow]:
    """Takes of a run, or of some lines of it, in two queries; without dropped takes by default."""
    conditions = [Take.run_id == run_id]
    if lines is not None:
        conditions.append(Take.line.in_(lines))
    if not dropped:
        conditions.append(Take.status != TakeStatus.DROPPED)
    select = sa.select(*_TAKE, Artifact.content_type).outerjoin(Artifact, Artifact.id == Take.artifact_id)
    rows = db.session.execute(select.where(*conditions).order_by(*BY_LINE).limit(limit)).all()
    validations = _validations(run_id, sorted({row.line for row in rows}))
    return [TakeRow(**row._mapping, validations=validations[row.line, row.position]) for row in rows]


def _validations(run_id: UUID, lines: Sequence[int]) -> dict[tuple[int, int], list[ValidationRow]]:
    found: dict[tuple[int, int], list[ValidationRow]] = defaultdict(list)
    if lines:
        select = sa.select(Validation.line, Validation.take, *_VALIDATION).where(
            Validation.run_id == run_id, Validation.line.between(lines[0], lines[-1])
        )
        for row in db.session.execute(select.order_by(Validation.position)):
            values = row._asdict()
            found[values.pop("line"), values.pop("take")].append(ValidationRow(**values))
    return found
