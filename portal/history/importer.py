"""The importer: retrieve, parse, decide, store, a chunk at a time; a batch of chunks is a transaction."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from portal.database.engine import db
from portal.database.transactions import writing
from portal.history.files.prefetch import prefetch
from portal.history.files.retrieve import Line, size_of
from portal.history.parsing.chunks import Chunk, parse_chunks, rare_garbage_collection, read_chunks
from portal.history.parsing.encoding import NumberedLine, files_of
from portal.history.parsing.lines import WorkflowLine
from portal.history.parsing.readers import BadField
from portal.history.parsing.runs import Arrival
from portal.history.sources.reading.lines import lines_of
from portal.history.sources.reading.reader import Reading
from portal.history.storing.artifact_files import FileSource, Folder, InMemory, keep_files, read_files
from portal.history.storing.decide import Plan, decide
from portal.history.storing.dry_run import DryRun
from portal.history.storing.numbering import numbers_of_file, numbers_of_lines, with_numbers
from portal.history.storing.store import Store, look_up, renew_statistics
from portal.history.summary import BadLine, Counts, FileSummary, ImportSummary, Progress, no_progress
from portal.history.ways import BY_FILE, WayIn

DEFAULT_BATCH_SIZE = 50_000
"""Lines in a transaction: more write the same index pages less often, and make other writers wait longer."""
MANY_ROWS = 5_000
"""New rows that outdate PostgreSQL's statistics."""


class Sink(Protocol):
    """Where parsed history goes."""

    def take(self, lines: Sequence[NumberedLine], source: FileSource) -> Plan:
        """Take lines, whose files have been read, with those files; returns what is decided about them."""

    def end_batch(self) -> None:
        """Commit the lines taken so far."""


class _DatabaseSink:
    """Stores each batch in a transaction, which leaving `transactions` with an error rolls back.

    `committed` is called after each commit, `ending` within each transaction, last.
    """

    def __init__(
        self,
        arrival: Arrival,
        way: WayIn,
        transactions: ExitStack,
        committed: Callable[[], None],
        ending: Callable[[Session], None] | None = None,
    ) -> None:
        self._arrival, self._way, self._transactions = arrival, way, transactions
        self._committed, self._ending = committed, ending
        self._store: Store | None = None

    def take(self, lines: Sequence[NumberedLine], source: FileSource) -> Plan:
        failed: dict[int, BadField] = {}
        if any(files_of(line) for _, line in lines):
            failed = self._keep_files(lines, source)
            lines = [each for each in lines if each[0] not in failed]
        if self._store is not None and not self._store.may_lock(lines):
            self.end_batch()
        if self._store is None:
            self._session = self._transactions.enter_context(writing(bulk=not self._way.live))
            self._store = Store(self._session, self._arrival, self._way)
        plan = self._store.take(lines)
        plan.bad += failed.items()
        return plan

    def end_batch(self) -> None:
        if self._store is not None:
            self._store.finish()
            if self._ending:
                self._ending(self._session)
            self._store = None
            self._transactions.close()
        self._committed()

    def _keep_files(self, lines: Sequence[NumberedLine], source: FileSource) -> dict[int, BadField]:
        """Store the files of acceptable lines outside a transaction; returns the failures by line number."""
        failed: dict[int, BadField] = {}
        db.session.rollback()
        existing = look_up(db.session(), self._arrival.workspace_id, [line for _, line in lines])
        refused = {number for number, _ in decide(existing, lines, self._arrival, self._way).bad}
        for number, line in lines:
            try:
                if number not in refused:
                    keep_files(self._arrival.workspace_id, files_of(line), source)
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
    reading: Reading | None = None,
) -> ImportSummary:
    """Import files of history into a workspace; the summary lists what is wrong with them.

    With a reading, they are files of another system, whose reader makes the lines.

    Complete batches stay whatever happens, and importing the same file again changes nothing. A check is a
    dry run with the same summary. A summary passed in says what was committed even if the import fails.
    """
    summary = ImportSummary() if summary is None else summary
    summary.check = check
    sizes = [size_of(file) for file in files]
    arrival = Arrival(workspace_id, now)
    with rare_garbage_collection(), _timed(summary), ExitStack() as transactions:
        sink = (
            DryRun(arrival)
            if check
            else _DatabaseSink(arrival, BY_FILE, transactions, summary.mark_committed)
        )
        before = 0
        for file, size in zip(files, sizes, strict=True):
            into = _Import(workspace_id, sink, Folder(file.parent), summary, FileSummary(file))
            lines_before = summary.total.lines
            for chunk in into.take_file(file, batch_size, arrival, reading):
                progress(before + chunk.bytes_read, sum(sizes), lines_before + into.counts.lines)
                size = max(size, chunk.bytes_read)
            before += size
    if not check and summary.total.rows_new >= MANY_ROWS:
        renew_statistics()
    return summary


