"""Names runs and workflows as history names them: one run that comes by two ways is one run."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self
from uuid import UUID

from portal.history.parsing.fields.known import MAX_SOURCE
from portal.history.sources.airflow import SYSTEM, run_key
from portal.history.sources.reading.values import cut, identifier
from portal.ingest.lineage.folding.events import Job, RunEvent
from portal.ingest.lineage.folding.facets import DagRun
from portal.input.bounds import MAX_WORKFLOW_NAME

OPENLINEAGE = "openlineage"


@dataclass(frozen=True)
class RunIdentity:
    """A run, and the workflow that it is a run of, by the names of their source."""

    source: str
    external_id: str
    workflow_id: str
    """The external id of the workflow."""
    workflow_name: str
    lasting: bool
    """Whether events to come cannot show that it is another run, or a step of one."""

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(**stored)


def identify(root_id: UUID, job: Job, dag_run: DagRun | None, key_source: str | None) -> RunIdentity:
    """The identity of the run at a root."""
    if dag_run is not None:
        return RunIdentity(
            _within(key_source, SYSTEM),
            run_key(dag_run.dag_id, dag_run.run_id),
            identifier(dag_run.dag_id),
            str(cut(dag_run.dag_id, MAX_WORKFLOW_NAME)),
            lasting=True,
        )
    own = identifier(f"{OPENLINEAGE}:{job.namespace}", MAX_SOURCE)
    source = _within(key_source, own)
    workflow = job.name if source == own else f"{job.namespace}/{job.name}"
    return RunIdentity(
        source,
        str(root_id),
        identifier(workflow),
        str(cut(job.name, MAX_WORKFLOW_NAME)),
        lasting=False,
    )


def key_source(events: Collection[RunEvent]) -> str | None:
    """The source that the key of the latest event with such a key is bound to."""
    bound = [(event.at, event.source) for event in events if event.source is not None]
    return max(bound)[1] if bound else None


def _within(key_source: str | None, source: str) -> str:
    """The source, if a key may write it; else the one that the key is bound to."""
    return source if key_source is None or source.startswith(key_source) else key_source
