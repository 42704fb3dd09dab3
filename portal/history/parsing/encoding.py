"""Lines of history as they are stored: the columns of runs are driver parameters of one kind of database."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import RunStatus
from portal.database.sql.bulk import Parameters
from portal.history.parsing.lines import ParsedLine, WorkflowLine
from portal.history.parsing.readers import Values
from portal.history.parsing.results import File, RunResults
from portal.history.parsing.runs import NamedWorkflow, ParsedRun
from portal.history.parsing.uploads import UploadLine
from portal.runs.causes.lasting import NONE, lasting_of
from portal.runs.causes.why import is_told, why
from portal.runs.recording.run_parameters import CountedValues, encode_runs
from portal.workspaces.people import SourcePerson


class EncodedRun(NamedTuple):
    """A parsed run whose columns are driver parameters; the other fields are those of ParsedRun."""

    id: UUID
    workflow_id: UUID
    workflow: NamedWorkflow | None
    number: int | None
    ordinal: int | None
    identity: SourcePerson | None
    definition_snapshot: Values | None
    source: Values
    steps: list[Values]
    digest: bytes
    provenance: Values | None
    text: bytes
    results: RunResults | None
    parameters: Parameters
    counted: CountedValues

    @property
    def files(self) -> Sequence[File]:
        """Files that the line names."""
        return self.results.files if self.results else ()

    def with_files(self, digest: bytes) -> "EncodedRun":
        """The same run with a digest that also depends on the content of its files."""
        return self._replace(digest=blake2b(self.digest + digest, digest_size=16).digest())


HistoryLine = WorkflowLine | UploadLine | EncodedRun

NumberedLine = tuple[int, HistoryLine]


def encode_lines(dialect: sa.Dialect, lines: Sequence[tuple[int, ParsedLine]]) -> list[NumberedLine]:
    """Encode the runs among these numbered lines."""
    encoded = iter(encode_parsed(dialect, [line for _, line in lines if isinstance(line, ParsedRun)]))
    return [(number, next(encoded) if isinstance(line, ParsedRun) else line) for number, line in lines]


def encode_parsed(dialect: sa.Dialect, lines: Sequence[ParsedRun]) -> list[EncodedRun]:
    """Encode these runs."""
    for line in lines:
        line.columns["why"] = why_of(line) if line.columns["status"] == RunStatus.FAILED else None
    encoded = encode_runs(dialect, [line.columns for line in lines])
    return [EncodedRun(*line[:-1], *each) for line, each in zip(lines, encoded, strict=True)]


def why_of(line: ParsedRun) -> str | None:
    """Why a failed run failed, where it has no error text."""
    error: str | None = line.columns["error"]
    return why(error, NONE if is_told(error) else lasting_of(line.steps))


def files_of(line: HistoryLine) -> Sequence[File]:
    """Files that a line names."""
    return () if isinstance(line, WorkflowLine) else line.files