@contextmanager
def _timed(summary: ImportSummary) -> Iterator[None]:
    """Note the duration in a summary and, after an error, reduce it to what was committed."""
    begun = time.monotonic()
    try:
        yield
    except BaseException:
        summary.roll_back()
        raise
    finally:
        summary.seconds = time.monotonic() - begun


def import_lines(
    workspace_id: UUID,
    lines: Iterable[bytes],
    *,
    now: datetime,
    files: Mapping[str, bytes] | None = None,
    way: WayIn = BY_FILE,
    ending: Callable[[Session, ImportSummary], None] | None = None,
) -> ImportSummary:
    """Import lines from memory as if from one file, with the files that they name.

    `ending` is called last within each transaction, with the summary of all lines so far.
    """
    summary = ImportSummary()
    arrival = Arrival(workspace_id, now, way.live)
    numbered = (Line(number, text, 0) for number, text in enumerate(lines, 1))
    with _timed(summary), ExitStack() as transactions:
        sink = _DatabaseSink(
            arrival,
            way,
            transactions,
            summary.mark_committed,
            (lambda session: ending(session, summary)) if ending else None,
        )
        into = _Import(workspace_id, sink, InMemory(files or {}), summary, FileSummary(Path("-")))
        for _ in into.take_all(parse_chunks(numbered, DEFAULT_BATCH_SIZE, db.engine.dialect, arrival)):
            pass
    return summary


class _Import:
    """Moves the chunks of one file into a sink and reports on them."""

    def __init__(
        self, workspace_id: UUID, sink: Sink, source: FileSource, summary: ImportSummary, file: FileSummary
    ) -> None:
        self._workspace_id, self._sink, self._source = workspace_id, sink, source
        self._summary, self._file = summary, file
        summary.files.append(file)

    def take_file(
        self, file: Path, batch_size: int, arrival: Arrival, reading: Reading | None
    ) -> Iterator[Chunk]:
        """Take the chunks of a file, and yield each when it is taken."""
        if reading is not None:
            made = parse_chunks(lines_of(file, reading), batch_size, db.engine.dialect, arrival)
            yield from self.take_all(prefetch(made))
            return
        numbers = numbers_of_file(file, arrival) if file.is_file() else None
        coming = prefetch(read_chunks(file, batch_size, arrival))
        if numbers is None:
            yield from self.take_all(coming)
            return
        for chunk in coming:
            with_numbers(chunk.lines, numbers)
            self.take(chunk)
            yield chunk

    def take_all(self, coming: Iterable[Chunk]) -> Iterator[Chunk]:
        """Take chunks a batch at a time, so that runs without a number are numbered within it."""
        batch: list[Chunk] = []
        for chunk in coming:
            batch.append(chunk)
            if chunk.ends_batch:
                numbers = numbers_of_lines(line for each in batch for line in each.lines)
                for each in batch:
                    with_numbers(each.lines, numbers)
                    self.take(each)
                    yield each
                batch = []

    @property
    def counts(self) -> Counts:
        return self._file.counts

    def take(self, chunk: Chunk) -> None:
        if any(files_of(line) for _, line in chunk.lines):
            self._sink.end_batch()  # no lock is held while files are read and stored
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
        """Read the files that lines name; a line with a wrong file is bad."""
        for position, (number, line) in reversed(list(enumerate(chunk.lines))):
            if isinstance(line, WorkflowLine) or not line.files:
                continue
            try:
                digest = read_files(self._workspace_id, line.files, self._source)
                chunk.lines[position] = (number, line.with_files(digest))
            except BadField as error:
                del chunk.lines[position]
                chunk.bad.append((number, error.bare()))
