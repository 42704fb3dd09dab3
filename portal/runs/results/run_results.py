"""The results of a run for its page: a page of lines with takes, and totals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Artifact, OutputLine, Take, TakeStatus
from portal.database.sql.excerpts import excerpt
from portal.input import parameters
from portal.input.parameters import Reader
from portal.paging import Page, Slice
from portal.runs.detail.run import RunDetailView
from portal.runs.results.audio import DeliveredAudio, delivered_audio
from portal.runs.results.first_rows import FirstRows
from portal.runs.results.output_lines import locale_code
from portal.runs.results.output_summaries import OutputSummary, summarize_outputs
from portal.runs.results.score_summaries import ScoreSummary, summarize_scores
from portal.runs.results.take_excerpts import LineTakes, TakeExcerpt, read_take_excerpts

LINES_A_PAGE = 5
MAX_FILES = 50
"""Files other than audio that the page names; the archive has all of them."""

MAX_LANGUAGES, MAX_DROPPED = 30, 10
"""Languages listed for all lines, and for dropped lines."""

MAX_OUTPUTS, MAX_VALIDATORS = 20, 20
MAX_SCRIPT, MAX_NAME = 600, 100
"""Characters of a line's script and of a file's name."""


@dataclass(frozen=True, kw_only=True)
class ResultQuery:
    """The page and the language of the lines."""

    page: int = 1
    language: str = ""

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Read a page's parameters. Raises InvalidQuery."""
        reader = Reader(args)
        language = locale_code(reader.read("language", parameters.linked_text, ""))
        query = cls(page=reader.read("line_page", parameters.page_number, 1), language=language)
        reader.finish()
        return query

    def at(self, slice_: Slice) -> Self:
        """Another page of the same lines."""
        return replace(self, page=slice_.number)

    def in_language(self, language: str) -> Self:
        """The same page in one language, or in all if it is empty."""
        return replace(self, language=language)

    def to_args(self) -> dict[str, str]:
        """The parameters that differ from the defaults."""
        texts = {"line_page": str(self.page) if self.page > 1 else "", "language": self.language}
        return {name: text for name, text in texts.items() if text}


@dataclass(frozen=True)
class LanguageTakes:
    """The takes of a line in one language."""

    language: str
    main: Sequence[TakeExcerpt]
    """The delivered take, or else the last attempt."""
    others: Sequence[TakeExcerpt]
    """The other attempts."""


@dataclass(frozen=True, kw_only=True)
class LineExcerpt:
    """A line with an excerpt of its script and some of its takes."""

    position: int
    script: str | None
    spoken: Sequence[LanguageTakes]
    more: int
    """The number of takes left out."""
    more_languages: int
    """The number of languages without a listed take."""


@dataclass(frozen=True)
class OtherFile:
    """A file that is not the audio of a take."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class Languages:
    """The number of lines in each of the first languages, and totals over all."""

    lines: Mapping[str, int]
    total: int = 0
    total_lines: int = 0

    @property
    def more(self) -> int:
        return self.total - len(self.lines)


@dataclass(frozen=True, kw_only=True)
class ResultsView:
    """What the results section of a run's page contains."""

    query: ResultQuery
    lines: Page[LineExcerpt]
    audio: DeliveredAudio
    languages: Languages
    """Lines by language, with dropped lines."""
    dropped: Languages
    """Dropped lines by language, without zeros."""
    outputs: FirstRows[OutputSummary]
    scores: FirstRows[ScoreSummary]
    files: Sequence[OtherFile]
    """The first MAX_FILES files other than audio."""
    file_count: int


def read_results(run: RunDetailView, query: ResultQuery) -> ResultsView | None:
    """The results of a run in at most twelve queries; None if there are none. The caller checked access."""
    any_line = sa.exists().where(OutputLine.run_id == run.id)
    any_file = sa.exists().where(Artifact.run_id == run.id)
    if not db.session.scalar(sa.select(any_line | any_file)):
        return None
    files, file_count = _other_files(run.id)
    return ResultsView(
        query=query,
        lines=_lines(run.id, query),
        audio=delivered_audio(run.id),
        languages=read_languages(run.id, MAX_LANGUAGES),
        dropped=read_languages(run.id, MAX_DROPPED, dropped=True),
        outputs=summarize_outputs(run.id, run.definition_snapshot, MAX_OUTPUTS),
        scores=summarize_scores(run.id, run.definition_snapshot, MAX_VALIDATORS),
        files=files,
        file_count=file_count,
    )


def by_language(takes: Sequence[TakeExcerpt]) -> list[LanguageTakes]:
    """Group the takes of a line, which are ordered by language and attempt."""
    found = []
    for language, group in groupby(takes, key=lambda take: take.locale_code or ""):
        attempts = list(group)
        main = [take for take in attempts if take.status == TakeStatus.DELIVERED] or attempts[-1:]
        found.append(LanguageTakes(language, main, [take for take in attempts if take not in main]))
    return found


def read_languages(run_id: UUID, limit: int | None, dropped: bool = False) -> Languages:
    """Lines by language. A line is dropped in a language if all of its takes in it are."""
    any_kept = sa.func.max(sa.case((Take.status == TakeStatus.DROPPED, 0), else_=1)).label("any_kept")
    each = sa.select(Take.locale_code, any_kept).where(Take.run_id == run_id)
    lines = each.group_by(Take.locale_code, Take.line).subquery()
    counted = sa.select(
        sa.func.coalesce(lines.c.locale_code, "").label("language"), sa.func.count().label("n")
    )
    if dropped:
        counted = counted.where(lines.c.any_kept == 0)
    found = counted.group_by(lines.c.locale_code).subquery()
    total_lines = sa.cast(sa.func.sum(found.c.n).over(), sa.BigInteger())
    select = sa.select(found.c.language, found.c.n, sa.func.count().over(), total_lines)
    rows = db.session.execute(select.order_by(found.c.language).limit(limit)).all()
    if not rows:
        return Languages({})
    return Languages(dict(sorted((row[0], row[1]) for row in rows)), rows[0][2], rows[0][3])


def _lines(run_id: UUID, query: ResultQuery) -> Page[LineExcerpt]:
    slice_ = Slice.of_page(query.page, LINES_A_PAGE)
    of_run = OutputLine.run_id == run_id
    total = db.session.scalar(sa.select(sa.func.count()).select_from(OutputLine).where(of_run)) or 0
    page = sa.select(OutputLine.position, excerpt(OutputLine.script, MAX_SCRIPT)).where(of_run)
    page = page.order_by(OutputLine.position).offset(slice_.offset).limit(slice_.limit)
    rows = db.session.execute(page).all()
    takes = read_take_excerpts(run_id, [row[0] for row in rows], query.language)
    none = LineTakes()
    found = [(position, script, takes.get(position, none)) for position, script in rows]
    lines = [
        LineExcerpt(
            position=position,
            script=script,
            spoken=by_language(line.takes),
            more=line.more,
            more_languages=line.more_languages,
        )
        for position, script, line in found
    ]
    return Page(lines, total, slice_)


def _other_files(run_id: UUID) -> tuple[list[OtherFile], int]:
    takes = sa.exists().where(Take.artifact_id == Artifact.id)
    total = sa.func.count().over().label("total")
    select = sa.select(excerpt(Artifact.name, MAX_NAME), Artifact.size_bytes, total)
    select = select.where(Artifact.run_id == run_id, ~takes).order_by(Artifact.name, Artifact.id)
    rows = db.session.execute(select.limit(MAX_FILES)).all()
    return [OtherFile(*row[:2]) for row in rows], rows[0].total if rows else 0
