"""Outputs and analysis of a run (contract 3.9)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from flask import Response
from pydantic import Field
from typing_extensions import TypedDict

from portal.api import bp
from portal.api.answers import Completeness, Count, SignedUrl, Status, one
from portal.api.audio import AudioUrl, audio_urls
from portal.api.operations import operation
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.runs.address import RunAddress
from portal.runs.detail.run import RunDetailView, get_run
from portal.runs.results.audio import RunAudio, run_audio
from portal.runs.results.outputs import DeliveredLine, Output, list_outputs
from portal.runs.results.scores import LocaleScore, ValidatorScore, validator_scores
from portal.runs.results.takes import TakeRow


class TakeJson(TypedDict):
    """A take that was delivered, or an attempt at one."""

    line_index: Count
    audio_id: str
    locale_code: str | None
    status: str
    duration_ms: Count | None
    content_type: str | None
    retry_count: Count
    voice: str | None
    provider: str | None
    model: str | None
    script: str | None
    url: SignedUrl


class FailingCheckJson(TypedDict):
    """A validator that refuses a line."""

    kind: str
    label: str
    score: float | None
    threshold: float | None


class DeliveryJson(TypedDict):
    """The checks of a line."""

    passed: bool
    failing_checks: list[FailingCheckJson]


class OutputLineJson(TypedDict):
    """A line in a language, with its takes."""

    audio_files: list[TakeJson]
    recommended_audio_file_index: Count | None
    delivery: DeliveryJson


class OutputJson(TypedDict):
    """What a sink of the graph delivered."""

    node_id: str
    node_type: str
    display_name: str | None
    status: str
    lines: list[OutputLineJson]
    line_count: Count
    truncated: bool


class RunOutputsJson(TypedDict):
    """What a run delivered."""

    run_id: UUID
    run_status: Status
    credits: int | None
    credits_absorbed: float
    outputs: list[OutputJson]


class AnalyzedRunJson(TypedDict):
    """The status and times of the run."""

    id: UUID
    status: Status
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: Count | None
    paused_ms: Count | None


class LocaleAudioJson(TypedDict):
    """The audio of a language."""

    locale_code: str
    delivered_duration_ms: Count
    delivered_line_count: Count
    replaced_duration_ms: Count
    replaced_partial: bool


class AudioTotalsJson(TypedDict):
    """Delivered and generated milliseconds, by language too."""

    status: Completeness
    reason: str | None
    truncated: bool
    delivered_total_ms: Count | None
    generated_total_ms: Count | None
    replaced_partial: bool
    replaced_missing_take_count: Count
    delivered_missing_take_count: Count
    by_locale: list[LocaleAudioJson]


class LocaleScoreJson(TypedDict):
    """The score of a validator in a language."""

    locale_code: str
    avg_score: float | None
    line_count: Count
    pass_count: Count
    fail_count: Count
    status: Literal["available", "unscored"]


class ValidatorScoresJson(TypedDict):
    """The scores of a validator, by language."""

    node_id: str
    node_type: str
    kind: str
    label: str
    threshold: float | None
    max_retries: int | None
    retry_count: Count
    status: Completeness
    reason: str | None
    truncated: bool
    unscored_locale_count: Count
    locales: list[LocaleScoreJson]


class CreditsJson(TypedDict):
    """What was charged, where that is known."""

    status: Literal["partial", "unavailable"]
    reason: str | None
    truncated: bool
    rows: list[dict[str, object]]
    total_fractional: str | None
    unattributed_fractional: str | None
    charged: int | None
    overage_credits: int | None
    absorbed_fraction: str | None
    minimum_charge_fractional: str | None


class RunAnalysisJson(TypedDict):
    """What a run adds up to."""

    run: AnalyzedRunJson
    audio: Annotated[
        AudioTotalsJson, Field(description="Delivered and generated milliseconds, by language too.")
    ]
    validators: Annotated[
        list[ValidatorScoresJson], Field(description="Scores of each validator, by language.")
    ]
    credits: Annotated[CreditsJson, Field(description="What was charged, where that is known.")]


@bp.get("/workflows/<workflow_id>/runs/<run_id>/outputs")
@requires("workflows:read")
@operation(tag="Results", summary="Get what a run delivered", answer=RunOutputsJson)
def run_outputs(workflow_id: str, run_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    found = get_run(workflow, address.run_id)
    url = audio_urls(workflow.workspace_id, found.id)
    answer: RunOutputsJson = {
        "run_id": found.id,
        "run_status": found.status,
        "credits": found.credits,
        "credits_absorbed": found.credits_absorbed,
        "outputs": [_output(output, url) for output in list_outputs(found)],
    }
    return one(answer)


def _output(output: Output, url: AudioUrl) -> OutputJson:
    return {
        "node_id": output.node.id,
        "node_type": output.node.type,
        "display_name": output.node.display_name,
        "status": output.status,
        "lines": [_line(line, url) for line in output.lines],
        "line_count": output.line_count,
        "truncated": output.truncated,
    }


def _line(line: DeliveredLine, url: AudioUrl) -> OutputLineJson:
    checks: list[FailingCheckJson] = [
        {
            "kind": each.kind,
            "label": each.label or each.kind,
            "score": each.score,
            "threshold": each.threshold,
        }
        for each in line.failing
    ]
    return {
        "audio_files": [_take(take, url) for take in line.takes],
        "recommended_audio_file_index": line.recommended,
        "delivery": {"passed": line.passed, "failing_checks": checks},
    }


def _take(take: TakeRow, url: AudioUrl) -> TakeJson:
    return {
        "line_index": take.line,
        "audio_id": take.audio_id,
        "locale_code": take.locale_code,
        "status": take.status,
        "duration_ms": take.duration_ms,
        "content_type": take.content_type,
        "retry_count": take.retry_count,
        "voice": take.voice,
        "provider": take.provider,
        "model": take.model,
        "script": take.script,
        "url": url(take),
    }


@bp.get("/workflows/<workflow_id>/runs/<run_id>/analysis")
@requires("workflows:read")
@operation(tag="Results", summary="Get what a run adds up to", answer=RunAnalysisJson)
def run_analysis(workflow_id: str, run_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    found = get_run(workflow, address.run_id)
    scores = validator_scores(found.id, found.definition_snapshot)
    answer: RunAnalysisJson = {
        "run": {
            "id": found.id,
            "status": found.status,
            "started_at": found.started_at,
            "completed_at": found.completed_at,
            "duration_ms": found.duration_ms,
            "paused_ms": found.paused_ms,
        },
        "audio": _audio(run_audio(found.id)),
        "validators": [_validator(each) for each in scores],
        "credits": _credits(found),
    }
    return one(answer)


def _audio(audio: RunAudio) -> AudioTotalsJson:
    delivered = audio.delivered_ms
    missing = audio.sum("delivered_missing")
    replaced_missing = audio.sum("replaced_missing")
    return {
        "status": _completeness(delivered is not None, missing + replaced_missing),
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


def _completeness(is_known: bool, missing: int) -> Completeness:
    if not is_known:
        return "unavailable"
    return "partial" if missing else "available"


def _validator(validator: ValidatorScore) -> ValidatorScoresJson:
    unscored = sum(not each.scored for each in validator.locales)
    is_known = unscored < len(validator.locales)
    return {
        "node_id": validator.node_id,
        "node_type": validator.node_type,
        "kind": validator.kind,
        "label": validator.label,
        "threshold": validator.threshold,
        "max_retries": validator.max_retries,
        "retry_count": validator.retry_count,
        "status": _completeness(is_known, unscored),
        "reason": None if is_known else "no_scores_recorded",
        "truncated": False,
        "unscored_locale_count": unscored,
        "locales": [_locale(each) for each in validator.locales],
    }


def _locale(score: LocaleScore) -> LocaleScoreJson:
    return {
        "locale_code": score.locale_code,
        "avg_score": score.avg_score,
        "line_count": score.line_count,
        "pass_count": score.pass_count,
        "fail_count": score.fail_count,
        "status": "available" if score.scored else "unscored",
    }


def _credits(run: RunDetailView) -> CreditsJson:
    """The credits charged, if known. The cost of each node is not metered here."""
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
