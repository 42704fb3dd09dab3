"""Lines of history as they are stored: the columns of runs are driver parameters of one kind of database."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from portal.database.sql.bulk import Parameters
from portal.history.parsing.lines import ParsedLine, WorkflowLine
from portal.history.parsing.readers import Values
from portal.history.parsing.results import File, RunResults
from portal.history.parsing.runs import NamedWorkflow, ParsedRun
from portal.history.parsing.uploads import UploadLine
from portal.runs.causes.counting import KnownCause
from portal.runs.recording.run_parameters import CountedValues, encode_runs, explain
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
    cause: KnownCause | None
    """Of a failed run."""

    @property
    def files(self) -> Sequence[File]:
        """Files that the line names."""
        return self.results.files if self.results else ()

    def with_files(self, digest: bytes) -> "EncodedRun":
        """The same run with a digest that also depends on the content of its files."""
        return self._replace(digest=blake2b(self.digest + digest, digest_size=16).digest())


HistoryLine = WorkflowLine | UploadLine | EncodedRun

NumberedLine = tuple[int, HistoryLine]


def encode_lines(
    dialect: sa.Dialect, lines: Sequence[tuple[int, ParsedLine]], workspace_id: UUID
) -> list[NumberedLine]:
    """Encode the runs among these numbered lines."""
    runs = [line for _, line in lines if isinstance(line, ParsedRun)]
    encoded = iter(encode_parsed(dialect, runs, workspace_id))
    return [(number, next(encoded) if isinstance(line, ParsedRun) else line) for number, line in lines]


def encode_parsed(dialect: sa.Dialect, lines: Sequence[ParsedRun], workspace_id: UUID) -> list[EncodedRun]:
    """Encode these runs."""
    causes = [explain(line.columns, line.steps, workspace_id) for line in lines]
    encoded = encode_runs(dialect, [line.columns for line in lines])
    return [
        EncodedRun(*line[:-1], *each, cause) for line, each, cause in zip(lines, encoded, causes, strict=True)
    ]


def files_of(line: HistoryLine) -> Sequence[File]:
    """Files that a line names."""
    return () if isinstance(line, WorkflowLine) else line.files
