"""Run data: the lines of the source text with their takes and scores (contract 3.8)."""

from uuid import UUID

from flask import Response, jsonify, request
from typing_extensions import TypedDict

from portal.api import bp
from portal.api.answers import Availability, Count, SignedUrl, Status, availability, pagination
from portal.api.audio import AudioUrl, audio_urls
from portal.api.operations import FLAG, PAGING, SEARCH, TEXT, operation
from portal.api.schemas import described
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.input.parameters import single
from portal.runs.detail.run import RunView, get_run_status
from portal.runs.results.output_lines import LineRow, LinesQuery, completeness, list_lines
from portal.runs.results.takes import TakeRow, ValidationRow
from portal.web import envelope


class ValidationJson(TypedDict):
    """The result of a validator for a take."""

    kind: str
    label: str | None
    status: Availability
    reason: str | None
    score: float | None
    wer: float | None
    cer: float | None
    transcript: str | None
    scored_on: str | None
    segments: list[dict[str, object]] | None
    error_counts: dict[str, object] | None
    inherited_from_take: int | None


class VerdictJson(TypedDict):
    """A validator that refused a take."""

    validator_node_id: str
    validator_kind: str
    validator_label: str
    score: float | None
    threshold: float | None


class VerdictsJson(TypedDict):
    """The validators that refused a take."""

    verdicts: list[VerdictJson]


class ScoresJson(TypedDict):
    """The accuracy as older clients read it."""

    accuracy: float | None
    accuracy_status: Availability
    accuracy_reason: str | None
    wer: float | None
    cer: float | None
    transcript: str | None


class AudioJson(TypedDict):
    """The sound of a take."""

    playback_url: SignedUrl
    status: Availability
    reason: str | None
    duration_ms: Count | None
    content_type: str | None
    provider: str | None
    model: str | None


class VoiceJson(TypedDict):
    """The voice of a take."""

    display_name: str | None
    status: Availability
    reason: str | None


class CardJson(TypedDict):
    """A take of a line in a language."""

    id: str
    line_id: str | None
    source_line_id: str | None
    line_index: Count
    locale_code: str | None
    script: str | None
    audio: AudioJson
    validations: list[ValidationJson]
    scores: ScoresJson
    normalized: bool | None
    voice: VoiceJson
    waveform_url: str | None
    waveform_status: str
    waveform_reason: str | None
    retry_count: Count
    status: str
    dropped: VerdictsJson | None
    rejected: VerdictsJson | None


class LineJson(TypedDict):
    """A line of the source text."""

    id: str
    line_index: Count
    line_id: str | None
    source_line_id: str | None
    script: str | None
    script_status: Availability
    script_reason: str | None
    auto_corrected: int | None
    auto_corrected_status: Availability
    auto_corrected_reason: str | None
    cards: list[CardJson]


class PartialJson(TypedDict):
    """Whether there is more to come."""

    status: str
    reason: str | None
    source: str | None


class RunDataJson(TypedDict):
    """The lines of a run, with their takes."""

    workflow_id: UUID
    run_id: UUID
    run_status: Status
    rows: list[LineJson]
    partial: PartialJson
    dropped_truncated: bool


@bp.get("/workflows/<workflow_id>/runs/<run_id>/data")
@requires("workflows:read")
@operation(
    tag="Results",
    summary="Get the lines of a run with their takes",
    answer=RunDataJson,
    shape="paged",
    query=PAGING
    | {
        "search": described(SEARCH, "Part of the source text, in any case."),
        "language": described(TEXT, "Only the takes in this language; _ is read as -."),
        "include_dropped": FLAG,
    },
)
def run_data(workflow_id: str, run_id: str) -> Response:
    query = LinesQuery.parse(single(request.args), workflow_id=workflow_id, run_id=run_id)
    workflow = get_workflow(current_principal(), query.address.workflow_id)
    found = get_run_status(workflow, query.address.run_id)
    page = list_lines(found, query)
    url = audio_urls(workflow.workspace_id, found.id)
    body = _data(found, page.total, [_line(found, line, url) for line in page.rows])
    return jsonify(envelope.success(body, dict(pagination(page, query.api_args))))


def _data(run: RunView, total: int, rows: list[LineJson]) -> RunDataJson:
    partial = completeness(run, total)
    return {
        "workflow_id": run.workflow_id,
        "run_id": run.id,
        "run_status": run.status,
        "rows": rows,
        "partial": {"status": partial.status, "reason": partial.reason, "source": None},
        "dropped_truncated": False,
    }


def _line(run: RunView, line: LineRow, url: AudioUrl) -> LineJson:
    has_script, has_corrections = line.script is not None, line.auto_corrected is not None
    return {
        "id": f"{run.id}:{line.position}",
        "line_index": line.position,
        "line_id": line.line_id,
        "source_line_id": line.source_line_id,
        "script": line.script,
        "script_status": availability(has_script),
        "script_reason": None if has_script else "no_script_recorded",
        "auto_corrected": line.auto_corrected,
        "auto_corrected_status": availability(has_corrections),
        "auto_corrected_reason": None if has_corrections else "not_recorded",
        "cards": [_card(line, take, url) for take in line.takes],
    }


def _card(line: LineRow, take: TakeRow, url: AudioUrl) -> CardJson:
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
        "voice": _voice(take),
        "waveform_url": None,
        "waveform_status": "unsupported",
        "waveform_reason": "no_waveforms",
        "retry_count": take.retry_count,
        "status": take.status,
        "dropped": {"verdicts": verdicts} if take.status == "dropped" else None,
        "rejected": {"verdicts": verdicts} if verdicts else None,
    }


def _audio(take: TakeRow, url: AudioUrl) -> AudioJson:
    return {
        "playback_url": url(take),
        "status": availability(take.has_audio),
        "reason": None if take.has_audio else "no_file_stored",
        "duration_ms": take.duration_ms,
        "content_type": take.content_type,
        "provider": take.provider,
        "model": take.model,
    }


def _voice(take: TakeRow) -> VoiceJson:
    is_known = take.voice is not None
    return {
        "display_name": take.voice,
        "status": availability(is_known),
        "reason": None if is_known else "not_recorded",
    }


def _validation(validation: ValidationRow) -> ValidationJson:
    return {
        "kind": validation.kind,
        "label": validation.label,
        "status": availability(validation.scored),
        "reason": validation.reason,
        "score": validation.score,
        "wer": validation.wer,
        "cer": validation.cer,
        "transcript": validation.transcript,
        "scored_on": validation.scored_on,
        "segments": validation.segments,
        "error_counts": validation.error_counts,
        "inherited_from_take": validation.inherited_from_take,
    }


def _scores(take: TakeRow) -> ScoresJson:
    """The word accuracy as clients before 0.7 read it."""
    found = next((each for each in take.validations if each.kind == "wer"), None)
    is_scored = found is not None and found.scored
    return {
        "accuracy": found.score if found else None,
        "accuracy_status": availability(is_scored),
        "accuracy_reason": None if is_scored else (found and found.reason) or "not_scored",
        "wer": found.wer if found else None,
        "cer": found.cer if found else None,
        "transcript": found.transcript if found else None,
    }


def _verdict(validation: ValidationRow) -> VerdictJson:
    return {
        "validator_node_id": validation.node_id or validation.kind,
        "validator_kind": validation.kind,
        "validator_label": validation.label or validation.kind,
        "score": validation.score,
        "threshold": validation.threshold,
    }
