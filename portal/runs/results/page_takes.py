"""Takes as the run's page shows them: few of each line, with few validations, texts cut in the database.

Of each language first what was delivered, then the latest attempts; of each take first what refused it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Artifact, Take, TakeStatus, Validation
from portal.database.sql.excerpts import excerpt

TAKES_A_LINE = 12
VALIDATIONS_A_TAKE, VALIDATIONS_A_LINE = 10, 24
MAX_SCRIPT, MAX_VOICE, MAX_LABEL, MAX_REASON = 400, 60, 60, 300


@dataclass(frozen=True, kw_only=True)
class ShownValidation:
    """What one validator said of one take."""

    position: int
    kind: str
    label: str | None
    score: float | None
    passed: bool | None
    reason: str | None
    wer: float | None
    transcript: str | None


@dataclass(frozen=True, kw_only=True)
class ShownTake:
    """One attempt at speaking a line in one language."""

    line: int
    position: int
    audio_id: str
    locale_code: str | None
    script: str | None
    status: str
    retry_count: int
    voice: str | None
    duration_ms: int | None
    has_audio: bool
    validations: Sequence[ShownValidation]
    more_validations: int
    """How many are not among `validations`."""

    @property
    def failing(self) -> list[ShownValidation]:
        """The validators that refused it."""
        return [validation for validation in self.validations if validation.passed is False]


@dataclass
class TakesOfLine:
    """The takes that are shown of one line, by language and attempt, and how many there are."""

    takes: list[ShownTake] = field(default_factory=list)
    more: int = 0
    """Takes that are not shown."""
    more_languages: int = 0
    """Languages of which no take is shown."""


_TAKE = (
    Take.line,
    Take.position,
    Take.audio_id,
    Take.locale_code,
    excerpt(Take.script, MAX_SCRIPT).label("script"),
    Take.status,
    Take.retry_count,
    excerpt(Take.voice, MAX_VOICE).label("voice"),
    Take.duration_ms,
    Artifact.id.is_not(None).label("has_audio"),
)
_VALIDATION = (
    Validation.position,
    Validation.kind,
    excerpt(Validation.label, MAX_LABEL).label("label"),
    Validation.score,
    Validation.passed,
    excerpt(Validation.reason, MAX_REASON).label("reason"),
    Validation.wer,
    excerpt(Validation.transcript, MAX_REASON).label("transcript"),
)


def show_takes(run_id: UUID, lines: Sequence[int], language: str) -> Mapping[int, TakesOfLine]:
    """The takes of these lines, in one language or, for an empty one, in all; two queries."""
    chosen = _numbered(run_id, lines, language)
    first = sa.select(chosen).where(chosen.c.number <= TAKES_A_LINE).subquery()
    of_take = sa.and_(Take.run_id == run_id, Take.line == first.c.line, Take.position == first.c.position)
    select = (
        sa.select(*_TAKE, first.c.takes, first.c.languages)
        .select_from(first)
        .join(Take, of_take)
        .outerjoin(Artifact, Artifact.id == Take.artifact_id)
        .order_by(Take.line, sa.func.coalesce(Take.locale_code, ""), Take.position)
    )
    rows = db.session.execute(select).all()
    said, counts = _validations(run_id, [(row.line, row.position) for row in rows])
    found: dict[int, TakesOfLine] = defaultdict(TakesOfLine)
    for row in rows:
        key = row.line, row.position
        values = {name: getattr(row, name) for name in _NAMES}
        missing = counts[key] - len(said[key])
        found[row.line].takes.append(ShownTake(**values, validations=said[key], more_validations=missing))
    for row in rows:
        line = found[row.line]
        line.more = row.takes - len(line.takes)
        line.more_languages = row.languages - len({take.locale_code for take in line.takes})
    return found


_NAMES = tuple(column.key for column in _TAKE)


def _numbered(run_id: UUID, lines: Sequence[int], language: str) -> sa.Subquery:
    """The takes of these lines, numbered in the order in which they are worth being shown."""
    wanted = [Take.run_id == run_id, Take.line.in_(lines)]
    if language:
        wanted.append(Take.locale_code == language)
    of_language: dict[str, Any] = {"partition_by": (Take.line, Take.locale_code)}
    worth = (sa.case((Take.status == TakeStatus.DELIVERED, 0), else_=1), Take.position.desc())
    inner = (
        sa.select(
            Take.line,
            Take.position,
            Take.locale_code,
            sa.func.row_number().over(**of_language, order_by=worth).label("attempt"),
        )
        .where(*wanted)
        .subquery()
    )
    of_line: dict[str, Any] = {"partition_by": inner.c.line}
    order = (inner.c.attempt, sa.func.coalesce(inner.c.locale_code, ""))
    first_ones = sa.func.sum(sa.case((inner.c.attempt == 1, 1), else_=0))
    return sa.select(
        inner.c.line,
        inner.c.position,
        sa.func.row_number().over(**of_line, order_by=order).label("number"),
        sa.func.count().over(**of_line).label("takes"),
        sa.cast(first_ones.over(**of_line), sa.Integer()).label("languages"),
    ).subquery()


def _validations(
    run_id: UUID, takes: Sequence[tuple[int, int]]
) -> tuple[dict[tuple[int, int], list[ShownValidation]], dict[tuple[int, int], int]]:
    """What validators said of these takes, and of how many each take has a word."""
    found: dict[tuple[int, int], list[ShownValidation]] = defaultdict(list)
    counts: dict[tuple[int, int], int] = defaultdict(int)
    of_take = (Validation.line, Validation.take)
    worth = (sa.case((Validation.passed.is_(False), 0), else_=1), Validation.position)
    inner = (
        sa.select(
            *of_take,
            Validation.position,
            sa.func.row_number().over(partition_by=of_take, order_by=worth).label("number"),
            sa.func.count().over(partition_by=of_take).label("total"),
        )
        .where(Validation.run_id == run_id, sa.tuple_(*of_take).in_(takes))
        .subquery()
    )
    by_line = sa.func.row_number().over(partition_by=inner.c.line, order_by=(inner.c.number, inner.c.take))
    outer = sa.select(inner, by_line.label("in_line")).subquery()
    shown = (outer.c.number <= VALIDATIONS_A_TAKE) & (outer.c.in_line <= VALIDATIONS_A_LINE)
    of_row = sa.and_(
        Validation.run_id == run_id,
        Validation.line == outer.c.line,
        Validation.take == outer.c.take,
        Validation.position == outer.c.position,
    )
    select = (
        sa.select(outer.c.line, outer.c.take, outer.c.total, *_VALIDATION)
        .select_from(outer)
        .join(Validation, of_row)
        .where(sa.or_(shown, outer.c.number == 1))
        .order_by(outer.c.line, outer.c.take, Validation.position)
    )
    for row in db.session.execute(select):
        values = dict(row._mapping)
        key = values.pop("line"), values.pop("take")
        counts[key] = values.pop("total")
        found[key].append(ShownValidation(**values))
    return found, counts
