"""A list of runs as a file, made piece by piece: exactly the list under its filters, in its order."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.models import Workflow
from portal.database.transactions import read, snapshot
from portal.history.export import table
from portal.history.export.lines import run_line, workflow_line
from portal.history.export.stored import BATCH, ListedWorkflow, StoredRun, read_runs, read_workflows
from portal.input import parameters
from portal.input.parameters import Reader
from portal.runs.listing.walk import WINDOW
from portal.runs.query import RunQuery
from portal.runs.scope import Listed
from portal.storage.archives import safe_name

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
"""The formats."""
MAX_SAID = 80
"""Characters of the filters in a file's name."""


@dataclass(frozen=True, kw_only=True)
class ExportFormat:
    """What is made of each run."""

    format: str = "csv"
    """One of MEDIA_TYPES."""
    steps: bool = False
    """Whether lines of history have their steps with results, and the definition that ran."""
    emails: bool = False
    """Whether lines of history have the addresses of who triggered runs."""

    @classmethod
    def read(cls, reader: Reader, *, emails: bool = False) -> Self:
        """From the parameters of an export, with errors recorded in the reader."""
        found = cls(
            emails=emails,
            format=reader.read("format", parameters.one_of(MEDIA_TYPES), "csv"),
            steps=reader.read("steps", parameters.boolean, False),
        )
        if found.steps and found.format == "csv":
            reader.refuse("steps", "is for the format jsonl.")
        return found


@dataclass(frozen=True, kw_only=True)
class Export:
    """The runs of a list as one file."""

    seen: Listed
    query: RunQuery
    """Its page makes no difference."""
    format: ExportFormat
    window: int = WINDOW
    batch: int = BATCH

    def pieces(self) -> Iterator[bytes]:
        """The file. No transaction is open while a piece is with the caller, who may take their time."""
        workflows = read_workflows(self.seen, self.query)
        portions = read_runs(
            self.seen,
            self.query,
            workflows,
            steps=self.format.steps,
            window=self.window,
            batch=self.batch,
        )
        if self.format.format == "csv":
            yield table.header()
            names = {workflow.id: workflow.name for workflow in workflows.values()}
            yield from (table.rows(runs, names) for runs in portions)
        else:
            yield from self._lines(workflows.values(), portions)

    def _lines(
        self, workflows: Iterable[ListedWorkflow], portions: Iterator[Sequence[StoredRun]]
    ) -> Iterator[bytes]:
        named: dict[UUID, Mapping[str, object]] = {}
        for workflow in workflows:
            with snapshot():
                row = read(_WORKFLOW, workflow_id=workflow.id).mappings().one()
            line, named[workflow.id] = workflow_line({**row})
            yield line
        emails = self.format.emails
        for runs in portions:
            yield b"".join(run_line(run, named[run.run["workflow_id"]], emails=emails) for run in runs)

    def file_name(self, now: datetime) -> str:
        """What it is of, filtered how, and when it was made."""
        args = self.query.to_export_args()
        said = [
            f"{name}-{value if isinstance(value, str) else '-'.join(value)}"
            for name, value in args.items()
            if name not in ("sort", "order")
        ]
        subject = [self.seen.name] if isinstance(self.seen, SeenWorkflow) else []
        parts = [*subject, "runs", *(["-".join(said)[:MAX_SAID]] if said else []), f"{now:%Y-%m-%d}"]
        return safe_name(f"{'-'.join(parts)}.{self.format.format}".replace(" ", "-"))


_WORKFLOW = sa.select(
    Workflow.id,
    Workflow.workspace_id,
    Workflow.name,
    Workflow.description,
    Workflow.definition,
    Workflow.source,
    Workflow.expected,
    Workflow.created_at,
).where(Workflow.id == sa.bindparam("workflow_id"))
