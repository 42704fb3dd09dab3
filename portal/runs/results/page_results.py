"""What a run gave, as its page shows it: lines by pages with their takes, and what they add up to."""

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
from portal.runs.detail.timeline import page_number
from portal.runs.results.audio import DeliveredAudio, delivered_audio
from portal.runs.results.output_lines import locale_code
from portal.runs.results.page_outputs import ShownOutputs, show_outputs
from portal.runs.results.page_scores import ShownScores, show_scores
from portal.runs.results.page_takes import ShownTake, TakesOfLine, show_takes

LINES_A_PAGE = 5
MAX_FILES = 50
"""Files besides audio that are named; the archive has them all."""

MAX_LANGUAGES, MAX_DROPPED = 30, 10
"""Languages that are listed, of all lines and of those that were dropped."""

MAX_OUTPUTS, MAX_VALIDATORS = 20, 20
MAX_SCRIPT, MAX_NAME = 600, 100
"""Characters of a line's text and of a file's name."""


@dataclass(frozen=True, kw_only=True)
class ResultQuery:
    """Which lines to show, and in which language."""

    page: int = 1
    language: str = ""

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Raises InvalidQuery."""
        reader = Reader(args)
        language = locale_code(reader.read("language", parameters.linked_text, ""))
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
    main: Sequence[ShownTake]
    """What was delivered, else the last attempt."""
    others: Sequence[ShownTake]
    """The attempts beside it."""


@dataclass(frozen=True, kw_only=True)
class ShownLine:
    position: int
    script: str | None
    """Cut where it is long."""
    spoken: Sequence[Spoken]
    more: int
    """How many takes are not shown."""
    more_languages: int
    """In how many languages none is shown."""


@dataclass(frozen=True)
class OtherFile:
    """A file that is no take's audio."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class Languages:
    """The first languages with their lines, and how many languages and lines there are in all."""

    lines: Mapping[str, int]
    total: int = 0
    total_lines: int = 0

    @property
    def more(self) -> int:
        return self.total - len(self.lines)


@dataclass(frozen=True, kw_only=True)
class Results:
    query: ResultQuery
    lines: Page[ShownLine]
    audio: DeliveredAudio
    languages: Languages
    """How many lines were tried in each, dropped ones too."""
    dropped: Languages
    """How many lines of each language were dropped; languages without any are left out."""
    outputs: ShownOutputs
    scores: ShownScores
    files: Sequence[OtherFile]
    """The first MAX_FILES of them."""
    file_count: int


def read_results(run: RunDetailView, query: ResultQuery) -> Results | None:
    """What a run that the caller may see gave, in at most twelve queries; None where it gave nothing."""
    any_line = sa.exists().where(OutputLine.run_id == run.id)
    any_file = sa.exists().where(Artifact.run_id == run.id)
    if not db.session.scalar(sa.select(any_line | any_file)):
        return None
    files, file_count = _other_files(run.id)
    return Results(
        query=query,
        lines=_lines(run.id, query),
        audio=delivered_audio(run.id),
        languages=read_languages(run.id, MAX_LANGUAGES),
        dropped=read_languages(run.id, MAX_DROPPED, dropped=True),
        outputs=show_outputs(run.id, run.definition_snapshot, MAX_OUTPUTS),
        scores=show_scores(run.id, run.definition_snapshot, MAX_VALIDATORS),
        files=files,
        file_count=file_count,
    )


def spoken(takes: Sequence[ShownTake]) -> list[Spoken]:
    """The takes of a line by language; they come in the order of language and attempt."""
    found = []
    for language, group in groupby(takes, key=lambda take: take.locale_code or ""):
        attempts = list(group)
        main = [take for take in attempts if take.status == TakeStatus.DELIVERED] or attempts[-1:]
        found.append(Spoken(language, main, [take for take in attempts if take not in main]))
    return found


def read_languages(run_id: UUID, most: int | None, dropped: bool = False) -> Languages:
    """Lines by language; of dropped ones, those of whose takes none is anything else."""
    kept = sa.func.max(sa.case((Take.status == TakeStatus.DROPPED, 0), else_=1)).label("kept")
    each = sa.select(Take.locale_code, kept).where(Take.run_id == run_id)
    lines = each.group_by(Take.locale_code, Take.line).subquery()
    counted = sa.select(
        sa.func.coalesce(lines.c.locale_code, "").label("language"), sa.func.count().label("n")
    )
    if dropped:
        counted = counted.where(lines.c.kept == 0)
    found = counted.group_by(lines.c.locale_code).subquery()
    total_lines = sa.cast(sa.func.sum(found.c.n).over(), sa.BigInteger())
    select = sa.select(found.c.language, found.c.n, sa.func.count().over(), total_lines)
    rows = db.session.execute(select.order_by(found.c.language).limit(most)).all()
    if not rows:
        return Languages({})
    return Languages(dict(sorted((row[0], row[1]) for row in rows)), rows[0][2], rows[0][3])


def _lines(run_id: UUID, query: ResultQuery) -> Page[ShownLine]:
    slice_ = Slice.of_page(query.page, LINES_A_PAGE)
    mine = OutputLine.run_id == run_id
    total = db.session.scalar(sa.select(sa.func.count()).select_from(OutputLine).where(mine)) or 0
    page = sa.select(OutputLine.position, excerpt(OutputLine.script, MAX_SCRIPT)).where(mine)
    page = page.order_by(OutputLine.position).offset(slice_.offset).limit(slice_.limit)
    rows = db.session.execute(page).all()
    takes = show_takes(run_id, [row[0] for row in rows], query.language)
    none = TakesOfLine()
    shown = [(*row, takes.get(row[0], none)) for row in rows]
    lines = [
        ShownLine(
            position=position,
            script=script,
            spoken=spoken(its.takes),
            more=its.more,
            more_languages=its.more_languages,
        )
        for position, script, its in shown
    ]
    return Page(lines, total, slice_)


def _other_files(run_id: UUID) -> tuple[list[OtherFile], int]:
    takes = sa.exists().where(Take.artifact_id == Artifact.id)
    total = sa.func.count().over().label("total")
    select = sa.select(excerpt(Artifact.name, MAX_NAME), Artifact.size_bytes, total)
    select = select.where(Artifact.run_id == run_id, ~takes).order_by(Artifact.name, Artifact.id)
    rows = db.session.execute(select.limit(MAX_FILES)).all()
    return [OtherFile(*row[:2]) for row in rows], rows[0].total if rows else 0
