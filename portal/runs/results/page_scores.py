"""What the validators of a run said in all, as pages list it: the first ones, with few languages each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Take, TakeStatus, Validation
from portal.database.sql.excerpts import cut, excerpt, short_key, short_key_of
from portal.definitions.graph import Node, nodes_of, type_in_words
from portal.runs.results.scores import VALIDATOR_FAMILY, threshold_of

MAX_NAME = 100
LANGUAGES_EACH = 8


@dataclass(frozen=True, kw_only=True)
class ShownScore:
    """One validator of the run, on delivered takes."""

    node_id: str
    """Of a long id what tells it apart (`excerpts.short_key_of`)."""
    label: str
    threshold: float | None
    avg_score: float | None
    scored: int
    """Delivered takes on which it has a word."""
    pass_count: int
    fail_count: int
    retry_count: int
    """Takes that it refused and that were not delivered."""
    languages: Sequence[tuple[str, float | None]]
    """The average score in the first LANGUAGES_EACH of them."""
    language_count: int

    @property
    def judged(self) -> int:
        return self.pass_count + self.fail_count


@dataclass(frozen=True)
class ShownScores:
    rows: Sequence[ShownScore]
    more: bool
    """Whether there are more than are listed."""


def show_scores(run_id: UUID, definition: Mapping[str, Any] | None, most: int) -> ShownScores:
    """The validators of the graph in its order, then those that only scores name; one query."""
    graph = {
        short_key_of(node.id): node for node in nodes_of(definition) if node.type.startswith(VALIDATOR_FAMILY)
    }
    first = list(graph)[:most]
    found: dict[str, list[Any]] = {}
    for row in db.session.execute(_select(run_id, first, most)):
        found.setdefault(row.who, []).append(row)
    keys = [*first, *sorted(found.keys() - graph.keys())]
    rows = [_score(key, graph.get(key), found.get(key, [])) for key in keys[:most]]
    return ShownScores(rows, more=len(graph) > most or len(keys) > most)


def _score(key: str, node: Node | None, rows: Sequence[Any]) -> ShownScore:
    known: Any = rows[0] if rows else None
    configured = node.config.get("threshold") if node else None
    label = node.display_name if node else (known.label or type_in_words(known.kind))
    threshold = known.threshold if known and known.threshold is not None else threshold_of(configured)
    languages = sorted((row.locale_code or "", row.average) for row in rows if row.delivered)
    return ShownScore(
        node_id=key,
        label=cut(label, MAX_NAME),
        threshold=threshold,
        avg_score=known.all_scores / known.all_scored if known and known.all_scored else None,
        scored=known.all_delivered if known else 0,
        pass_count=known.all_passed if known else 0,
        fail_count=known.all_failed if known else 0,
        retry_count=known.all_refused if known else 0,
        languages=languages,
        language_count=known.languages if known else 0,
    )


def _select(run_id: UUID, first: Sequence[str], most: int) -> sa.Select[Any]:
    """The first languages of each of these validators and a few others, each row with the sums of all."""
    each = _by_language(run_id).subquery()
    of_validator: dict[str, Any] = {"partition_by": each.c.who}
    rank = sa.case((each.c.who.in_(first), 0), else_=1)
    delivered_first = (sa.case((each.c.delivered > 0, 0), else_=1), each.c.locale_code)
    sums = {
        "all_scored": each.c.scored,
        "all_delivered": each.c.delivered,
        "all_passed": each.c.passed,
        "all_failed": each.c.failed,
        "all_refused": each.c.refused,
        "languages": sa.case((each.c.delivered > 0, 1), else_=0),
    }
    numbered = sa.select(
        each.c.who,
        each.c.locale_code,
        each.c.average,
        each.c.delivered,
        *(sa.func.min(each.c[name]).over(**of_validator).label(name) for name in ("kind", "label")),
        sa.func.min(each.c.threshold).over(**of_validator).label("threshold"),
        sa.func.sum(each.c.scores).over(**of_validator).label("all_scores"),
        *(
            sa.cast(sa.func.sum(column).over(**of_validator), sa.BigInteger).label(name)
            for name, column in sums.items()
        ),
        sa.func.dense_rank().over(order_by=(rank, each.c.who)).label("validator"),
        sa.func.row_number().over(**of_validator, order_by=delivered_first).label("language"),
    ).subquery()
    listed = sa.select(numbered).where(
        numbered.c.validator <= most + 1, numbered.c.language <= LANGUAGES_EACH
    )
    return listed.order_by(numbered.c.validator, numbered.c.language)


def _by_language(run_id: UUID) -> sa.Select[Any]:
    delivered = Take.status == TakeStatus.DELIVERED

    def count(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((sa.and_(*conditions), 1), else_=0)), 0)

    who = short_key(sa.func.coalesce(Validation.node_id, Validation.kind))
    of_take = sa.and_(
        Take.run_id == Validation.run_id, Take.line == Validation.line, Take.position == Validation.take
    )
    return (
        sa.select(
            who.label("who"),
            Take.locale_code,
            sa.func.min(Validation.kind).label("kind"),
            excerpt(sa.func.min(Validation.label), MAX_NAME).label("label"),
            sa.func.min(Validation.threshold).label("threshold"),
            sa.func.avg(sa.case((delivered, Validation.score))).label("average"),
            sa.func.sum(sa.case((delivered, Validation.score))).label("scores"),
            count(delivered).label("delivered"),
            count(delivered, Validation.score.is_not(None)).label("scored"),
            count(delivered, Validation.passed.is_(True)).label("passed"),
            count(delivered, Validation.passed.is_(False)).label("failed"),
            count(~delivered, Validation.passed.is_(False)).label("refused"),
        )
        .join(Take, of_take)
        .where(Validation.run_id == run_id)
        .group_by(who, Take.locale_code)
    )
