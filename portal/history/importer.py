"""The importer: retrieve, parse, decide, store, a batch at a time and each batch its own transaction."""

import gc
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from portal.ahead import ahead
from portal.db import db, writing
from portal.history.artifact_files import FileSource, Folder, InMemory, keep_files, read_files
from portal.history.decide import Plan, decide
from portal.history.parse import HistoryLine, WorkflowLine, parse_line
from portal.history.parse_results import File
from portal.history.readers import BadField
from portal.history.rehearsal import Rehearsal
from portal.history.retrieve import MAX_LINE, Line, Unreadable, read_lines, size_of
from portal.history.store import look_up, renew_statistics, store
from portal.history.summary import BadLine, FileSummary, ImportSummary, Progress, no_progress

DEFAULT_BATCH_SIZE = 50_000
"""Lines: more cost fewer writes of the same pages of indexes, and let other writers wait longer."""
SWITCH_SECONDS = 0.0005
MANY_OBJECTS = 2_000_000
"""More than two batches of runs are: the collector of cycles passes when some are left over."""
MANY_RUNS = 10_000
"""New ones that change what a database knows of its tables."""
MAX_BATCH_BYTES = 32 * 1024 * 1024
"""A batch ends here too, whatever its number of lines: one batch is held in memory."""


@dataclass
class _Batch:
    lines: list[tuple[int, HistoryLine]] = field(default_factory=list)
    bad: list[tuple[int, BadField]] = field(default_factory=list)
    read: int = 0
    size: int = 0
    bytes_read: int = 0

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


class Sink(Protocol):
    """Where batches go."""

    def take(self, lines: Sequence[tuple[int, HistoryLine]], source: FileSource) -> Plan:
        """Take a batch, whose files have been read, and the files that it needs; what became of it."""


class _Database:
    """Stores each batch in a transaction of its own."""

    def __init__(self, workspace_id: UUID, now: datetime) -> None:
        self._workspace_id, self._now = workspace_id, now

    def take(self, lines: Sequence[tuple[int, HistoryLine]], source: FileSource) -> Plan:
        failed = self._keep_files(lines, source)
        with writing(bulk=True) as session:
            lines = [each for each in lines if each[0] not in failed]
            existing = look_up(session, self._workspace_id, [line for _, line in lines])
            plan = decide(existing, lines, self._now)
            store(session, self._workspace_id, plan, self._now)
        plan.bad += failed.items()
        return plan

    def _keep_files(
        self, lines: Sequence[tuple[int, HistoryLine]], source: FileSource
    ) -> dict[int, BadField]:
        """Store the files of lines that will not be refused, before the transaction; where that fails."""
        failed: dict[int, BadField] = {}
        if not any(_files_of(line) for _, line in lines):
            return failed
        db.session.rollback()
        existing = look_up(db.session(), self._workspace_id, [line for _, line in lines], hold=False)
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
) -> ImportSummary:
    """Import files of history into a workspace; what is wrong with them is in the summary.

    Whole batches are kept whatever happens, and importing the same file again changes nothing. A check says
    the same of the same files, and writes nothing.
    """
    sink = Rehearsal(workspace_id, now) if check else _Database(workspace_id, now)
    with _long_work():
        summary = _import_files(workspace_id, files, sink, batch_size, progress)
    if not check and summary.total.runs_new >= MANY_RUNS:
        renew_statistics()
    return summary


@contextmanager
def _long_work() -> Iterator[None]:
    """Let the collector of cycles pass seldom: a batch is many objects and no cycles.

    And let threads take turns often: after each statement the interpreter has to be had back from the
    thread that parses.
    """
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(MANY_OBJECTS, *thresholds[1:])
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval)


def _import_files(
    workspace_id: UUID, files: Sequence[Path], sink: Sink, batch_size: int, progress: Progress
) -> ImportSummary:
    begun = time.monotonic()
    summary = ImportSummary(check=isinstance(sink, Rehearsal))
    sizes = [size_of(file) for file in files]
    for file, before in zip(files, _running_totals(sizes), strict=True):
        current = FileSummary(file)
        summary.files.append(current)
        folder = Folder(file.parent)
        lines_before = summary.total.lines
        try:
            for batch in ahead(_batches(read_lines(file), batch_size)):
                _read_files(workspace_id, batch, folder)
                _import_batch(batch, summary, current, sink, folder)
                progress(before + batch.bytes_read, sum(sizes), lines_before + current.counts.lines)
        except Unreadable as error:
            current.error = str(error)
    summary.seconds = time.monotonic() - begun
    return summary


def import_lines(
    workspace_id: UUID, lines: Iterable[bytes], *, now: datetime, files: Mapping[str, bytes] | None = None
) -> ImportSummary:
    """Import lines that are at hand, as from one file; so are the files that they name."""
    begun = time.monotonic()
    current = FileSummary(Path("-"))
    summary = ImportSummary([current])
    sink, source = _Database(workspace_id, now), InMemory(files or {})
    numbered = (Line(number, text, 0) for number, text in enumerate(lines, 1))
    for batch in _batches(numbered, DEFAULT_BATCH_SIZE):
        _read_files(workspace_id, batch, source)
        _import_batch(batch, summary, current, sink, source)
    summary.seconds = time.monotonic() - begun
    return summary


def _running_totals(sizes: Sequence[int]) -> list[int]:
    return [sum(sizes[:position]) for position in range(len(sizes))]


def _batches(lines: Iterator[Line], batch_size: int) -> Iterator[_Batch]:
    """The lines in batches, parsed; also those before the place where a file cannot be read further."""
    batch = _Batch()
    unreadable = None
    try:
        for line in lines:
            batch.add(line)
            if batch.read >= batch_size or batch.size >= MAX_BATCH_BYTES:
                yield batch
                batch = _Batch()
    except Unreadable as error:
        unreadable = error
    if batch.read:
        yield batch
    if unreadable is not None:
        raise unreadable


def _read_files(workspace_id: UUID, batch: _Batch, source: FileSource) -> None:
    """Look at the files that lines name: a line that names a wrong one is bad."""
    for position, (number, line) in reversed(list(enumerate(batch.lines))):
        if isinstance(line, WorkflowLine) or not line.files:
            continue
        try:
            digest = read_files(workspace_id, line.files, source)
            batch.lines[position] = (number, line.with_files(digest))
        except BadField as error:
            del batch.lines[position]
            batch.bad.append((number, error.bare()))


def _import_batch(
    batch: _Batch, summary: ImportSummary, current: FileSummary, sink: Sink, source: FileSource
) -> None:
    bad = sorted(batch.bad, key=lambda each: each[0])
    if batch.lines:
        plan = sink.take(batch.lines, source)
        bad = sorted(bad + plan.bad, key=lambda each: each[0])
        current.counts.add(plan.counts)
    current.counts.lines += batch.read
    for line_number, error in bad:
        summary.report(current, BadLine(str(current.file), line_number, error.field, str(error)))
