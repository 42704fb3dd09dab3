"""Validator scores of a run for the API: by validator and language, on delivered takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Take, TakeStatus, Validation
from portal.definitions.graph import nodes_of, type_in_words
from portal.input.bounds import MAX_NUMBER

_KINDS = {"validator_error_rate": "wer"}
VALIDATOR_FAMILY = "validator_"

VALIDATOR = sa.func.coalesce(Validation.node_id, Validation.kind)
"""Identifies a validator: by its node, or else by the kind of score."""

LABEL = sa.func.min(Validation.label)


class _LanguageRow(NamedTuple):
    """The scores of a validator in one language."""

    validator: str
    locale_code: str | None
    kind: str
    label: str | None
    threshold: float | None
    average: float | None
    scores: float | None
    delivered: int
    scored: int
    passed: int
    failed: int
    refused: int


@dataclass(frozen=True)
class LocaleScore:
    """The scores of one validator on the delivered takes of one language."""

    locale_code: str
    avg_score: float | None
    line_count: int
    scored: int
    pass_count: int
    fail_count: int


@dataclass(frozen=True)
class ValidatorScore:
    """The scores of one validator, identified by its node and not by its label."""

    node_id: str
    node_type: str
    kind: str
    label: str
    threshold: float | None
    max_retries: int | None
    retry_count: int
    """Takes that were refused and not delivered."""
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
    """The kind of score that a type of validator gives."""
    return _KINDS.get(node_type, node_type.removeprefix(VALIDATOR_FAMILY))


def validator_scores(run_id: UUID, definition: Mapping[str, object] | None) -> list[ValidatorScore]:
    """The validators of the graph in its order, then those that only scores name; one query."""
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
    node_id: str,
    node_type: str,
    kind: str,
    label: str,
    config: Mapping[str, object],
    rows: Sequence[_LanguageRow],
) -> ValidatorScore:
    thresholds = [row.threshold for row in rows if row.threshold is not None]
    max_retries = config.get("max_retries")
    return ValidatorScore(
        node_id,
        node_type,
        kind,
        label,
        thresholds[0] if thresholds else threshold_of(config.get("threshold")),
        max_retries if isinstance(max_retries, int) and not isinstance(max_retries, bool) else None,
        sum(row.refused for row in rows),
        [_locale(row) for row in rows if row.delivered],
    )


def _locale(row: _LanguageRow) -> LocaleScore:
    average = None if row.average is None else float(row.average)
    return LocaleScore(row.locale_code or "", average, row.delivered, row.scored, row.passed, row.failed)


def threshold_of(value: object) -> float | None:
    """The threshold that a definition configures; None unless it is a number in bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MAX_NUMBER:
        return None
    return float(value)


def _read(run_id: UUID) -> dict[str, list[_LanguageRow]]:
    """The scores of each validator, by language."""
    rows = map(_LanguageRow._make, db.session.execute(scores_by_language(run_id, VALIDATOR, LABEL)))
    found: dict[str, list[_LanguageRow]] = {}
    for row in sorted(rows, key=lambda row: row.locale_code or ""):
        found.setdefault(row.validator, []).append(row)
    return found


def scores_by_language(
    run_id: UUID,
    validator: sa.ColumnElement[str],
    label: sa.ColumnElement[str] | sa.ColumnElement[str | None],
) -> sa.Select[*tuple[object, ...]]:
    """The columns of _LanguageRow: scores on delivered takes, and how many other takes were refused."""
    delivered = Take.status == TakeStatus.DELIVERED
    score = sa.case((delivered, Validation.score))

    def count(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((sa.and_(*conditions), 1), else_=0)), 0)

    of_take = sa.and_(
        Take.run_id == Validation.run_id, Take.line == Validation.line, Take.position == Validation.take
    )
    columns = (
        validator.label("validator"),
        Take.locale_code,
        sa.func.min(Validation.kind).label("kind"),
        label.label("label"),
        sa.func.min(Validation.threshold).label("threshold"),
        sa.func.avg(score).label("average"),
        sa.func.sum(score).label("scores"),
        count(delivered).label("delivered"),
        count(delivered, Validation.score.is_not(None)).label("scored"),
        count(delivered, Validation.passed.is_(True)).label("passed"),
        count(delivered, Validation.passed.is_(False)).label("failed"),
        count(~delivered, Validation.passed.is_(False)).label("refused"),
    )
    select = sa.select(*columns).join(Take, of_take).where(Validation.run_id == run_id)
    return select.group_by(validator, Take.locale_code)
