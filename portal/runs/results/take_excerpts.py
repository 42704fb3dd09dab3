"""Takes for pages: a few of each line, with a few validations and excerpts of texts.

Of each language the delivered take comes first, then the latest attempts; of each take, refusals come first.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Artifact, Take, TakeStatus, Validation
from portal.runs.detail.columns import columns_of
from portal.runs.results.takes import BY_LINE

TAKES_A_LINE = 12
VALIDATIONS_A_TAKE, VALIDATIONS_A_LINE = 10, 24
MAX_SCRIPT, MAX_VOICE, MAX_LABEL, MAX_REASON = 400, 60, 60, 300


@dataclass(frozen=True, kw_only=True)
class ValidationExcerpt:
    """The result of one validator for one take."""

    position: int
    kind: str
    label: str | None
    score: float | None
    passed: bool | None
    reason: str | None
    wer: float | None
    transcript: str | None


@dataclass(frozen=True, kw_only=True)
class TakeExcerpt:
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
    validations: Sequence[ValidationExcerpt]
    more_validations: int
    """The number of validations left out."""

    @property
    def failing(self) -> list[ValidationExcerpt]:
        """The validations that refused the take."""
        return [validation for validation in self.validations if validation.passed is False]


@dataclass
class LineTakes:
    """The takes listed for one line, by language and attempt."""

    takes: list[TakeExcerpt] = field(default_factory=list)
    more: int = 0
    """The number of takes left out."""
    more_languages: int = 0
    """The number of languages without a listed take."""


_TAKE = columns_of(Take, TakeExcerpt, script=MAX_SCRIPT, voice=MAX_VOICE).values()
_VALIDATION = columns_of(
    Validation, ValidationExcerpt, label=MAX_LABEL, reason=MAX_REASON, transcript=MAX_REASON
).values()


def read_take_excerpts(run_id: UUID, lines: Sequence[int], language: str) -> Mapping[int, LineTakes]:
    """The takes of these lines, in one language or, if it is empty, in all; two queries."""
    ranked = _ranked_takes(run_id, lines, language)
    first = _computed_once(sa.select(ranked).where(ranked.c.number <= TAKES_A_LINE))
    of_take = sa.and_(Take.run_id == run_id, Take.line == first.c.line, Take.position == first.c.position)
    select = (
        sa.select(*_TAKE, Artifact.id.is_not(None).label("has_audio"), first.c.takes, first.c.languages)
        .select_from(first)
        .join(Take, of_take)
        .outerjoin(Artifact, Artifact.id == Take.artifact_id)
        .order_by(*BY_LINE)
    )
    rows = db.session.execute(select).all()
    validations, counts = _validations(run_id, [(row.line, row.position) for row in rows])
    found: dict[int, LineTakes] = defaultdict(LineTakes)
    totals: dict[int, tuple[int, int]] = {}
    for row in rows:
        values = row._asdict()
        totals[row.line] = values.pop("takes"), values.pop("languages")
        listed = validations[row.line, row.position]
        more = counts[row.line, row.position] - len(listed)
        found[row.line].takes.append(TakeExcerpt(**values, validations=listed, more_validations=more))
    for number, (takes, languages) in totals.items():
        line = found[number]
        line.more = takes - len(line.takes)
        line.more_languages = languages - len({take.locale_code for take in line.takes})
    return found


def _computed_once(select: sa.Select[*tuple[object, ...]]) -> sa.CTE:
    """A materialized CTE: a planner that takes tables for empty would rank all rows again for each join."""
    return select.cte("first").prefix_with("MATERIALIZED")


def _ranked_takes(run_id: UUID, lines: Sequence[int], language: str) -> sa.Subquery:
    """The takes of these lines, numbered by importance within each line."""
    conditions = [Take.run_id == run_id, Take.line.in_(lines)]
    if language:
        conditions.append(Take.locale_code == language)
    importance = (sa.case((Take.status == TakeStatus.DELIVERED, 0), else_=1), Take.position.desc())
    attempt = sa.func.row_number().over(partition_by=(Take.line, Take.locale_code), order_by=importance)
    inner = (
        sa.select(Take.line, Take.position, Take.locale_code, attempt.label("attempt"))
        .where(*conditions)
        .subquery()
    )
    order = (inner.c.attempt, sa.func.coalesce(inner.c.locale_code, ""))
    languages = sa.func.sum(sa.case((inner.c.attempt == 1, 1), else_=0)).over(partition_by=inner.c.line)
    return sa.select(
        inner.c.line,
        inner.c.position,
        sa.func.row_number().over(partition_by=inner.c.line, order_by=order).label("number"),
        sa.func.count().over(partition_by=inner.c.line).label("takes"),
        sa.cast(languages, sa.Integer()).label("languages"),
    ).subquery()


def _validations(
    run_id: UUID, takes: Sequence[tuple[int, int]]
) -> tuple[dict[tuple[int, int], list[ValidationExcerpt]], dict[tuple[int, int], int]]:
    """The first validations of these takes, and how many each take has."""
    found: dict[tuple[int, int], list[ValidationExcerpt]] = defaultdict(list)
    counts: dict[tuple[int, int], int] = defaultdict(int)
    of_take = (Validation.line, Validation.take)
    importance = (sa.case((Validation.passed.is_(False), 0), else_=1), Validation.position)
    inner = (
        sa.select(
            *of_take,
            Validation.position,
            sa.func.row_number().over(partition_by=of_take, order_by=importance).label("number"),
            sa.func.count().over(partition_by=of_take).label("total"),
        )
        .where(Validation.run_id == run_id, sa.tuple_(*of_take).in_(takes))
        .subquery()
    )
    by_line = sa.func.row_number().over(partition_by=inner.c.line, order_by=(inner.c.number, inner.c.take))
    ranked = sa.select(inner, by_line.label("in_line")).subquery()
    within_limits = (ranked.c.number <= VALIDATIONS_A_TAKE) & (ranked.c.in_line <= VALIDATIONS_A_LINE)
    outer = _computed_once(sa.select(ranked).where(sa.or_(within_limits, ranked.c.number == 1)))
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
        .order_by(outer.c.line, outer.c.take, Validation.position)
    )
    for row in db.session.execute(select):
        values = row._asdict()
        key = values.pop("line"), values.pop("take")
        counts[key] = values.pop("total")
        found[key].append(ValidationExcerpt(**values))
    return found, counts
