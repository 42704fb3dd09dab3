"""Links that open one file for 15 minutes and need no key (contract 3.12).

The signature is made with the portal's secret key and binds the link to one workspace, one kind of file and
one subject; links signed with a former key work until they run out.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode
from uuid import UUID

from flask import current_app

from portal.errors import Forbidden
from portal.input import parameters
from portal.web.proxy import absolute_url

LIFE = timedelta(minutes=15)
KINDS = ("run", "node", "audio", "upload")
PATH = "/files/<workspace_id>/<kind>/<subject_id>"

_REFUSAL = "This link is not whole. Ask for a new one."


@dataclass(frozen=True)
class Grant:
    """What a link opens."""

    kind: str
    """One of KINDS: all of a run, what one of its nodes gave, one take's audio, an upload."""
    workspace_id: UUID
    subject_id: UUID
    """The run, or the upload."""
    part: str = ""
    """The node's id, or the audio's."""


@dataclass(frozen=True)
class SignedLink:
    path: str
    """Below the portal's root: what pages use, whichever name people reach the portal by."""
    url: str
    """Absolute: what the API gives."""
    expires_at: datetime


def sign(grant: Grant, now: datetime) -> SignedLink:
    """A link that opens the grant from now on for 15 minutes."""
    expires = int((now + LIFE).timestamp())
    signature = _signature(grant, expires, str(current_app.secret_key))
    args = {"part": grant.part} if grant.part else {}
    query = urlencode(args | {"expires": str(expires), "signature": signature}, quote_via=quote)
    path = f"/files/{grant.workspace_id}/{grant.kind}/{grant.subject_id}?{query}"
    return SignedLink(path, absolute_url(path), datetime.fromtimestamp(expires, UTC))


def verify(path: Mapping[str, str], args: Mapping[str, str], now: datetime) -> Grant:
    """What a link opens, from its path and its query. Raises Forbidden."""
    try:
        grant = Grant(
            parameters.one_of(KINDS)(path["kind"]),
            parameters.uuid(path["workspace_id"]),
            parameters.uuid(path["subject_id"]),
            args.get("part", ""),
        )
        expires = parameters.whole_number(args.get("expires", ""), 0, 2**40, "")
    except parameters.Refused:
        raise Forbidden(_REFUSAL) from None
    given = args.get("signature", "").encode()
    keys = [str(current_app.secret_key), *current_app.config["SECRET_KEY_FALLBACKS"]]
    matches = [hmac.compare_digest(_signature(grant, expires, key).encode(), given) for key in keys]
    if not any(matches):
        raise Forbidden(_REFUSAL)
    if now.timestamp() >= expires:
        raise Forbidden("This link has run out: it opened for 15 minutes. Ask for a new one.")
    return grant


def _signature(grant: Grant, expires: int, secret: str) -> str:
    named = [grant.kind, str(grant.workspace_id), str(grant.subject_id), grant.part, expires]
    key = hashlib.sha256(b"signed links\0" + secret.encode()).digest()  # not the key that signs cookies
    made = hmac.new(key, json.dumps(named).encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(made).rstrip(b"=").decode()
