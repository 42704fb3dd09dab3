"""What a run gave, as its page shows it: lines by pages with their takes, and what they add up to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Self

import sqlalchemy as sa

from portal import parameters
from portal.db import db
from portal.models import Artifact, OutputLine, Take, TakeStatus
from portal.paging import Page, Slice
from portal.parameters import Reader
from portal.runs.address import RunAddress
from portal.runs.audio import RunAudio, run_audio
from portal.runs.detail import RunDetailView
from portal.runs.outputs import OutputCount, count_outputs
from portal.runs.results import LineRow, LinesQuery, list_lines, locale_code
from portal.runs.scores import ValidatorScore, validator_scores
from portal.runs.takes import TakeRow
from portal.runs.timeline import page_number

LINES_A_PAGE = 5
MAX_FILES = 50
"""Files besides audio that are named; the archive has them all."""


@dataclass(frozen=True, kw_only=True)
class ResultQuery:
    """Which lines to show, and in which language."""

    page: int = 1
    language: str = ""

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Raises InvalidQuery."""
        reader = Reader(args)
        language = locale_code(reader.read("language", parameters.text, ""))
        query = cls(page=reader.read("line_page", page_number, 1), language=language)
        reader.finish()
        return query

    def at(self, slice_: Slice) -> Self:
        """The same lines, another page."""
        return replace(self, page=slice_.number)

    def in_language(self, language: str) -> Self:
        """The same page in one language; in all of them for an empty one."""
        return replace(self, language=language)

    def to_args(self) -> dict[str, str]:
        """The shortest parameters that give these lines."""
        texts = {"line_page": str(self.page) if self.page > 1 else "", "language": self.language}
        return {name: text for name, text in texts.items() if text}


@dataclass(frozen=True)
class Spoken:
    """A line in one language."""

    language: str
    main: Sequence[TakeRow]
    """What was delivered, else the last attempt."""
    others: Sequence[TakeRow]
    """The attempts beside it."""


@dataclass(frozen=True)
class ShownLine:
    line: LineRow
    spoken: Sequence[Spoken]


@dataclass(frozen=True)
class OtherFile:
    """A file that is no take's audio."""

    name: str
    size_bytes: int
    node_id: str | None


@dataclass(frozen=True, kw_only=True)
class Results:
    query: ResultQuery
    lines: Page[ShownLine]
    audio: RunAudio
    languages: Mapping[str, int]
    """How many lines were tried in each, dropped ones too."""
    dropped: Mapping[str, int]
    """How many lines of each language were dropped; languages without any are left out."""
    outputs: Sequence[OutputCount]
    scores: Sequence[ValidatorScore]
    files: Sequence[OtherFile]
    """The first MAX_FILES of them."""
    file_count: int


def read_results(run: RunDetailView, query: ResultQuery) -> Results | None:
    """What a run that the caller may see gave, in at most eleven queries; None where it gave nothing."""
    any_line = sa.exists().where(OutputLine.run_id == run.id)
    any_file = sa.exists().where(Artifact.run_id == run.id)
    if not db.session.scalar(sa.select(any_line | any_file)):
        return None
    languages, dropped = _languages(run)
    files, file_count = _other_files(run)
    return Results(
        query=query,
        lines=_lines(run, query),
        audio=run_audio(run.id),
        languages=languages,
        dropped=dropped,
        outputs=count_outputs(run),
        scores=validator_scores(run.id, run.definition_snapshot),
        files=files,
        file_count=file_count,
    )


def spoken(takes: Sequence[TakeRow]) -> list[Spoken]:
    """The takes of a line by language; they come in the order of language and attempt."""
    found = []
    for language, group in groupby(takes, key=lambda take: take.locale_code or ""):
        attempts = list(group)
        main = [take for take in attempts if take.status == TakeStatus.DELIVERED] or attempts[-1:]
        found.append(Spoken(language, main, [take for take in attempts if take not in main]))
    return found


def _lines(run: RunDetailView, query: ResultQuery) -> Page[ShownLine]:
    lines = LinesQuery(
        address=RunAddress(run.workflow_id, run.id),
        slice=Slice.of_page(query.page, LINES_A_PAGE),
        language=query.language or None,
        include_dropped=True,
    )
    page = list_lines(run, lines)
    return Page([ShownLine(line, spoken(line.takes)) for line in page.rows], page.total, page.slice)


def _languages(run: RunDetailView) -> tuple[dict[str, int], dict[str, int]]:
    """Lines by language, and those of them that were dropped: of which no take is anything else."""
    kept = sa.func.max(sa.case((Take.status == TakeStatus.DROPPED, 0), else_=1)).label("kept")
    each = sa.select(Take.locale_code, kept).where(Take.run_id == run.id)
    lines = each.group_by(Take.locale_code, Take.line).subquery()
    counted = sa.select(lines.c.locale_code, sa.func.count(), sa.func.sum(lines.c.kept))
    rows = db.session.execute(counted.group_by(lines.c.locale_code))
    counts = sorted((language or "", total, int(kept)) for language, total, kept in rows)
    tried = {language: total for language, total, _ in counts}
    return tried, {language: total - kept for language, total, kept in counts if total > kept}


def _other_files(run: RunDetailView) -> tuple[list[OtherFile], int]:
    takes = sa.exists().where(Take.artifact_id == Artifact.id)
    total = sa.func.count().over().label("total")
    select = sa.select(Artifact.name, Artifact.size_bytes, Artifact.node_id, total)
    select = select.where(Artifact.run_id == run.id, ~takes).order_by(Artifact.name, Artifact.id)
    rows = db.session.execute(select.limit(MAX_FILES)).all()
    return [OtherFile(*row[:3]) for row in rows], rows[0].total if rows else 0
