"""Signed links: each grants one download for 15 minutes without a key (contract 3.12).

An HMAC with the portal's secret key binds the link to a workspace, a kind of file and a subject; links signed
with a previous key stay valid until they expire.
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

_REFUSAL = "This link is incomplete or was changed. Ask for a new one."


@dataclass(frozen=True)
class Grant:
    """What a link gives access to."""

    kind: str
    """One of KINDS: all files of a run, those of a node, the audio of a take, or an upload."""
    workspace_id: UUID
    subject_id: UUID
    """The run, or the upload."""
    part: str = ""
    """The node's id, or the audio's."""


@dataclass(frozen=True)
class SignedLink:
    path: str
    """Relative to the portal's root, for pages: it works under every host name."""
    url: str
    """Absolute, for the API."""
    expires_at: datetime


def sign(grant: Grant, now: datetime) -> SignedLink:
    """Sign a link that is valid for 15 minutes."""
    expires = int((now + LIFE).timestamp())
    signature = _signature(grant, expires, str(current_app.secret_key))
    args = {"part": grant.part} if grant.part else {}
    query = urlencode(args | {"expires": str(expires), "signature": signature}, quote_via=quote)
    path = f"/files/{grant.workspace_id}/{grant.kind}/{grant.subject_id}?{query}"
    return SignedLink(path, absolute_url(path), datetime.fromtimestamp(expires, UTC))


def verify(path: Mapping[str, str], args: Mapping[str, str], now: datetime) -> Grant:
    """Verify a link's signature and expiry. Raises Forbidden."""
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
        raise Forbidden("This link has expired: links are valid for 15 minutes. Ask for a new one.")
    return grant


def _signature(grant: Grant, expires: int, secret: str) -> str:
    named = [grant.kind, str(grant.workspace_id), str(grant.subject_id), grant.part, expires]
    key = hashlib.sha256(
        b"signed links\0" + secret.encode()
    ).digest()  # a separate key from the one that signs cookies
    made = hmac.new(key, json.dumps(named).encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(made).rstrip(b"=").decode()
