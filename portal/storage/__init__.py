"""Where the content of artifacts lies: a local folder, or a bucket of an S3-compatible store.

Content is kept by workspace and digest, so the same file is stored once, an import that is repeated stores
nothing, and one that was cut off leaves at most a file that the next try finds. What is stored is looked at
before it is trusted: content may be lost or damaged behind the portal's back.
"""

import hashlib
import tempfile
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol, cast
from uuid import UUID

from flask import Flask, current_app

from portal.config import S3Settings, Settings
from portal.errors import NotFound, Unavailable
from portal.storage.local import LocalStore
from portal.storage.stored_object import StoredObject

CHUNK_BYTES = 256 * 1024
"""Bytes that are held in memory at a time."""

_IN_MEMORY = 1024 * 1024
_AT_ONCE = 16
"""Questions that a store over the network is asked at the same time."""


class Store(Protocol):
    """Content by key. A key is a few plain names joined by slashes. Where it cannot be used: Unavailable."""

    is_local: bool
    """Whether looking and reading cost next to nothing, no round trip over a network."""

    def put(self, key: str, content: BinaryIO) -> None:
        """Keep the content from here to its end; whole or not at all."""

    def size(self, key: str) -> int | None:
        """The bytes of the content of this key; None where there is none."""

    def read(self, key: str, first: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The content, or a stretch of it, a piece at a time. Raises NotFound before the first piece."""

    def delete(self, key: str) -> None:
        """Forget the content; nothing happens where there is none."""

    def objects(self, folder: str) -> Iterator[StoredObject]:
        """Everything whose key begins with this folder."""


@dataclass(frozen=True)
class ContentDigest:
    """Content that is in the store now."""

    sha256: bytes
    size: int


class Flaw(StrEnum):
    """What can be wrong with content that was stored."""

    MISSING = "missing"
    SIZE = "size"
    CONTENT = "content"
    UNREADABLE = "unreadable"


class TruncatedContent(Exception):
    """A stored file ended too early while it was sent."""


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions["portal_artifacts"] = _open(settings)


def artifact_store() -> Store:
    """The artifact store of this portal."""
    return cast(Store, current_app.extensions["portal_artifacts"])


def _open(settings: Settings) -> Store:
    if isinstance(settings.artifacts, S3Settings):
        from portal.storage.s3 import S3Store  # its library takes as long to load as the rest of the portal

        return S3Store(settings.artifacts)
    return LocalStore(settings.artifacts)


def object_key(workspace_id: UUID, sha256: bytes) -> str:
    """Where content of a workspace lies."""
    digest = sha256.hex()
    return f"{workspace_id}/{digest[:2]}/{digest}"


def digest_of(content: BinaryIO) -> ContentDigest:
    """Digest and size of the content from here to its end."""
    digest, size = hashlib.sha256(), 0
    while piece := content.read(CHUNK_BYTES):
        digest.update(piece)
        size += len(piece)
    return ContentDigest(digest.digest(), size)


def store_content(workspace_id: UUID, content: BinaryIO) -> ContentDigest:
    """Store content unless it is there already, whole; it is read once, whatever it comes from."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        copy = cast(BinaryIO, spooled)
        kept = _copy(content, copy)
        if not is_stored(workspace_id, kept):
            artifact_store().put(object_key(workspace_id, kept.sha256), copy)
            if not is_stored(workspace_id, kept):
                raise Unavailable("The artifact store did not keep a file as it was given.")
    return kept


def _copy(content: BinaryIO, copy: BinaryIO) -> ContentDigest:
    """Copy the content and go back to the copy's beginning."""
    digest, size = hashlib.sha256(), 0
    while piece := content.read(CHUNK_BYTES):
        digest.update(piece)
        size += len(piece)
        with _temporary_failures():
            copy.write(piece)
    with _temporary_failures():
        copy.seek(0)
    return ContentDigest(digest.digest(), size)


@contextmanager
def _temporary_failures() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unavailable(f"The folder for temporary files cannot be written: {reason}.") from error


def is_stored(workspace_id: UUID, kept: ContentDigest) -> bool:
    """Whether this content is there already, as far as that can be told without reading over a network.

    An S3-compatible store checks what it is sent and what it has by checksums of its own, and reading it all
    back would take as long as sending it and cost money: so there the size has to do.
    """
    return find_flaw(workspace_id, kept, read=artifact_store().is_local) is None


def find_flaw(workspace_id: UUID, kept: ContentDigest, *, read: bool = True) -> Flaw | None:
    """What is wrong with content that should be stored; unless it is read, only its size is looked at."""
    store, key = artifact_store(), object_key(workspace_id, kept.sha256)
    size = store.size(key)
    if size is None:
        return Flaw.MISSING
    if size != kept.size:
        return Flaw.SIZE
    try:
        return Flaw.CONTENT if read and _digest(store.read(key)) != kept.sha256 else None
    except NotFound:
        return Flaw.MISSING
    except Unavailable:
        if store.is_local:  # one file that cannot be read does not tell of the others
            return Flaw.UNREADABLE
        raise


def _digest(pieces: Iterator[bytes]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def sizes(keys: Collection[str]) -> dict[str, int | None]:
    """The size of the content of each key, None where there is none."""
    store = artifact_store()
    if store.is_local or len(keys) < 2:
        return {key: store.size(key) for key in keys}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(keys, pool.map(store.size, keys), strict=True))


def read_exactly(store: Store, key: str, first: int, length: int) -> Iterator[bytes]:
    """A stretch of the content. Raises NotFound before the first piece.

    Raises TruncatedContent if the content ends early: the server then closes the connection, so that nobody
    takes a part for the whole.
    """
    return _exactly(store.read(key, first, length), length)


def _exactly(pieces: Iterator[bytes], length: int) -> Iterator[bytes]:
    for piece in pieces:
        length -= len(piece)
        yield piece
    if length:
        raise TruncatedContent(f"a stored file ended {length} bytes too early while it was sent")
