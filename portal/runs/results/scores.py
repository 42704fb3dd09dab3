"""What the validators of a run said in all: by validator and language."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Take, TakeStatus, Validation
from portal.definitions.graph import nodes_of, type_in_words
from portal.input.bounds import MAX_NUMBER

_KINDS = {"validator_error_rate": "wer"}
VALIDATOR_FAMILY = "validator_"


@dataclass(frozen=True)
class LocaleScore:
    """One validator's word on the delivered takes of one language."""

    locale_code: str
    avg_score: float | None
    line_count: int
    scored: int
    pass_count: int
    fail_count: int


@dataclass(frozen=True)
class ValidatorScore:
    """One validator of the run; its node's id is who it is, not its label."""

    node_id: str
    node_type: str
    kind: str
    label: str
    threshold: float | None
    max_retries: int | None
    retry_count: int
    """Takes that it refused and that were not delivered."""
    locales: Sequence[LocaleScore]

    @property
    def pass_count(self) -> int:
        return sum(each.pass_count for each in self.locales)

    @property
    def fail_count(self) -> int:
        return sum(each.fail_count for each in self.locales)

    @property
    def avg_score(self) -> float | None:
        known = [(each.avg_score, each.scored) for each in self.locales if each.avg_score is not None]
        weight = sum(scored for _, scored in known)
        return sum(score * scored for score, scored in known) / weight if weight else None

    @property
    def pass_rate(self) -> float | None:
        judged = self.pass_count + self.fail_count
        return self.pass_count / judged if judged else None


def kind_of(node_type: str) -> str:
    """What a validator of this type measures, as scores name it."""
    return _KINDS.get(node_type, node_type.removeprefix(VALIDATOR_FAMILY))


def validator_scores(run_id: UUID, definition: dict[str, Any] | None) -> list[ValidatorScore]:
    """The validators of the graph in its order, then those only scores name; one query.

    Scores are those of delivered takes.
    """
    found = _read(run_id)
    scores = []
    for node in nodes_of(definition):
        if node.type.startswith(VALIDATOR_FAMILY):
            rows = found.pop(node.id, [])
            kind = rows[0].kind if rows else kind_of(node.type)
            scores.append(_score(node.id, node.type, kind, node.display_name, node.config, rows))
    for node_id, rows in sorted(found.items()):
        label = rows[0].label or type_in_words(rows[0].kind)
        scores.append(_score(node_id, "unknown", rows[0].kind, label, {}, rows))
    return scores


def _score(
    node_id: str, node_type: str, kind: str, label: str, config: Any, rows: list[Any]
) -> ValidatorScore:
    thresholds = [row.threshold for row in rows if row.threshold is not None]
    configured, most = config.get("threshold"), config.get("max_retries")
    threshold = thresholds[0] if thresholds else threshold_of(configured)
    locales = [_locale(row) for row in rows if row.delivered]
    return ValidatorScore(
        node_id,
        node_type,
        kind,
        label,
        threshold,
        most if type(most) is int else None,
        sum(row.refused for row in rows),
        locales,
    )


def _locale(row: Any) -> LocaleScore:
    average = None if row.average is None else float(row.average)
    return LocaleScore(row.locale_code or "", average, row.delivered, row.scored, row.passed, row.failed)


def threshold_of(value: object) -> float | None:
    """The threshold that a definition sets; one that no score can be held against is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MAX_NUMBER:
        return None
    return float(value)


def _read(run_id: UUID) -> dict[str, list[Any]]:
    delivered = Take.status == TakeStatus.DELIVERED

    def count(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((sa.and_(*conditions), 1), else_=0)), 0)

    who = sa.func.coalesce(Validation.node_id, Validation.kind)
    select = (
        sa.select(
            who.label("who"),
            sa.func.min(Validation.kind).label("kind"),
            sa.func.min(Validation.label).label("label"),
            Take.locale_code,
            sa.func.avg(sa.case((delivered, Validation.score))).label("average"),
            sa.func.min(Validation.threshold).label("threshold"),
            count(delivered).label("delivered"),
            count(delivered, Validation.score.is_not(None)).label("scored"),
            count(delivered, Validation.passed.is_(True)).label("passed"),
            count(delivered, Validation.passed.is_(False)).label("failed"),
            count(~delivered, Validation.passed.is_(False)).label("refused"),
        )
        .join(
            Take,
            sa.and_(
                Take.run_id == Validation.run_id,
                Take.line == Validation.line,
                Take.position == Validation.take,
            ),
        )
        .where(Validation.run_id == run_id)
        .group_by(who, Take.locale_code)
    )
    found: dict[str, list[Any]] = {}
    for row in sorted(db.session.execute(select), key=lambda row: row.locale_code or ""):
        found.setdefault(row.who, []).append(row)
    return found
