"""Overview of a run: metrics, audio by language, validators, the state of each node (contract 3.7)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from flask import Response
from typing_extensions import TypedDict

from portal.api import bp
from portal.api.answers import Count, Fraction, Status, one
from portal.api.operations import operation
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.definitions.graph import EMPTY_DEFINITION
from portal.runs.address import RunAddress
from portal.runs.detail.node_states import NodeState, node_states
from portal.runs.detail.run import RunDetailView, get_run
from portal.runs.results.audio import LocaleAudio, run_audio
from portal.runs.results.scores import ValidatorScore, validator_scores
from portal.runs.statistics.run_timing import queued_ms
from portal.runs.statuses import is_active
from portal.web import formats

Readiness = Literal["available", "not_ready", "unavailable"]
"""Of a figure: whether it is there, may still come, or never will."""


class NamedWorkflowJson(TypedDict):
    """The workflow of a run."""

    id: UUID
    name: str


class OverviewRunJson(TypedDict):
    """The status and times of the run."""

    id: UUID
    status: Status
    run_number: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    paused_ms: Count | None
    has_export: bool
    error: str | None


class NodeStateJson(TypedDict):
    """How a node of the graph stands."""

    node_id: str
    node_type: str
    node_display_name: str | None
    status: str
    iteration: Count | None
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: Count | None
    error: str | None


class WorkflowSnapshotJson(TypedDict):
    """The graph of the run, with the state of each node."""

    definition: Mapping[str, object]
    node_states: list[NodeStateJson]


class MetricDisplayJson(TypedDict):
    """How to show a figure."""

    variant: Literal["duration", "number"]
    emphasis: str | None


class MetricJson(TypedDict):
    """A figure."""

    key: str
    label: str
    value: float | None
    formatted_value: str
    unit: str | None
    status: Readiness
    reason: str | None
    display: MetricDisplayJson
    annotation: dict[str, object] | None


class MetricSectionJson(TypedDict):
    """Figures that belong together."""

    key: str
    title: str
    layout: str
    metrics: list[MetricJson]


class LanguageAudioJson(TypedDict):
    """The delivered audio of a language."""

    locale_code: str
    line_count: Count
    total_duration_ms: Count
    avg_duration_ms: Count | None


class ValidatorSummaryJson(TypedDict):
    """The scores of a validator in all languages."""

    node_id: str
    kind: str
    label: str
    avg_score: float | None
    pass_rate: Fraction | None
    pass_count: Count
    fail_count: Count
    retry_count: Count
    status: Readiness
    reason: str | None


class CapabilitiesJson(TypedDict):
    """What this portal can show of a run beyond the overview."""

    validator_drilldown: bool
    live_trace_timing: bool
    persisted_aggregates: bool


class FutureLinksJson(TypedDict):
    """Links to what this portal does not have yet."""

    validator_drilldown: str | None
    live_trace: str | None


class RunOverviewJson(TypedDict):
    """A run at a glance."""

    workflow: NamedWorkflowJson
    run: OverviewRunJson
    share: dict[str, object] | None
    metric_sections: list[MetricSectionJson]
    audio_by_language: list[LanguageAudioJson]
    validators: list[ValidatorSummaryJson]
    workflow_snapshot: WorkflowSnapshotJson
    capabilities: CapabilitiesJson
    future_links: FutureLinksJson


@bp.get("/workflows/<workflow_id>/runs/<run_id>/overview")
@requires("workflows:read")
@operation(tag="Runs", summary="See a run at a glance", answer=RunOverviewJson)
def run_overview(workflow_id: str, run_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    found = get_run(workflow, address.run_id)
    audio = run_audio(found.id)
    validators = validator_scores(found.id, found.definition_snapshot)
    answer: RunOverviewJson = {
        "workflow": {"id": workflow.id, "name": workflow.name},
        "run": _run(found),
        "share": None,
        "metric_sections": _sections(found),
        "audio_by_language": [_language(each) for each in audio.locales if each.delivered_lines],
        "validators": [_validator(found, each) for each in validators],
        "workflow_snapshot": {
            "definition": found.definition_snapshot or EMPTY_DEFINITION,
            "node_states": [_node_state(state) for state in node_states(found)],
        },
        "capabilities": {
            "validator_drilldown": False,
            "live_trace_timing": False,
            "persisted_aggregates": False,
        },
        "future_links": {"validator_drilldown": None, "live_trace": None},
    }
    return one(answer)


def _run(run: RunDetailView) -> OverviewRunJson:
    return {
        "id": run.id,
        "status": run.status,
        "run_number": run.run_number,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "paused_ms": run.paused_ms,
        "has_export": run.has_export,
        "error": run.error,
    }


def _node_state(state: NodeState) -> NodeStateJson:
    return {
        "node_id": state.node_id,
        "node_type": state.node_type,
        "node_display_name": state.node_display_name,
        "status": state.status,
        "iteration": state.iteration,
        "started_at": state.started_at,
        "completed_at": state.completed_at,
        "duration_ms": state.duration_ms,
        "error": state.error,
    }


def _sections(run: RunDetailView) -> list[MetricSectionJson]:
    timing = [
        _metric(run, "duration", "Duration", run.duration_ms, "ms"),
        _metric(run, "queue_time", "Queue time", queued_ms(run), "ms"),
        _metric(run, "steps", "Finished steps", run.finished_steps, None),
    ]
    output = [
        _metric(run, "output_lines", "Output lines", run.output_line_count, None),
        _metric(run, "delivered_audio", "Delivered audio", run.delivered_audio_ms, "ms"),
        _metric(run, "credits", "Credits", run.credits, None),
    ]
    sections = [("run", "Run", timing), ("output", "Output", output)]
    usage = _usage(run, run.usage_summary or {})
    if usage:
        sections.append(("usage", "Usage", usage))
    return [
        {"key": key, "title": title, "layout": "grid", "metrics": metrics} for key, title, metrics in sections
    ]


def _usage(run: RunDetailView, summary: Mapping[str, object]) -> list[MetricJson]:
    """The numbers of a usage summary, whatever they are called."""
    return [
        _metric(run, key, formats.sentence(formats.humanize(key)), value, None)
        for key, value in summary.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _metric(
    run: RunDetailView, key: str, label: str, value: int | float | None, unit: str | None
) -> MetricJson:
    status = _readiness(run, value is not None)
    if value is None:
        text = formats.NOTHING
    else:
        text = formats.duration_ms(int(value)) if unit == "ms" else formats.number(value)
    return {
        "key": key,
        "label": label,
        "value": value,
        "formatted_value": text,
        "unit": unit,
        "status": status,
        "reason": _reason(status, "not_recorded"),
        "display": {"variant": "duration" if unit == "ms" else "number", "emphasis": None},
        "annotation": None,
    }


def _readiness(run: RunDetailView, is_known: bool) -> Readiness:
    if is_known:
        return "available"
    return "not_ready" if is_active(run.status) else "unavailable"


def _reason(status: Readiness, missing: str) -> str | None:
    return {"available": None, "not_ready": "run_not_finished", "unavailable": missing}[status]


def _language(audio: LocaleAudio) -> LanguageAudioJson:
    known = audio.delivered_lines - audio.delivered_missing
    return {
        "locale_code": audio.locale_code,
        "line_count": audio.delivered_lines,
        "total_duration_ms": audio.delivered_ms,
        "avg_duration_ms": audio.delivered_ms // known if known else None,
    }


def _validator(run: RunDetailView, validator: ValidatorScore) -> ValidatorSummaryJson:
    status = _readiness(run, bool(validator.locales))
    return {
        "node_id": validator.node_id,
        "kind": validator.kind,
        "label": validator.label,
        "avg_score": validator.avg_score,
        "pass_rate": validator.pass_rate,
        "pass_count": validator.pass_count,
        "fail_count": validator.fail_count,
        "retry_count": validator.retry_count,
        "status": status,
        "reason": _reason(status, "no_scores_recorded"),
    }
