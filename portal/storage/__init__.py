"""Where the content of artifacts lies: a local folder, or a bucket of an S3-compatible store.

Content is kept by workspace and digest, so the same file is stored once, an import that is repeated stores
nothing, and one that was cut off leaves at most a file that the next try finds.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast
from uuid import UUID

from flask import Flask, current_app

from portal.config import S3Settings, Settings
from portal.storage.local import LocalStore

PIECE = 256 * 1024
"""Bytes that are held in memory at a time."""

_IN_MEMORY = 1024 * 1024


class Store(Protocol):
    """Content by key. A key is a few plain names joined by slashes."""

    def put(self, key: str, content: BinaryIO) -> None:
        """Keep the content from here to its end; whole or not at all."""

    def has(self, key: str) -> bool:
        """Whether there is content of this key."""

    def read(self, key: str, first: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The content, or a stretch of it, a piece at a time. Raises NotFound before the first piece."""

    def delete(self, key: str) -> None:
        """Forget the content; nothing happens where there is none."""


@dataclass(frozen=True)
class Kept:
    """Content that is in the store now."""

    sha256: bytes
    size: int


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions["portal_artifacts"] = _open(settings)


def artifacts() -> Store:
    """The artifact store of this portal."""
    return cast(Store, current_app.extensions["portal_artifacts"])


def _open(settings: Settings) -> Store:
    if isinstance(settings.artifacts, S3Settings):
        from portal.storage.s3 import S3Store  # its library takes as long to load as the rest of the portal

        return S3Store(settings.artifacts)
    return LocalStore(settings.artifacts)


def key_of(workspace_id: UUID, sha256: bytes) -> str:
    """Where content of a workspace lies."""
    digest = sha256.hex()
    return f"{workspace_id}/{digest[:2]}/{digest}"


def digest_of(content: BinaryIO) -> Kept:
    """Digest and size of the content from here to its end."""
    digest, size = hashlib.sha256(), 0
    while piece := content.read(PIECE):
        digest.update(piece)
        size += len(piece)
    return Kept(digest.digest(), size)


def keep(workspace_id: UUID, content: BinaryIO) -> Kept:
    """Store content unless it is there already; it is read once, whatever it comes from."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        while piece := content.read(PIECE):
            copy.write(piece)
        copy.seek(0)
        kept = digest_of(cast(BinaryIO, copy))
        key = key_of(workspace_id, kept.sha256)
        if not artifacts().has(key):
            copy.seek(0)
            artifacts().put(key, cast(BinaryIO, copy))
    return kept
