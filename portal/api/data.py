"""Run data: the lines of the source text with their takes and scores (contract 3.8)."""

from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request

from portal.api import bp
from portal.api.answers import fields, pagination
from portal.api.audio import AudioUrl, audio_urls
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.input.parameters import single
from portal.runs.detail.run import RunView, get_run_status
from portal.runs.results.output_lines import LineRow, LinesQuery, completeness, list_lines
from portal.runs.results.takes import TakeRow, ValidationRow
from portal.web import envelope

VALIDATION = (
    "kind",
    "label",
    "score",
    "reason",
    "wer",
    "cer",
    "transcript",
    "scored_on",
    "segments",
    "error_counts",
    "inherited_from_take",
)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/data")
@requires("workflows:read")
def run_data(workflow_id: str, run_id: str) -> Response:
    query = LinesQuery.parse(single(request.args), workflow_id=workflow_id, run_id=run_id)
    workflow = get_workflow(current_principal(), query.address.workflow_id)
    found = get_run_status(workflow, query.address.run_id)
    page = list_lines(found, query)
    url = audio_urls(workflow.workspace_id, found.id)
    body = _data(found, page.total, [_line(found, line, url) for line in page.rows])
    return jsonify(envelope.success(body, pagination(page, query.api_args)))


def _data(run: RunView, total: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    partial = completeness(run, total)
    return {
        "workflow_id": str(run.workflow_id),
        "run_id": str(run.id),
        "run_status": run.status,
        "rows": rows,
        "partial": {"status": partial.status, "reason": partial.reason, "source": None},
        "dropped_truncated": False,
    }


def _line(run: RunView, line: LineRow, url: AudioUrl) -> dict[str, Any]:
    known = line.auto_corrected is not None
    return {
        "id": f"{run.id}:{line.position}",
        "line_index": line.position,
        "line_id": line.line_id,
        "source_line_id": line.source_line_id,
        "script": line.script,
        **_state("script", line.script is not None, "no_script_recorded"),
        "auto_corrected": line.auto_corrected,
        **_state("auto_corrected", known, "not_recorded"),
        "cards": [_card(line, take, url) for take in line.takes],
    }


def _state(name: str, known: bool, reason: str) -> dict[str, Any]:
    prefix = f"{name}_" if name else ""
    status = "available" if known else "unavailable"
    return {f"{prefix}status": status, f"{prefix}reason": None if known else reason}


def _card(line: LineRow, take: TakeRow, url: AudioUrl) -> dict[str, Any]:
    verdicts = [_verdict(validation) for validation in take.failing]
    return {
        "id": take.audio_id,
        "line_id": line.line_id,
        "source_line_id": line.source_line_id,
        "line_index": line.position,
        "locale_code": take.locale_code,
        "script": take.script,
        "audio": _audio(take, url),
        "validations": [_validation(validation) for validation in take.validations],
        "scores": _scores(take),
        "normalized": take.normalized,
        "voice": {"display_name": take.voice, **_state("", take.voice is not None, "not_recorded")},
        "waveform_url": None,
        "waveform_status": "unsupported",
        "waveform_reason": "no_waveforms",
        "retry_count": take.retry_count,
        "status": take.status,
        "dropped": {"verdicts": verdicts} if take.status == "dropped" else None,
        "rejected": {"verdicts": verdicts} if verdicts else None,
    }


def _audio(take: TakeRow, url: Callable[[TakeRow], str | None]) -> dict[str, Any]:
    return {
        "playback_url": url(take),
        **_state("", take.has_audio, "no_file_stored"),
        **fields(take, ("duration_ms", "content_type", "provider", "model")),
    }


def _validation(validation: ValidationRow) -> dict[str, Any]:
    status = "available" if validation.scored else "unavailable"
    return fields(validation, VALIDATION) | {"status": status}


def _scores(take: TakeRow) -> dict[str, Any]:
    """The word accuracy as clients before 0.7 read it."""
    found = next((each for each in take.validations if each.kind == "wer"), None)
    known = found is not None and found.scored
    return {
        "accuracy": found.score if found else None,
        "accuracy_status": "available" if known else "unavailable",
        "accuracy_reason": None if known else (found and found.reason) or "not_scored",
        "wer": found.wer if found else None,
        "cer": found.cer if found else None,
        "transcript": found.transcript if found else None,
    }


def _verdict(validation: ValidationRow) -> dict[str, Any]:
    return {
        "validator_node_id": validation.node_id or validation.kind,
        "validator_kind": validation.kind,
        "validator_label": validation.label or validation.kind,
        "score": validation.score,
        "threshold": validation.threshold,
    }
