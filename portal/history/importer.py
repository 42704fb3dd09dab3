"""The importer: retrieve, parse, decide, store, a piece at a time; a batch of pieces is a transaction."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db, engine_options
from portal.database.transactions import writing
from portal.history.artifact_files import FileSource, Folder, InMemory, keep_files, read_files
from portal.history.decide import Plan, decide
from portal.history.parsing.lines import HistoryLine, RunLine, WorkflowLine, parse_line
from portal.history.parsing.readers import BadField
from portal.history.parsing.results import File
from portal.history.read_ahead import Ended, ahead, apart
from portal.history.rehearsal import Rehearsal
from portal.history.retrieve import MAX_LINE, Line, Unreadable, read_lines, size_of
from portal.history.store import Store, look_up, renew_statistics
from portal.history.summary import BadLine, Counts, FileSummary, ImportSummary, Progress, no_progress
from portal.runs.recording.run_parameters import encode_runs

DEFAULT_BATCH_SIZE = 50_000
"""Lines: more cost fewer writes of the same pages of indexes, and let other writers wait longer."""
MANY_OBJECTS = 2_000_000
"""More than many pieces of runs are: the collector of cycles passes when some are left over."""
MANY_ROWS = 5_000
"""New ones that change what a database knows of its tables."""
PIECE = 5000
"""Lines that are handed over at once by the process that parses a long file."""
LONG_FILE = 8 * 1024 * 1024
"""Bytes of a file that make up for the time that starting a process takes."""
MAX_BATCH_BYTES = 32 * 1024 * 1024
"""A batch ends here too, whatever its number of lines, and so does a piece, which is held in memory."""


@dataclass
class _Piece:
    """Lines that follow each other, parsed."""

    lines: list[tuple[int, HistoryLine]] = field(default_factory=list)
    bad: list[tuple[int, BadField]] = field(default_factory=list)
    read: int = 0
    size: int = 0
    bytes_read: int = 0
    ends_batch: bool = True
    error: str | None = None
    """Why the file could not be read further."""

    def add(self, line: Line) -> None:
        self.read += 1
        self.bytes_read = line.bytes_read
        try:
            if line.text is None:
                raise BadField("", f"is longer than {MAX_LINE} bytes.")
            self.size += len(line.text)
            self.lines.append((line.number, parse_line(line.text)))
        except BadField as error:
            self.bad.append((line.number, error.bare()))

    def make_ready(self, dialect: sa.Dialect) -> None:
        """Do all that can be done with the runs before the database is asked."""
        runs = [line for _, line in self.lines if isinstance(line, RunLine)]
        ready = iter(encode_runs(dialect, [run.columns for run in runs]))
        self.lines = [
            (number, line._replace(columns={}, ready=next(ready)) if isinstance(line, RunLine) else line)
            for number, line in self.lines
        ]


class Sink(Protocol):
    """Where history goes."""

    def take(self, lines: Sequence[tuple[int, HistoryLine]], source: FileSource) -> Plan:
        """Take lines, whose files have been read, and the files that they need; what became of them."""

    def end_batch(self) -> None:
        """Keep what has been taken."""


class _Database:
    """Stores each batch in a transaction of its own; leaving `transactions` by an error takes it back.

    `committed` is called whenever all that was taken has been.
    """

    def __init__(
        self, workspace_id: UUID, now: datetime, transactions: ExitStack, committed: Callable[[], None]
    ) -> None:
        self._workspace_id, self._now, self._transactions = workspace_id, now, transactions
        self._committed = committed
        self._store: Store | None = None

    def take(self, lines: Sequence[tuple[int, HistoryLine]], source: FileSource) -> Plan:
        failed: dict[int, BadField] = {}
        if any(_files_of(line) for _, line in lines):
            failed = self._keep_files(lines, source)
            lines = [each for each in lines if each[0] not in failed]
        if self._store is not None and not self._store.may_hold(lines):
            self.end_batch()
        if self._store is None:
            session = self._transactions.enter_context(writing(bulk=True))
            self._store = Store(session, self._workspace_id, self._now)
        plan = self._store.take(lines)
        plan.bad += failed.items()
        return plan

    def end_batch(self) -> None:
        if self._store is not None:
            self._store.finish()
            self._store = None
            self._transactions.close()
        self._committed()

    def _keep_files(
        self, lines: Sequence[tuple[int, HistoryLine]], source: FileSource
    ) -> dict[int, BadField]:
        """Store the files of lines that will not be refused, outside a transaction; where that fails."""
        failed: dict[int, BadField] = {}
        db.session.rollback()
        existing = look_up(db.session(), self._workspace_id, [line for _, line in lines])
        refused = {number for number, _ in decide(existing, lines, self._now).bad}
        for number, line in lines:
            try:
                if number not in refused:
                    keep_files(self._workspace_id, _files_of(line), source)
            except BadField as error:
                failed[number] = error
        return failed


def _files_of(line: HistoryLine) -> Sequence[File]:
    return () if isinstance(line, WorkflowLine) else line.files


def import_files(
    workspace_id: UUID,
    files: Sequence[Path],
    *,
    now: datetime,
    check: bool = False,
    batch_size: int = DEFAULT_BATCH_SIZE,
    progress: Progress = no_progress,
    summary: ImportSummary | None = None,
) -> ImportSummary:
    """Import files of history into a workspace; what is wrong with them is in the summary.

    Whole batches are kept whatever happens, and importing the same file again changes nothing. A check says
    the same of the same files, and writes nothing. A summary that is given says what was committed also where
    the import fails.
    """
    summary = ImportSummary() if summary is None else summary
    summary.check = check
    sizes = [size_of(file) for file in files]
    with _long_work(), _told(summary), ExitStack() as transactions:
        sink = (
            Rehearsal(workspace_id, now)
            if check
            else _Database(workspace_id, now, transactions, summary.keep)
        )
        before = 0
        for file, size in zip(files, sizes, strict=True):
            into = _Import(workspace_id, sink, Folder(file.parent), summary, FileSummary(file))
            lines_before = summary.total.lines
            for piece in ahead(_parsed(file, batch_size)):
                into.take(piece)
                progress(before + piece.bytes_read, sum(sizes), lines_before + into.counts.lines)
                size = max(size, piece.bytes_read)
            before += size
    if not check and summary.total.rows_new >= MANY_ROWS:
        renew_statistics()
    return summary


@contextmanager
def _told(summary: ImportSummary) -> Iterator[None]:
    """Let a summary say how long it took, and only what was committed where that was not all."""
    begun = time.monotonic()
    try:
        yield
    except BaseException:
        summary.take_back()
        raise
    finally:
        summary.seconds = time.monotonic() - begun


@contextmanager
def _long_work() -> Iterator[None]:
    """Let the collector of cycles pass seldom: a piece is many objects and no cycles."""
    thresholds = gc.get_threshold()
    gc.set_threshold(MANY_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def import_lines(
    workspace_id: UUID, lines: Iterable[bytes], *, now: datetime, files: Mapping[str, bytes] | None = None
) -> ImportSummary:
    """Import lines that are at hand, as from one file; so are the files that they name."""
    summary = ImportSummary()
    numbered = (Line(number, text, 0) for number, text in enumerate(lines, 1))
    with _told(summary), ExitStack() as transactions:
        sink = _Database(workspace_id, now, transactions, summary.keep)
        into = _Import(workspace_id, sink, InMemory(files or {}), summary, FileSummary(Path("-")))
        for piece in _pieces(numbered, DEFAULT_BATCH_SIZE, db.engine.dialect):
            into.take(piece)
    return summary


def _parsed(file: Path, batch_size: int) -> Iterator[_Piece]:
    """The lines of a file; those of a long one are read and parsed in a process of its own.

    Such a process has no standard input and no other open file: it takes the file that /dev/stdin stands for.
    """
    if size_of(file) < LONG_FILE or not file.resolve().is_file():
        return _pieces(read_lines(file), batch_size, db.engine.dialect)
    return _parsed_apart(file.resolve(), batch_size, db.engine.url)


def _parsed_apart(file: Path, batch_size: int, database: sa.URL) -> Iterator[_Piece]:
    try:
        yield from apart(_pieces_of, file, batch_size, database)
    except Ended:
        yield _Piece(error="The process that read the file was ended.")


def _pieces_of(file: Path, batch_size: int, database: sa.URL) -> Iterator[_Piece]:
    dialect = sa.create_engine(database, **engine_options(database)).dialect
    with _long_work():
        yield from _pieces(read_lines(file), batch_size, dialect)


def _pieces(lines: Iterable[Line], batch_size: int, dialect: sa.Dialect) -> Iterator[_Piece]:
    """The lines, parsed; the last piece says so where they cannot be read to the end."""
    read = size = 0
    piece = _Piece()
    try:
        for line in lines:
            piece.add(line)
            piece.ends_batch = read + piece.read >= batch_size or size + piece.size >= MAX_BATCH_BYTES
            if piece.ends_batch or piece.read >= PIECE:
                piece.make_ready(dialect)
                yield piece
                read, size = (0, 0) if piece.ends_batch else (read + piece.read, size + piece.size)
                piece = _Piece(bytes_read=piece.bytes_read)
    except Unreadable as error:
        piece.error = str(error)
    piece.ends_batch = True
    piece.make_ready(dialect)
    yield piece


class _Import:
    """One file on its way into a sink, and what is to be said of it."""

    def __init__(
        self, workspace_id: UUID, sink: Sink, source: FileSource, summary: ImportSummary, file: FileSummary
    ) -> None:
        self._workspace_id, self._sink, self._source = workspace_id, sink, source
        self._summary, self._file = summary, file
        summary.files.append(file)

    @property
    def counts(self) -> Counts:
        return self._file.counts

    def take(self, piece: _Piece) -> None:
        if any(_files_of(line) for _, line in piece.lines):
            self._sink.end_batch()  # nobody waits until files have been read and kept
            self._read_files(piece)
        bad = piece.bad
        if piece.lines:
            plan = self._sink.take(piece.lines, self._source)
            bad = bad + plan.bad
            self.counts.add(plan.counts)
        self.counts.lines += piece.read
        self._file.error = piece.error
        for line_number, error in sorted(bad, key=lambda each: each[0]):
            self._summary.report(
                self._file, BadLine(str(self._file.file), line_number, error.field, str(error))
            )
        if piece.ends_batch:
            self._sink.end_batch()

    def _read_files(self, piece: _Piece) -> None:
        """Look at the files that lines name: a line that names a wrong one is bad."""
        for position, (number, line) in reversed(list(enumerate(piece.lines))):
            if isinstance(line, WorkflowLine) or not line.files:
                continue
            try:
                digest = read_files(self._workspace_id, line.files, self._source)
                piece.lines[position] = (number, line.with_files(digest))
            except BadField as error:
                del piece.lines[position]
                piece.bad.append((number, error.bare()))
