"""Ping addresses, in the forms of healthchecks: `/ping/KEY/NAME`, then nothing, /start, /fail, /log or /EXIT.

They contain their key, and change something by GET. So the key opens nothing else, no cookie is looked at,
and what a browser opens or prefetches is refused.
"""

from flask import Blueprint, Response, request

from portal import moments
from portal.api.streamed_body import StreamedBody
from portal.auth.gate import current_ingest_caller, takes_ingest_key
from portal.auth.ingest_keys import IngestKeyKind
from portal.errors import Forbidden
from portal.ingest.pings import MAX_OUTPUT, Ping, take_ping
from portal.ingest.terminal_output import plain_text
from portal.input.parameters import single

bp = Blueprint("pings", __name__)

MAX_READ = 16 * 1024 * 1024
"""Bytes of an output that are read, in order to keep its end."""
_METHODS = ["GET", "POST"]
_PIECE_BYTES = 64 * 1024


@bp.route("/ping/<ping_key>", methods=_METHODS)
@bp.route("/ping/<ping_key>/<slug>", methods=_METHODS)
@bp.route("/ping/<ping_key>/<slug>/<what>", methods=_METHODS)
@takes_ingest_key(IngestKeyKind.PING)
def ping(ping_key: str, slug: str | None = None, what: str | None = None) -> Response:
    _refuse_browsers()
    caller = current_ingest_caller()
    words = [word for word in (slug, what) if word is not None]
    said = Ping.parse(caller, words, single(request.args))
    created = take_ping(caller, said, _output(), moments.now())
    return Response("Created" if created else "OK", 201 if created else 200, mimetype="text/plain")


@bp.after_request
def _complete(response: Response) -> Response:
    """What every answer says, refusals too."""
    response.headers["Ping-Body-Limit"] = str(MAX_OUTPUT)
    response.headers["Cache-Control"] = "no-store"
    return response


def _refuse_browsers() -> None:
    """Refuse what a person opens, or what a browser or a preview of a chat fetches in advance."""
    headers = request.headers
    if (
        headers.get("Sec-Fetch-Mode") == "navigate"
        or "Sec-Purpose" in headers
        or headers.get("Purpose", "").lower() in ("prefetch", "preview")
    ):
        raise Forbidden("This address is for programs: opened in a browser, it would report a run.")


def _output() -> str:
    """The end of the body, as plain text."""
    if request.method != "POST":
        return ""
    body, kept = StreamedBody(MAX_READ), b""
    with body.discarded_if_refused():
        for piece in body.pieces(_PIECE_BYTES):
            kept = (kept + piece)[-MAX_OUTPUT - 4 :]
    return plain_text(kept, MAX_OUTPUT)
