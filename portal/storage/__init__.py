"""The artifact store: content-addressed files in a local folder or an S3-compatible bucket.

The key of an artifact is made of workspace and SHA-256, so a file is stored once, a repeated import stores
nothing, and an interrupted one leaves at most a file that the next attempt finds. Stored content is verified
before it is trusted: it may be lost or damaged outside the portal. Content that people send has a key of its
own, so that it can be replaced and deleted while other content is stored.
"""

import hashlib
import tempfile
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import BinaryIO, Protocol, cast
from uuid import UUID

from flask import Flask, current_app

from portal.config import S3Settings, Settings
from portal.errors import NotFound, Unavailable
from portal.storage.local import LocalStore
from portal.storage.stored_object import StoredObject

CHUNK_BYTES = 256 * 1024
"""Bytes held in memory at a time."""

_IN_MEMORY = 1024 * 1024
_PARALLEL = 16
"""Concurrent requests to a store over the network."""


class Store(Protocol):
    """Content by key, plain names joined by slashes. Every method raises Unavailable if the store fails."""

    is_local: bool
    """Whether reads need no network round trip."""

    def put(self, key: str, content: BinaryIO) -> None:
        """Store the rest of the stream, atomically."""

    def size(self, key: str) -> int | None:
        """The size in bytes; None if the key does not exist."""

    def read(self, key: str, first: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read the content or a range of it in chunks. Raises NotFound before the first chunk."""

    def delete(self, key: str) -> None:
        """Delete the content, if it exists."""

    def objects(self, folder: str) -> Iterator[StoredObject]:
        """List all objects below a folder."""


@dataclass(frozen=True)
class ContentDigest:
    """SHA-256 and size of content: its identity in the store."""

    sha256: bytes
    size: int


class Flaw(StrEnum):
    """What can be wrong with stored content."""

    MISSING = "missing"
    SIZE = "size"
    CONTENT = "content"
    UNREADABLE = "unreadable"


class TruncatedContent(Exception):
    """A stored file ended early while it was sent."""


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions["portal_artifacts"] = _open(settings)


def artifact_store() -> Store:
    """The artifact store of this portal."""
    return cast(Store, current_app.extensions["portal_artifacts"])


def _open(settings: Settings) -> Store:
    if isinstance(settings.artifacts, S3Settings):
        from portal.storage.s3 import S3Store  # boto3 takes as long to import as the rest of the portal

        return S3Store(settings.artifacts)
    return LocalStore(settings.artifacts)


def object_key(workspace_id: UUID, sha256: bytes) -> str:
    """The key of content of a workspace."""
    digest = sha256.hex()
    return f"{workspace_id}/{digest[:2]}/{digest}"


def upload_key(workspace_id: UUID, content_id: UUID) -> str:
    """The key of content that was sent for an upload: shared with nothing else."""
    return f"{workspace_id}/uploads/{content_id}"


def digest_of(content: BinaryIO) -> ContentDigest:
    """Hash the rest of a stream."""
    return _hash_chunks(iter(partial(content.read, CHUNK_BYTES), b""))


def _hash_chunks(chunks: Iterable[bytes]) -> ContentDigest:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return ContentDigest(digest.digest(), size)


def store_content(workspace_id: UUID, content: BinaryIO) -> ContentDigest:
    """Store content unless it is already there intact; the stream is read once."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        copy = cast(BinaryIO, spooled)
        digest = _hash_chunks(_copy_chunks(content, copy))
        with _temporary_failures():
            copy.seek(0)
        if not is_stored(workspace_id, digest):
            artifact_store().put(object_key(workspace_id, digest.sha256), copy)
            if not is_stored(workspace_id, digest):
                raise Unavailable("The artifact store did not store a file correctly.")
    return digest


def store_upload(workspace_id: UUID, content_id: UUID, content: BinaryIO) -> ContentDigest:
    """Store content for an upload once all of it has been read; whatever the stream raises stores nothing."""
    key = upload_key(workspace_id, content_id)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        copy = cast(BinaryIO, spooled)
        digest = _hash_chunks(_copy_chunks(content, copy))
        with _temporary_failures():
            copy.seek(0)
        artifact_store().put(key, copy)
    if find_flaw(key, digest, read=False) is not None:
        raise Unavailable("The artifact store did not store a file correctly.")
    return digest


def _copy_chunks(content: BinaryIO, copy: BinaryIO) -> Iterator[bytes]:
    """The chunks of the content, each written to the copy first."""
    while chunk := content.read(CHUNK_BYTES):
        with _temporary_failures():
            copy.write(chunk)
        yield chunk


@contextmanager
def _temporary_failures() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unavailable(f"The folder for temporary files is not writable: {reason}.") from error


def is_stored(workspace_id: UUID, digest: ContentDigest) -> bool:
    """Whether this content is already stored, as far as can be told without reading over a network.

    An S3-compatible store verifies its content by its own checksums, and reading everything back would double
    time and cost, so there only the size is compared.
    """
    key = object_key(workspace_id, digest.sha256)
    return find_flaw(key, digest, read=artifact_store().is_local) is None


def find_flaw(key: str, digest: ContentDigest, *, read: bool = True) -> Flaw | None:
    """Verify the content at a key: its size and, if `read`, its hash."""
    store = artifact_store()
    size = store.size(key)
    if size is None:
        return Flaw.MISSING
    if size != digest.size:
        return Flaw.SIZE
    try:
        return Flaw.CONTENT if read and _hash_chunks(store.read(key)) != digest else None
    except NotFound:
        return Flaw.MISSING
    except Unavailable:
        if store.is_local:  # one unreadable file says nothing about the others
            return Flaw.UNREADABLE
        raise


def sizes(keys: Collection[str]) -> dict[str, int | None]:
    """The size of each key's content; None if it does not exist."""
    store = artifact_store()
    if store.is_local or len(keys) < 2:
        return {key: store.size(key) for key in keys}
    with ThreadPoolExecutor(_PARALLEL) as pool:
        return dict(zip(keys, pool.map(store.size, keys), strict=True))


def read_exactly(store: Store, key: str, first: int, length: int) -> Iterator[bytes]:
    """Read a range of the content. Raises NotFound before the first chunk.

    Raises TruncatedContent if the content ends early: the server then closes the connection, so that nobody
    takes a part for the whole.
    """
    return _check_length(store.read(key, first, length), length)


def _check_length(chunks: Iterator[bytes], length: int) -> Iterator[bytes]:
    for chunk in chunks:
        length -= len(chunk)
        yield chunk
    if length:
        raise TruncatedContent(f"a stored file ended {length} bytes early while it was sent")
