"""What a workspace used in each language (contract part 2, 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import RunLanguage
from portal.usage.period import Chart
from portal.usage.totals import credits_of, in_window


@dataclass(frozen=True, kw_only=True)
class Language:
    """What the runs of a period spoke in one language."""

    locale_code: str
    lines: int
    characters: int
    credits: int
    """Their credits in proportion to the characters, rounded."""
    share: float
    """Of the characters of all languages, from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Languages:
    """All of a period, most credits first."""

    languages: Sequence[Language]
    total_credits: int
    untagged_credits: int
    """Of runs without takes, or with takes of no language."""


def read_languages(workspace_id: UUID, period: Chart) -> Languages:
    """The languages of a period, from the summaries of takes."""
    columns = (RunLanguage.lines, RunLanguage.characters, RunLanguage.credits)
    grouped = (
        sa.select(RunLanguage.locale_code, *(sa.func.sum(column) for column in columns))
        .where(*in_window(workspace_id, period.start, period.end), RunLanguage.locale_code != "")
        .group_by(RunLanguage.locale_code)
    )
    rows = [(row[0], int(row[1]), int(row[2]), round(row[3])) for row in db.session.execute(grouped)]
    whole = sum(characters for _, _, characters, _ in rows)
    found = [
        Language(
            locale_code=code,
            lines=lines,
            characters=characters,
            credits=credits,
            share=characters / whole if whole else 0.0,
        )
        for code, lines, characters, credits in rows
    ]
    total = credits_of(workspace_id, period.buckets)
    found.sort(key=lambda each: (-each.credits, -each.characters, each.locale_code))
    tagged = sum(each.credits for each in found)
    return Languages(languages=found, total_credits=total, untagged_credits=max(0, total - tagged))
