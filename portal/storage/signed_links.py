"""Signed links, which open one file for 15 minutes without a credential (contract 3.12).

itsdangerous signs with the portal's secret key. The signature covers the workspace, the kind of file, the
subject, the part and the time of expiry. Links signed with a former key work until they expire.

A link to send a file to is signed apart, for its method: no link that reads writes, and vice versa.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode
from uuid import UUID

from flask import current_app
from itsdangerous import Signer

from portal.errors import Forbidden
from portal.input import parameters
from portal.web.proxy import absolute_url

LIFE = timedelta(minutes=15)
KINDS = ("run", "node", "audio", "upload")
PATH = "/files/<workspace_id>/<kind>/<subject_id>"
UPLOAD_PATH = "/uploads/<upload_id>"

_SIGNATURE = re.compile(r"[\w-]{43}", re.ASCII)
"""A SHA-256 digest in unpadded base64; itsdangerous alone would skip characters that are not base64."""

_REFUSAL = "This link is not whole. Ask for a new one."


@dataclass(frozen=True)
class Grant:
    """The file that a link opens."""

    kind: str
    """One of KINDS: all files of a run, those of one node, the audio of one take, an upload."""
    workspace_id: UUID
    subject_id: UUID
    """The id of the run or of the upload."""
    part: str = ""
    """The id of the node or of the audio."""


@dataclass(frozen=True)
class SignedLink:
    path: str
    """Relative to the portal's root: used on pages, under whatever host name they are opened."""
    url: str
    """Absolute: used in API answers."""
    expires_at: datetime


def sign(grant: Grant, now: datetime) -> SignedLink:
    """A link that opens the grant for 15 minutes from now."""
    expires = _expiry(now)
    args = {"part": grant.part} if grant.part else {}
    path = f"/files/{grant.workspace_id}/{grant.kind}/{grant.subject_id}"
    return _link(path, args, expires, _signer().get_signature(_signed_text(grant, expires)))


def sign_upload(upload_id: UUID, now: datetime) -> SignedLink:
    """A link to which the file of an upload can be sent with PUT for 15 minutes from now."""
    expires = _expiry(now)
    signature = _upload_signer().get_signature(_signed_upload(upload_id, expires))
    return _link(f"/uploads/{upload_id}", {}, expires, signature)


def _expiry(now: datetime) -> int:
    return int((now + LIFE).timestamp())


def _link(path: str, args: Mapping[str, str], expires: int, signature: bytes) -> SignedLink:
    signed = {**args, "expires": str(expires), "signature": signature.decode()}
    path = f"{path}?{urlencode(signed, quote_via=quote)}"
    return SignedLink(path, absolute_url(path), datetime.fromtimestamp(expires, UTC))


def verify(path: Mapping[str, str], args: Mapping[str, str], now: datetime) -> Grant:
    """The grant of a link, from its path and its query. Raises Forbidden."""
    try:
        grant = Grant(
            parameters.one_of(KINDS)(path["kind"]),
            parameters.uuid(path["workspace_id"]),
            parameters.uuid(path["subject_id"]),
            args.get("part", ""),
        )
        expires = _read_expiry(args)
    except parameters.Refused:
        raise Forbidden(_REFUSAL) from None
    _verify(_signer(), _signed_text(grant, expires), expires, args, now)
    return grant


def verify_upload(upload_id: str, args: Mapping[str, str], now: datetime) -> UUID:
    """The upload of a link from `sign_upload`, from its path and its query. Raises Forbidden."""
    try:
        found, expires = parameters.uuid(upload_id), _read_expiry(args)
    except parameters.Refused:
        raise Forbidden(_REFUSAL) from None
    _verify(_upload_signer(), _signed_upload(found, expires), expires, args, now)
    return found


def _read_expiry(args: Mapping[str, str]) -> int:
    return parameters.whole_number(args.get("expires", ""), 0, 2**40)


def _verify(signer: Signer, text: str, expires: int, args: Mapping[str, str], now: datetime) -> None:
    signature = args.get("signature", "")
    if not _SIGNATURE.fullmatch(signature) or not signer.verify_signature(text, signature):
        raise Forbidden(_REFUSAL)
    if now.timestamp() >= expires:
        raise Forbidden("This link has run out: it opened for 15 minutes. Ask for a new one.")


def _signer(salt: str = "portal.signed_links") -> Signer:
    """Signs with the secret key and verifies with former ones; the salt sets its keys apart from others."""
    keys = [*current_app.config["SECRET_KEY_FALLBACKS"], str(current_app.secret_key)]
    return Signer(keys, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)


def _upload_signer() -> Signer:
    return _signer("portal.upload_links")


def _signed_upload(upload_id: UUID, expires: int) -> str:
    return json.dumps(["PUT", str(upload_id), expires])


def _signed_text(grant: Grant, expires: int) -> str:
    return json.dumps([grant.kind, str(grant.workspace_id), str(grant.subject_id), grant.part, expires])
