"""Validator scores of a run for pages: the first validators, with a few languages each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.sql.excerpts import cut, excerpt, short_key, short_key_of
from portal.definitions.graph import Node, nodes_of, type_in_words
from portal.runs.results.first_rows import FirstRows, first_keys, known_first
from portal.runs.results.scores import LABEL, VALIDATOR, VALIDATOR_FAMILY, scores_by_language, threshold_of

MAX_NAME = 100
LANGUAGES_EACH = 8


@dataclass(frozen=True, kw_only=True)
class ScoreSummary:
    """The scores of one validator on delivered takes."""

    node_id: str
    """A long id is shortened by `excerpts.short_key_of`."""
    label: str
    threshold: float | None
    avg_score: float | None = None
    scored: int = 0
    """Delivered takes with a validation."""
    pass_count: int = 0
    fail_count: int = 0
    retry_count: int = 0
    """Takes that were refused and not delivered."""
    languages: Sequence[tuple[str, float | None]] = ()
    """The average score in each of the first LANGUAGES_EACH languages."""
    language_count: int = 0

    @property
    def judged(self) -> int:
        return self.pass_count + self.fail_count


class _TotalsRow(NamedTuple):
    """The scores of a validator in one language, with its totals over all languages."""

    validator: str
    locale_code: str | None
    average: float | None
    delivered: int
    kind: str
    label: str | None
    threshold: float | None
    all_scores: float | None
    all_scored: int
    all_delivered: int
    all_passed: int
    all_failed: int
    all_refused: int
    languages: int


def summarize_scores(
    run_id: UUID, definition: Mapping[str, object] | None, limit: int
) -> FirstRows[ScoreSummary]:
    """The validators of the graph in its order, then those that only scores name; one query."""
    graph = {
        short_key_of(node.id): node for node in nodes_of(definition) if node.type.startswith(VALIDATOR_FAMILY)
    }
    found: dict[str, list[_TotalsRow]] = {}
    for row in map(_TotalsRow._make, db.session.execute(_select(run_id, list(graph)[:limit], limit))):
        found.setdefault(row.validator, []).append(row)
    keys, more = first_keys(graph, found, limit)
    return FirstRows([_summary(key, graph.get(key), found.get(key, [])) for key in keys], more)


def _summary(key: str, node: Node | None, rows: Sequence[_TotalsRow]) -> ScoreSummary:
    configured = threshold_of(node.config.get("threshold")) if node else None
    if not rows:
        return ScoreSummary(
            node_id=key, label=cut(node.display_name if node else key, MAX_NAME), threshold=configured
        )
    totals = rows[0]
    label = node.display_name if node else (totals.label or type_in_words(totals.kind))
    return ScoreSummary(
        node_id=key,
        label=cut(label, MAX_NAME),
        threshold=configured if totals.threshold is None else totals.threshold,
        avg_score=(totals.all_scores or 0) / totals.all_scored if totals.all_scored else None,
        scored=totals.all_delivered,
        pass_count=totals.all_passed,
        fail_count=totals.all_failed,
        retry_count=totals.all_refused,
        languages=sorted((row.locale_code or "", row.average) for row in rows if row.delivered),
        language_count=totals.languages,
    )


def _select(run_id: UUID, known: Sequence[str], limit: int) -> sa.Select[*tuple[object, ...]]:
    """The columns of _TotalsRow for the first languages of the known and some other validators."""
    label = excerpt(LABEL, MAX_NAME)
    each = scores_by_language(run_id, short_key(VALIDATOR), label).subquery()
    delivered_first = (sa.case((each.c.delivered > 0, 0), else_=1), each.c.locale_code)
    counts = {
        "all_scored": each.c.scored,
        "all_delivered": each.c.delivered,
        "all_passed": each.c.passed,
        "all_failed": each.c.failed,
        "all_refused": each.c.refused,
        "languages": sa.case((each.c.delivered > 0, 1), else_=0),
    }

    def over_validator(function: sa.FunctionElement[int]) -> sa.ColumnElement[int]:
        return function.over(partition_by=each.c.validator)

    columns = [
        each.c.validator,
        each.c.locale_code,
        each.c.average,
        each.c.delivered,
        *(over_validator(sa.func.min(each.c[name])).label(name) for name in ("kind", "label", "threshold")),
        over_validator(sa.func.sum(each.c.scores)).label("all_scores"),
        *(
            sa.cast(over_validator(sa.func.sum(column)), sa.BigInteger).label(name)
            for name, column in counts.items()
        ),
    ]
    validator_number = sa.func.dense_rank().over(
        order_by=(known_first(each.c.validator, known), each.c.validator)
    )
    language_number = sa.func.row_number().over(partition_by=each.c.validator, order_by=delivered_first)
    numbered = sa.select(
        *columns,
        validator_number.label("validator_number"),
        language_number.label("language_number"),
    ).subquery()
    listed = sa.select(*(numbered.c[name] for name in _TotalsRow._fields)).where(
        numbered.c.validator_number <= limit + 1, numbered.c.language_number <= LANGUAGES_EACH
    )
    return listed.order_by(numbered.c.validator_number, numbered.c.language_number)
