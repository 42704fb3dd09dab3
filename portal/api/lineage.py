"""Events of OpenLineage, which Airflow, dbt, Spark and others send, by ingest keys."""

import json
from typing import Annotated

import orjson
from flask import Response, jsonify, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.operations import operation
from portal.api.streamed_body import StreamedBody
from portal.auth.gate import current_ingest_caller, takes_ingest_key
from portal.auth.ingest_keys import IngestCaller, IngestKeyKind
from portal.errors import BadRequest, FieldError, InvalidQuery
from portal.ingest import ledger
from portal.ingest.ledger import IngestOutcome, Refusal
from portal.ingest.lineage.folding.events import read_event, refuse_ahead
from portal.ingest.lineage.store import take_event
from portal.ingest.pushed_lines import JSON_TYPE, unpacked
from portal.ingest.turns import turn

MAX_BYTES = 8 * 1024 * 1024
"""Of an event, also unpacked: those of Spark hold whole plans."""
_PIECE_BYTES = 16 * 1024
_KEPT_REASON = 500


class TakenEventJson(TypedDict):
    """What became of the event."""

    taken: Annotated[
        bool, Field(description="False for one about a job or data set alone, which is not kept.")
    ]
    new: Annotated[bool, Field(description="False for an event that came before.")]


@bp.post("/lineage")
@takes_ingest_key(IngestKeyKind.HISTORY)
@operation(
    tag="History",
    summary="Send an event of OpenLineage",
    answer=TakenEventJson,
    status=201,
    otherwise=200,
    shape="bare",
    sends={JSON_TYPE: {"type": "object", "description": "A RunEvent of OpenLineage, 1-0 to 2-0-2."}},
    description=(
        "Events become runs and steps, in whatever order they arrive; 200 for one that came before. At most "
        "8 MiB, also with `Content-Encoding: gzip`. docs/lineage.md says what becomes of them."
    ),
)
def take_lineage() -> tuple[Response, int]:
    body = StreamedBody(MAX_BYTES)
    with body.discarded_if_refused():
        raw = unpacked(body.pieces(_PIECE_BYTES), request.headers.get("Content-Encoding", ""), MAX_BYTES)
    caller = current_ingest_caller()
    with turn():
        try:
            taken, is_new = _take(caller, raw)
        except InvalidQuery as error:
            refusals = [Refusal(1, each.field, each.message[:_KEPT_REASON]) for each in error.errors]
            ledger.record(caller.key_id, IngestOutcome(0, 0, refusals), moments.now())
            raise
        ledger.record(caller.key_id, IngestOutcome(int(is_new), int(not is_new), []), moments.now())
    answer: TakenEventJson = {"taken": taken, "new": is_new}
    return jsonify(answer), 201 if is_new else 200


def _take(caller: IngestCaller, raw: bytes) -> tuple[bool, bool]:
    """Whether the event is about a run, and whether it is a new one."""
    now = moments.now()
    found = _json(raw)
    if not isinstance(found, dict):
        raise InvalidQuery([FieldError("event", "must be an object.")])
    event = read_event(found, caller.source)
    if event is None:
        return False, True
    refuse_ahead(event, now)
    return True, take_event(caller.workspace_id, event, caller.key_id, now)


def _json(raw: bytes) -> object:
    """What a body says, also with the NaN and half surrogates of Python's encoder. Raises BadRequest."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    try:
        found: object = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadRequest("The event is not JSON.") from None
    return found
