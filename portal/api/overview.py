"""One run at a glance: metrics, audio by language, validators, how each node stands (contract 3.7)."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from portal.api import bp
from portal.api.answers import fields, one
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.definitions.graph import EMPTY_DEFINITION
from portal.runs.address import RunAddress
from portal.runs.detail.node_states import node_states
from portal.runs.detail.run import RunDetailView, get_run
from portal.runs.live import is_active
from portal.runs.results.audio import LocaleAudio, run_audio
from portal.runs.results.scores import ValidatorScore, validator_scores
from portal.runs.statistics.run_timing import queued_ms
from portal.web import formats

RUN = (
    "id",
    "status",
    "run_number",
    "created_at",
    "started_at",
    "completed_at",
    "paused_ms",
    "has_export",
    "error",
)
NODE_STATE = (
    "node_id",
    "node_type",
    "node_display_name",
    "status",
    "iteration",
    "started_at",
    "completed_at",
    "duration_ms",
    "error",
)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/overview")
@requires("workflows:read")
def run_overview(workflow_id: str, run_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    found = get_run(workflow, address.run_id)
    audio = run_audio(found.id)
    validators = validator_scores(found.id, found.definition_snapshot)
    states = [fields(state, NODE_STATE) for state in node_states(found)]
    return one(
        {
            "workflow": {"id": str(workflow.id), "name": workflow.name},
            "run": fields(found, RUN),
            "share": None,
            "metric_sections": _sections(found),
            "audio_by_language": [_language(each) for each in audio.locales if each.delivered_lines],
            "validators": [_validator(found, each) for each in validators],
            "workflow_snapshot": {
                "definition": found.definition_snapshot or EMPTY_DEFINITION,
                "node_states": states,
            },
            "capabilities": {
                "validator_drilldown": False,
                "live_trace_timing": False,
                "persisted_aggregates": False,
            },
            "future_links": {"validator_drilldown": None, "live_trace": None},
        }
    )


def _sections(run: RunDetailView) -> list[dict[str, Any]]:
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


def _usage(run: RunDetailView, summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was measured in numbers, whatever it is called."""
    return [
        _metric(run, key, formats.sentence(formats.words(key)), value, None)
        for key, value in summary.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _metric(
    run: RunDetailView, key: str, label: str, value: int | float | None, unit: str | None
) -> dict[str, Any]:
    status = "available" if value is not None else "not_ready" if is_active(run.status) else "unavailable"
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
        "reason": {"available": None, "not_ready": "run_not_finished"}.get(status, "not_recorded"),
        "display": {"variant": "duration" if unit == "ms" else "number", "emphasis": None},
        "annotation": None,
    }


def _language(audio: LocaleAudio) -> dict[str, Any]:
    known = audio.delivered_lines - audio.delivered_missing
    return {
        "locale_code": audio.locale_code,
        "line_count": audio.delivered_lines,
        "total_duration_ms": audio.delivered_ms,
        "avg_duration_ms": audio.delivered_ms // known if known else None,
    }


def _validator(run: RunDetailView, validator: ValidatorScore) -> dict[str, Any]:
    names = ("node_id", "kind", "label", "avg_score", "pass_rate", "pass_count", "fail_count", "retry_count")
    missing = "not_ready" if is_active(run.status) else "unavailable"
    status = "available" if validator.locales else missing
    reason = {"available": None, "not_ready": "run_not_finished"}.get(status, "no_scores_recorded")
    return fields(validator, names) | {"status": status, "reason": reason}
