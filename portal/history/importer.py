"""The importer: retrieve, parse, decide, store, a chunk at a time; a batch of chunks is a transaction."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from portal.database.engine import db
from portal.database.transactions import writing
from portal.history.artifact_files import FileSource, Folder, InMemory, keep_files, read_files
from portal.history.decide import Plan, decide
from portal.history.parsing.chunks import Chunk, parse_chunks, rare_garbage_collection, read_chunks
from portal.history.parsing.encoding import NumberedLine, files_of
from portal.history.parsing.lines import WorkflowLine
from portal.history.parsing.readers import BadField
from portal.history.read_ahead import ahead
from portal.history.rehearsal import Rehearsal
from portal.history.retrieve import Line, size_of
from portal.history.store import Store, look_up, renew_statistics
from portal.history.summary import BadLine, Counts, FileSummary, ImportSummary, Progress, no_progress

DEFAULT_BATCH_SIZE = 50_000
"""Lines in a transaction: more write the same index pages less often, and make other writers wait longer."""
MANY_ROWS = 5_000
"""New rows that outdate PostgreSQL's statistics."""


class Sink(Protocol):
    """Where history goes."""

    def take(self, lines: Sequence[NumberedLine], source: FileSource) -> Plan:
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

    def take(self, lines: Sequence[NumberedLine], source: FileSource) -> Plan:
        failed: dict[int, BadField] = {}
        if any(files_of(line) for _, line in lines):
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

    def _keep_files(self, lines: Sequence[NumberedLine], source: FileSource) -> dict[int, BadField]:
        """Store the files of lines that will not be refused, outside a transaction; where that fails."""
        failed: dict[int, BadField] = {}
        db.session.rollback()
        existing = look_up(db.session(), self._workspace_id, [line for _, line in lines])
        refused = {number for number, _ in decide(existing, lines, self._now).bad}
        for number, line in lines:
            try:
                if number not in refused:
                    keep_files(self._workspace_id, files_of(line), source)
            except BadField as error:
                failed[number] = error
        return failed


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
    with rare_garbage_collection(), _told(summary), ExitStack() as transactions:
        sink = (
            Rehearsal(workspace_id, now)
            if check
            else _Database(workspace_id, now, transactions, summary.keep)
        )
        before = 0
        for file, size in zip(files, sizes, strict=True):
            into = _Import(workspace_id, sink, Folder(file.parent), summary, FileSummary(file))
            lines_before = summary.total.lines
            for chunk in ahead(read_chunks(file, batch_size)):
                into.take(chunk)
                progress(before + chunk.bytes_read, sum(sizes), lines_before + into.counts.lines)
                size = max(size, chunk.bytes_read)
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


def import_lines(
    workspace_id: UUID, lines: Iterable[bytes], *, now: datetime, files: Mapping[str, bytes] | None = None
) -> ImportSummary:
    """Import lines that are at hand, as from one file; so are the files that they name."""
    summary = ImportSummary()
    numbered = (Line(number, text, 0) for number, text in enumerate(lines, 1))
    with _told(summary), ExitStack() as transactions:
        sink = _Database(workspace_id, now, transactions, summary.keep)
        into = _Import(workspace_id, sink, InMemory(files or {}), summary, FileSummary(Path("-")))
        for chunk in parse_chunks(numbered, DEFAULT_BATCH_SIZE, db.engine.dialect):
            into.take(chunk)
    return summary


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

    def take(self, chunk: Chunk) -> None:
        if any(files_of(line) for _, line in chunk.lines):
            self._sink.end_batch()  # nobody waits until files have been read and kept
            self._read_files(chunk)
        bad = chunk.bad
        if chunk.lines:
            plan = self._sink.take(chunk.lines, self._source)
            bad = bad + plan.bad
            self.counts.add(plan.counts)
        self.counts.lines += chunk.read
        self._file.error = chunk.error
        for line_number, error in sorted(bad, key=lambda each: each[0]):
            self._summary.report(
                self._file, BadLine(str(self._file.file), line_number, error.field, str(error))
            )
        if chunk.ends_batch:
            self._sink.end_batch()

    def _read_files(self, chunk: Chunk) -> None:
        """Look at the files that lines name: a line that names a wrong one is bad."""
        for position, (number, line) in reversed(list(enumerate(chunk.lines))):
            if isinstance(line, WorkflowLine) or not line.files:
                continue
            try:
                digest = read_files(self._workspace_id, line.files, self._source)
                chunk.lines[position] = (number, line.with_files(digest))
            except BadField as error:
                del chunk.lines[position]
                chunk.bad.append((number, error.bare()))
