"""Takes lines of history that an ingest key brings, and records what became of them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from portal.auth.ingest_keys import IngestCaller
from portal.history.importer import import_lines
from portal.history.summary import ImportSummary
from portal.history.ways import WayIn
from portal.ingest import ledger
from portal.ingest.ledger import IngestOutcome, Refusal


def take_lines(caller: IngestCaller, lines: Sequence[bytes], now: datetime) -> IngestOutcome:
    """Store lines of history; each that cannot be taken is refused on its own."""
    numbers = [number for number, line in enumerate(lines, 1) if line.strip()]
    way = WayIn(caller.key_id, caller.source, live=True)
    kept = [lines[number - 1] for number in numbers]
    recorded: list[IngestOutcome] = []

    def record(session: Session, summary: ImportSummary) -> None:
        recorded.append(_outcome(summary, numbers))
        ledger.record_within(session, caller.key_id, recorded[-1], now)

    summary = import_lines(caller.workspace_id, kept, now=now, way=way, ending=record)
    if not recorded:  # no line was one that could be stored
        recorded.append(_outcome(summary, numbers))
        ledger.record(caller.key_id, recorded[-1], now)
    [outcome] = recorded  # as few lines as a push has are stored in one transaction
    return outcome


def _outcome(summary: ImportSummary, numbers: Sequence[int]) -> IngestOutcome:
    """`numbers` are those of the lines in the request, whose blank lines were left out."""
    counts = summary.total
    unchanged = counts.runs_unchanged + counts.workflows_unchanged + counts.uploads_unchanged
    refused = [Refusal(numbers[bad.line_number - 1], bad.field, bad.reason) for bad in summary.bad]
    return IngestOutcome(counts.lines - counts.bad_lines - unchanged, unchanged, refused)
