"""Webhooks of other systems: addresses that only their secrets open."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

from flask import Blueprint, Response, jsonify, request

from portal import moments
from portal.auth import limits
from portal.auth.gate import public
from portal.errors import Unauthorized
from portal.ingest.hooks.receiving import Delivery, Received, receive_github, receive_gitlab
from portal.web import envelope

bp = Blueprint("hooks", __name__)

MAX_BYTES = 5 * 1024 * 1024
"""Of a delivery: far more than an event of runs or jobs has."""

Receive = Callable[[str, Delivery, datetime], Received]


@bp.post("/hooks/github/<hook_id>")
@public
def github(hook_id: str) -> Response:
    return _receive(receive_github, hook_id, "X-Hub-Signature-256", "X-GitHub-Delivery")


@bp.post("/hooks/gitlab/<hook_id>")
@public
def gitlab(hook_id: str) -> Response:
    return _receive(receive_gitlab, hook_id, "X-Gitlab-Token", "Idempotency-Key")


def _receive(receive: Receive, hook_id: str, proof: str, delivery: str) -> Response:
    request.max_content_length = MAX_BYTES
    sent = Delivery(
        body=request.get_data(),
        proof=request.headers.get(proof, ""),
        delivery=request.headers.get(delivery),
    )
    try:
        received = receive(hook_id, sent, moments.now())
    except Unauthorized:
        limits.count_attempt("refused", request)
        raise
    if received.is_ignored:
        return Response(status=204)
    values = asdict(received)
    refused = [{"field": field, "reason": reason} for field, reason in received.refused]
    payload = {"accepted": values["accepted"], "unchanged": values["unchanged"], "refused": refused}
    answer = jsonify(envelope.success(payload | {"repeated": received.is_repeated}))
    answer.status_code = 202
    return answer
