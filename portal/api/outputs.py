"""What a run delivered, and what it adds up to (contract 3.9)."""

from typing import Any

from flask import Response

from portal.api import bp
from portal.api.answers import fields, one
from portal.api.audio import AudioUrl, audio_urls
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.runs.address import RunAddress
from portal.runs.detail.run import RunDetailView, get_run
from portal.runs.results.audio import RunAudio, run_audio
from portal.runs.results.outputs import DeliveredLine, Output, list_outputs
from portal.runs.results.scores import LocaleScore, ValidatorScore, validator_scores
from portal.runs.results.takes import TakeRow

_TAKE = (
    "audio_id",
    "locale_code",
    "status",
    "duration_ms",
    "content_type",
    "retry_count",
    "voice",
    "provider",
    "model",
    "script",
)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/outputs")
@requires("workflows:read")
def run_outputs(workflow_id: str, run_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    found = get_run(workflow, address.run_id)
    url = audio_urls(workflow.workspace_id, found.id)
    return one(
        {
            "run_id": str(found.id),
            "run_status": found.status,
            "credits": found.credits,
            "credits_absorbed": found.credits_absorbed,
            "outputs": [_output(output, url) for output in list_outputs(found)],
        }
    )


def _output(output: Output, url: AudioUrl) -> dict[str, Any]:
    return {
        "node_id": output.node.id,
        "node_type": output.node.type,
        "display_name": output.node.display_name,
        "status": output.status,
        "lines": [_line(line, url) for line in output.lines],
        "line_count": output.line_count,
        "truncated": output.truncated,
    }


def _line(line: DeliveredLine, url: AudioUrl) -> dict[str, Any]:
    checks = [
        {"kind": each.kind, "label": each.label or each.kind, **fields(each, ("score", "threshold"))}
        for each in line.failing
    ]
    return {
        "audio_files": [_take(take, url) for take in line.takes],
        "recommended_audio_file_index": line.recommended,
        "delivery": {"passed": line.passed, "failing_checks": checks},
    }


def _take(take: TakeRow, url: AudioUrl) -> dict[str, Any]:
    return {"line_index": take.line, **fields(take, _TAKE), "url": url(take)}


@bp.get("/workflows/<workflow_id>/runs/<run_id>/analysis")
@requires("workflows:read")
def run_analysis(workflow_id: str, run_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    found = get_run(workflow, address.run_id)
    return one(
        {
            "run": fields(found, ("id", "status", "started_at", "completed_at", "duration_ms", "paused_ms")),
            "audio": _audio(run_audio(found.id)),
            "validators": [
                _validator(each) for each in validator_scores(found.id, found.definition_snapshot)
            ],
            "credits": _credits(found),
        }
    )


def _audio(audio: RunAudio) -> dict[str, Any]:
    delivered = audio.delivered_ms
    missing = audio.sum("delivered_missing")
    replaced_missing = audio.sum("replaced_missing")
    status = "unavailable" if delivered is None else "partial" if missing or replaced_missing else "available"
    return {
        "status": status,
        "reason": "no_delivered_audio" if delivered is None else None,
        "truncated": False,
        "delivered_total_ms": delivered,
        "generated_total_ms": audio.generated_ms,
        "replaced_partial": replaced_missing > 0,
        "replaced_missing_take_count": replaced_missing,
        "delivered_missing_take_count": missing,
        "by_locale": [
            {
                "locale_code": each.locale_code,
                "delivered_duration_ms": each.delivered_ms,
                "delivered_line_count": each.delivered_lines,
                "replaced_duration_ms": each.replaced_ms,
                "replaced_partial": each.replaced_missing > 0,
            }
            for each in audio.locales
        ],
    }


def _validator(validator: ValidatorScore) -> dict[str, Any]:
    unscored = sum(not each.scored for each in validator.locales)
    status = "unavailable" if unscored == len(validator.locales) else "partial" if unscored else "available"
    names = ("node_id", "node_type", "kind", "label", "threshold", "max_retries", "retry_count")
    return fields(validator, names) | {
        "status": status,
        "reason": "no_scores_recorded" if status == "unavailable" else None,
        "truncated": False,
        "unscored_locale_count": unscored,
        "locales": [_locale(each) for each in validator.locales],
    }


def _locale(score: LocaleScore) -> dict[str, Any]:
    names = ("locale_code", "avg_score", "line_count", "pass_count", "fail_count")
    return fields(score, names) | {"status": "available" if score.scored else "unscored"}


def _credits(run: RunDetailView) -> dict[str, Any]:
    """What was charged, where that is known. What each node cost is metered nowhere here."""
    unsettled = "run_paused" if run.status == "paused" else "run_not_settled"
    reason = "no_recorded_spend" if run.completed_at else unsettled
    known = run.credits is not None
    return {
        "status": "partial" if known else "unavailable",
        "reason": None if known else reason,
        "truncated": False,
        "rows": [],
        "total_fractional": None,
        "unattributed_fractional": None,
        "charged": run.credits,
        "overage_credits": None,
        "absorbed_fraction": str(run.credits_absorbed) if known else None,
        "minimum_charge_fractional": None,
    }
