"""The lines of a run's script with their takes, for the API (contract 3.8)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import ACTIVE, OutputLine
from portal.input import parameters
from portal.input.folding import fold
from portal.paging import Page, Slice
from portal.runs.address import RunAddress, reader_of
from portal.runs.detail.columns import columns_of
from portal.runs.detail.run import RunView
from portal.runs.results.takes import TakeRow, read_takes


@dataclass(frozen=True, kw_only=True)
class LinesQuery:
    """The run, the page of its lines, and the filters of lines and takes."""

    address: RunAddress
    slice: Slice = Slice()
    search: str = ""
    language: str | None = None
    include_dropped: bool = False
    named: frozenset[str] = frozenset()
    """The parameters that the request has, also those with default values."""

    @classmethod
    def parse(cls, args: Mapping[str, str], *, workflow_id: str, run_id: str) -> Self:
        """Read a request's parameters. Raises InvalidQuery with an error for each bad field."""
        reader = reader_of(args, workflow_id, run_id)
        query = cls(
            address=RunAddress.read(reader),
            slice=reader.slice(),
            search=reader.read("search", parameters.search, ""),
            language=reader.read("language", _language, None),
            include_dropped=reader.read("include_dropped", parameters.boolean, False),
            named=frozenset(args),
        )
        reader.finish()
        return query

    def api_args(self, slice_: Slice) -> dict[str, str]:
        """The parameters of a link to another page: offset, limit and those that the request has (1.7)."""
        rest = {
            "search": self.search,
            "language": self.language or "",
            "include_dropped": str(self.include_dropped).lower(),
        }
        paging = {"offset": str(slice_.offset), "limit": str(slice_.limit)}
        return paging | {name: text for name, text in rest.items() if name in self.named}


def _language(text: str) -> str:
    return locale_code(parameters.text(text))


def locale_code(text: str) -> str:
    """The stored form of a language: `en_US` becomes `en-US`."""
    return text.replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class LineRow:
    """One line of the script with its takes."""

    position: int
    line_id: str | None
    source_line_id: str | None
    script: str | None
    auto_corrected: int | None
    takes: Sequence[TakeRow]


@dataclass(frozen=True)
class Completeness:
    """Whether the lines are complete, and why there are none."""

    status: str
    reason: str | None


_COLUMNS = columns_of(OutputLine, LineRow).values()


def list_lines(run: RunView, query: LinesQuery) -> Page[LineRow]:
    """One page of a run's lines in order of the script, in at most four queries.

    The search filters lines; the language filters their takes only.
    """
    conditions = [OutputLine.run_id == run.id]
    if query.search:
        conditions.append(OutputLine.script_folded.contains(fold(query.search), autoescape=True))
    total = db.session.scalar(sa.select(sa.func.count()).select_from(OutputLine).where(*conditions)) or 0
    if query.slice.offset >= total:
        return Page((), total, query.slice)
    page = sa.select(*_COLUMNS).where(*conditions).order_by(OutputLine.position)
    rows = db.session.execute(page.offset(query.slice.sql_offset).limit(query.slice.limit)).all()
    takes: dict[int, list[TakeRow]] = defaultdict(list)
    for take in read_takes(run.id, lines=[row.position for row in rows], dropped=query.include_dropped):
        if query.language in (None, take.locale_code):
            takes[take.line].append(take)
    lines = [LineRow(**row._mapping, takes=takes[row.position]) for row in rows]
    return Page(lines, total, query.slice)


def completeness(run: RunView, line_count: int) -> Completeness:
    """Whether more lines may follow."""
    if run.status in ACTIVE:
        return Completeness("not_ready", "run_not_finished")
    return Completeness("available", None) if line_count else Completeness("unavailable", "no_lines_recorded")
