"""`x_portal`: what history says beyond the contract's fields, in one object beside them.

Keys of which nothing is known are left out, and so is the object itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, cast
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from portal.api.answers import Count, Status
from portal.input.bodies import OneOf
from portal.runs.detail.run import RunDetailView
from portal.runs.detail.steps import StepRow
from portal.runs.facts.facts import LabelValue, NamedRun, RunFacts, StepFacts, WorkflowFacts
from portal.runs.facts.outcomes import OUTCOMES, PERSON_KINDS, TRIGGERS
from portal.runs.facts.relations import RelatedRun, Relations
from portal.runs.listing.rows import RunRow

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Outcome = Annotated[str, OneOf(OUTCOMES), Field(description="What became of it, finer than the status.")]
Trigger = Annotated[str, OneOf(TRIGGERS), Field(description="What started it.")]
Url = Annotated[str, Field(description="Begins with http:// or https://; the portal does not vouch for it.")]
Attempt = Annotated[int, Field(ge=1, description="Which attempt at its external_id it is.")]
SourceStatus = Annotated[str, Field(description="The state in the words of its source.")]
KnownDuration = Annotated[int, Field(ge=0, description="As its source says, known even without a start.")]
Names = dict[str, LabelValue]


class RunRowFactsJson(TypedDict, total=False):
    """What history says of a run in a list; absent keys are not known."""

    outcome: Outcome
    title: str
    labels: Annotated[Names, Field(description="As many as fit 10,000 characters of JSON; Get Run has all.")]
    trigger: Trigger
    attempt: Attempt
    duration_ms: KnownDuration
    url: Url


class RefJson(TypedDict, total=False):
    """What of a repository a run is about."""

    branch: str
    tag: str
    commit: str
    pull_request: str
    url: Url


class ArtifactJson(TypedDict, total=False):
    """A file that the source keeps."""

    name: str
    url: Url
    size_bytes: Count
    expires_at: datetime


class RelatedRunJson(TypedDict, total=False):
    """Another run. `workflow_id` and what follows are there if the run is."""

    id: Annotated[UUID, Field(description="Its id here, whether or not it has come yet.")]
    source: str
    external_id: str
    attempt: Attempt
    step: Annotated[str, Field(description="The step of the parent that started this run.")]
    workflow_id: UUID
    run_number: Annotated[int, Field(ge=1)]
    status: Status
    outcome: Outcome


class RelatedRunsJson(TypedDict):
    """Runs that belong to another."""

    total: Count
    runs: Annotated[list[RelatedRunJson], Field(description="The first hundred, in the order of creation.")]


class RunFactsJson(RunRowFactsJson, total=False):
    """What history says of a run; absent keys are not known."""

    source: Annotated[str, Field(description="The system that it comes from.")]
    external_id: Annotated[str, Field(description="Its id there.")]
    triggered_by_kind: Annotated[str, OneOf(PERSON_KINDS)]
    trigger_name: str
    log_url: Url
    ref: RefJson
    parameters: dict[str, object]
    environment: str
    source_status: SourceStatus
    waiting_for: str
    scheduled_for: datetime
    last_heard_at: datetime
    expires_after: Annotated[int, Field(ge=0, description="Seconds of silence after which it is noted.")]
    artifacts: list[ArtifactJson]
    parent: Annotated[RelatedRunJson, Field(description="The run that started it.")]
    children: Annotated[RelatedRunsJson, Field(description="The runs that it started.")]
    rerun_of: Annotated[RelatedRunJson, Field(description="The run that it repeats.")]
    reruns: Annotated[RelatedRunsJson, Field(description="The runs that repeat it, or one that does.")]


class StepFactsJson(TypedDict, total=False):
    """What history says of a step; absent keys are not known."""

    outcome: Outcome
    source_status: SourceStatus
    url: Url
    log_url: Url
    exit_code: int
    worker: str
    map_index: Count
    duration_ms: KnownDuration
    allowed_to_fail: bool
    parent_node_id: str
    path: list[str]


class WorkflowFactsJson(TypedDict, total=False):
    """What history says of a workflow; absent keys are not known."""

    source: Annotated[str, Field(description="The system that it comes from.")]
    external_id: Annotated[str, Field(description="Its id there.")]
    url: Url
    path: str


def run_row_facts(run: RunRow) -> RunRowFactsJson:
    """Those of a run in a list."""
    facts: RunRowFactsJson = {}
    if run.outcome is not None:
        facts["outcome"] = run.outcome
    if run.trigger is not None:
        facts["trigger"] = run.trigger
    about = run.about
    if about is None:
        return facts
    if about.title is not None:
        facts["title"] = about.title
    if about.labels:
        facts["labels"] = dict(about.labels)
    if about.attempt is not None:
        facts["attempt"] = about.attempt
    if about.duration_ms is not None:
        facts["duration_ms"] = about.duration_ms
    if about.url is not None:
        facts["url"] = about.url
    return facts


def run_facts(run: RunDetailView, relations: Relations) -> RunFactsJson:
    """Those of one run, with the runs that belong to it."""
    facts = RunFacts.read(run.source)
    members = _known(facts) | {
        "outcome": run.outcome,
        "trigger": run.trigger,
        "source": run.source_system,
        "triggered_by_kind": run.triggered_by and run.triggered_by.kind,
        "ref": facts.ref and _known(facts.ref),
        "artifacts": [_known(each) for each in facts.artifacts],
        "parent": _related(facts.parent, run.parent_id, relations.parent),
        "children": _several(relations.children, relations.children_total),
        "rerun_of": _related(facts.rerun_of, run.rerun_of_id, next(iter(relations.earlier), None)),
        "reruns": _several(relations.later, len(relations.later)),
    }
    return cast(RunFactsJson, _present(members))


def step_facts(step: StepRow) -> StepFactsJson:
    return cast(StepFactsJson, _known(StepFacts.read(step.source)))


def workflow_facts(facts: WorkflowFacts) -> WorkflowFactsJson:
    return cast(WorkflowFactsJson, _known(facts))


def _known(facts: "DataclassInstance") -> dict[str, object]:
    return _present({field.name: getattr(facts, field.name) for field in fields(facts)})


def _present(members: Mapping[str, object]) -> dict[str, object]:
    """The members that are known: no null, and nothing empty."""
    return {
        name: value
        for name, value in members.items()
        if value is not None and not (isinstance(value, Mapping | Sequence) and not value)
    }


def _related(
    named: NamedRun | None, run_id: UUID | None, here: RelatedRun | None
) -> dict[str, object] | None:
    """A run as history names it, and as it is here."""
    known = {name: value for name, value in _known(named).items() if name != "id"} if named else {}
    if run_id is not None:
        known["id"] = run_id
    return known | (_here(here) if here is not None and here.id == run_id else {})


def _here(run: RelatedRun) -> dict[str, object]:
    known = {name: value for name, value in run._asdict().items() if name != "workflow_name"}
    return _present(known)


def _several(runs: Iterable[RelatedRun], total: int) -> dict[str, object] | None:
    return {"total": total, "runs": [_here(run) for run in runs]} if total else None
