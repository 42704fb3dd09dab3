"""History that other systems push, by ingest keys."""

from typing import Annotated

from flask import Response, jsonify, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import Count, RefusedLineJson
from portal.api.operations import operation
from portal.api.streamed_body import StreamedBody
from portal.auth.gate import current_ingest_caller, takes_ingest_key
from portal.auth.ingest_keys import IngestKeyKind
from portal.ingest.ledger import IngestOutcome
from portal.ingest.push import take_lines
from portal.ingest.pushed_lines import JSON_TYPE, LINES_TYPES, MAX_BYTES, lines_of, unpacked
from portal.ingest.turns import turn
from portal.web import envelope

_PIECE_BYTES = 16 * 1024
_LINE = {"type": "object", "description": "A line of history; docs/ways-in.md says what it may hold."}
_SENT = {
    JSON_TYPE: {
        "anyOf": [
            _LINE,
            {
                "type": "object",
                "properties": {"lines": {"type": "array", "items": _LINE}},
                "required": ["lines"],
            },
        ]
    },
    LINES_TYPES[0]: {"type": "string", "description": "A line of history each."},
}


class PushedJson(TypedDict):
    """What became of the lines."""

    accepted: Annotated[Count, Field(description="Lines that were stored.")]
    unchanged: Annotated[Count, Field(description="Lines that said nothing new.")]
    refused: Annotated[list[RefusedLineJson], Field(description="Lines that were not stored.")]


@bp.post("/history")
@takes_ingest_key(IngestKeyKind.HISTORY)
@operation(
    tag="History",
    summary="Push run history",
    answer=PushedJson,
    shape="bare",
    sends=_SENT,
    description=(
        "Lines of history, at most 1,000 and 4 MiB at a time, also with `Content-Encoding: gzip`. They are "
        "merged into what is stored, in any order; sent again, they change nothing. An Idempotency-Key is "
        "accepted and not needed. 422 only if no line was taken."
    ),
)
def push_history() -> Response:
    body = StreamedBody(MAX_BYTES)
    with body.discarded_if_refused():
        raw = unpacked(body.pieces(_PIECE_BYTES), request.headers.get("Content-Encoding", ""))
    lines = lines_of(raw, request.headers.get("Content-Type", ""))
    with turn():
        outcome = take_lines(current_ingest_caller(), lines, moments.now())
    return _answer(outcome)


def _answer(outcome: IngestOutcome) -> Response:
    refused: list[RefusedLineJson] = [
        {"line": each.line, "field": each.field, "reason": each.reason} for each in outcome.refused
    ]
    answer: PushedJson = {
        "accepted": outcome.accepted,
        "unchanged": outcome.unchanged,
        "refused": refused,
    }
    if not refused or outcome.accepted or outcome.unchanged:
        return jsonify(answer)
    failed = jsonify(
        {**envelope.failure("VALIDATION_ERROR", "No line was taken: all are refused."), "refused": refused}
    )
    failed.status_code = 422
    return failed
