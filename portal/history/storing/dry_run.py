"""A dry run of an import: every line is decided as an import would, and nothing is written."""

from collections.abc import Sequence
from uuid import UUID

from portal.database.engine import db
from portal.history.parsing.encoding import NumberedLine
from portal.history.parsing.runs import Arrival
from portal.history.storing.artifact_files import FileSource
from portal.history.storing.decide import Plan, StoredRun, StoredUpload, StoredWorkflow, decide
from portal.history.storing.store import look_up


class DryRun:
    """Holds in memory what earlier lines would have stored, under 1 KiB a run."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival
        self._workflows: dict[UUID, StoredWorkflow] = {}
        self._runs: dict[UUID, StoredRun] = {}
        self._uploads: dict[UUID, StoredUpload] = {}

    def take(self, lines: Sequence[NumberedLine], _source: FileSource) -> Plan:
        db.session.rollback()  # as in an import, the next chunk sees what others have written meanwhile
        existing = look_up(db.session(), self._arrival.workspace_id, [line for _, line in lines])
        named = {line.id for _, line in lines}
        existing.workflows.update(self._workflows)
        existing.runs.update((each, self._runs[each]) for each in named & self._runs.keys())
        existing.uploads.update((each, self._uploads[each]) for each in named & self._uploads.keys())
        plan = decide(existing, lines, self._arrival)
        self._workflows.update(existing.workflows)
        self._runs.update((each, existing.runs[each]) for each in plan.runs)
        self._uploads.update((each, existing.uploads[each]) for each in plan.uploads)
        return plan

    def end_batch(self) -> None:
        """Nothing was written, so there is nothing to commit."""
