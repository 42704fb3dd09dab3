"""Files that lines of history name: found beside the history, checked, and stored as artifacts."""

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

from portal import storage
from portal.history.parsing.readers import BadField
from portal.history.parsing.results import File
from portal.storage import ContentDigest

MAX_FILE = 512 * 1024 * 1024
"""The most bytes that one file may have."""


class FileSource(Protocol):
    """Where the files of a history come from."""

    def open(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Open a file. Raises ValueError with the reason if that is impossible."""


class Folder:
    """The folder of a history file and its subfolders; nothing else is ever opened."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def open(self, path: str) -> BinaryIO:
        parts = path.split("/")
        if "\\" in path or "\0" in path or any(part in ("", ".", "..") for part in parts) or ":" in parts[0]:
            raise ValueError("must be a path below the history file, with / between its parts.")
        try:
            found = self._folder.joinpath(*parts).resolve(strict=True)
            if not found.is_relative_to(self._folder):
                raise ValueError("leads out of the folder of the history file.")
            if not found.is_file():
                raise ValueError("is no file.")
            if not 0 < found.stat().st_size <= MAX_FILE:
                raise ValueError(f"must be a file of 1 to {MAX_FILE} bytes.")
            return found.open("rb")
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}.") from None


class InMemory:
    """Files in memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def open(self, path: str) -> BinaryIO:
        if path not in self._files:
            raise ValueError("is no file.")
        return io.BytesIO(self._files[path])


def read_files(workspace_id: UUID, files: Sequence[File], source: FileSource) -> bytes:
    """Read the files of a line, complete their artifacts, and return a digest of all. Raises BadField."""
    digest = blake2b(digest_size=16)
    for file in files:
        found = _read(file, source, storage.digest_of)
        if file.sha256 not in (None, found.sha256.hex()):
            raise BadField(file.field.removesuffix("path") + "sha256", "is not that of the file.")
        file.artifact |= {"workspace_id": workspace_id, "size_bytes": found.size, "sha256": found.sha256}
        digest.update(found.sha256)
    return digest.digest()


def keep_files(workspace_id: UUID, files: Sequence[File], source: FileSource) -> None:
    """Store the files of a line, which have been read, unless they are stored already. Raises BadField."""
    for file in files:
        wanted = ContentDigest(file.artifact["sha256"], file.artifact["size_bytes"])
        if storage.is_stored(workspace_id, wanted):
            continue
        if _read(file, source, partial(storage.store_content, workspace_id)) != wanted:
            raise BadField(file.field, "has changed while it was read.")


def _read(file: File, source: FileSource, read: Callable[[BinaryIO], ContentDigest]) -> ContentDigest:
    try:
        with source.open(file.path) as content:
            return read(content)
    except ValueError as error:
        raise BadField(file.field, str(error)) from None
    except OSError as error:
        raise BadField(file.field, f"cannot be read: {error.strerror or type(error).__name__}.") from None
